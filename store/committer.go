package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
)

// maxBatch bounds how many writes share one commit.
const maxBatch = 256

// errClosed: the store was closed.
var errClosed = errors.New("the store is closed")

// write is one step that waits to be committed.
type write struct {
	ctx    context.Context
	do     func(tx *bolt.Tx) error
	topics func() []string // asked after the commit; may be nil
	err    error
	done   chan struct{}
}

// committer commits writes. While one commit is on its way to the disk the next ones gather, and then share one commit:
// a write alone does not wait, and many at once cost few syncs.
type committer struct {
	db     *bolt.DB
	wake   func(topic string)
	writes chan *write
	stop   chan struct{}
	once   sync.Once
	done   chan struct{}
	broken error // set when the file turned out to be damaged: nothing is written after that
	stuck  bool  // set when not even the transaction could be ended
}

func newCommitter(db *bolt.DB, wake func(string)) *committer {
	c := &committer{db: db, wake: wake, writes: make(chan *write), stop: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c
}

// close lets what was begun finish, and refuses what comes later. It answers whether the database can be closed.
func (c *committer) close() bool {
	c.once.Do(func() { close(c.stop) })
	<-c.done
	return !c.stuck
}

// commit runs do in a transaction and returns once it is on the disk. do may run more than once, and must answer one of
// the engine's errors only before it has written anything. If ctx ends first, what became of the write is unknown.
func (c *committer) commit(ctx context.Context, do func(tx *bolt.Tx) error, topics func() []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{ctx: ctx, do: do, topics: topics, done: make(chan struct{})}
	select {
	case c.writes <- w:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.stop:
		return errClosed
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return fmt.Errorf("what became of the write is unknown: %w", ctx.Err())
	}
}

func (c *committer) run() {
	defer close(c.done)
	for {
		select {
		case w := <-c.writes:
			c.commitAll(c.gather(w))
		case <-c.stop:
			return
		}
	}
}

// gather takes what else is waiting, without waiting for more.
func (c *committer) gather(first *write) []*write {
	batch := []*write{first}
	for len(batch) < maxBatch {
		select {
		case w := <-c.writes:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// commitAll commits a batch. If a write of it fails by itself, each is tried alone, so that it harms no other.
func (c *committer) commitAll(batch []*write) {
	if err := c.try(batch); err != nil {
		if len(batch) > 1 {
			for _, w := range batch {
				c.commitAll([]*write{w})
			}
			return
		}
		batch[0].err = err
	}
	for _, w := range batch {
		if w.err == nil && w.topics != nil {
			for _, t := range w.topics() {
				c.wake(t)
			}
		}
		close(w.done)
	}
}

// try runs a batch in one transaction. What the engine tells apart is noted with its write; anything else is returned,
// and nothing was written.
func (c *committer) try(batch []*write) error {
	if c.broken != nil {
		return c.broken
	}
	tx, err := c.db.Begin(true)
	if err != nil {
		return err
	}
	err = guard(func() error { return commitOne(tx, batch) })
	if errors.Is(err, errDamaged) {
		c.broken = err
	}
	if end := guard(tx.Rollback); errors.Is(end, errDamaged) { // does nothing after a commit
		c.broken, c.stuck = end, true
	}
	return err
}

func commitOne(tx *bolt.Tx, batch []*write) error {
	wrote := false
	for _, w := range batch {
		if w.err = w.ctx.Err(); w.err != nil {
			continue
		}
		if w.err = w.do(tx); w.err == nil {
			wrote = true
		} else if !isAnswer(w.err) {
			return w.err
		}
	}
	if !wrote {
		return nil
	}
	return tx.Commit()
}

// isAnswer says whether an error is one that the engine tells apart.
func isAnswer(err error) bool {
	return errors.Is(err, engine.ErrConflict) || errors.Is(err, engine.ErrExists) ||
		errors.Is(err, engine.ErrNotFound) || errors.Is(err, engine.ErrBusy)
}
