package engine

import (
	"math"
	"sync"
	"time"
)

// alone is what an instance has tried while the store could not be asked.
type alone struct {
	mu   sync.Mutex
	next map[string]time.Duration // by call, the uptime at which it is tried again
	n    map[string]int
}

func (a *alone) init() { a.next, a.n = map[string]time.Duration{}, map[string]int{} }

// claim says whether a call is to be tried now, and if so that it is not again before a while.
func (a *alone) claim(key string, now time.Duration, t Timing) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now < a.next[key] {
		return false
	}
	a.n[key]++
	a.next[key] = now + t.MediaWait + min(t.HangUpMax, time.Second<<min(a.n[key], 10))
	return true
}

// over notes that Positus says a call is over.
func (a *alone) over(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next[key] = math.MaxInt64
}

// clear forgets all, since the store can be asked again.
func (a *alone) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.next)
	clear(a.n)
}
