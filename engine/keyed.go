package engine

import (
	"context"
	"sync"
)

// keyed is a lock for each key, in this process.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed on unlock
}

func (k *keyed) init() { k.held = map[string]chan struct{}{} }

// lock waits until the key is free, or returns the error of ctx when that ends.
func (k *keyed) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		k.mu.Lock()
		before, held := k.held[key]
		if !held {
			done := make(chan struct{})
			k.held[key] = done
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, key)
				k.mu.Unlock()
				close(done)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
