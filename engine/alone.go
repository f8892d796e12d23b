package engine

import (
	"context"
	"errors"
	"fmt"
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

// sweepAlone hangs up what this instance knows to be too long, while the store cannot be asked: an outage must not let calls
// go on for as long as it lasts. Their records follow: the next sweep that reaches the store hangs up again, and Positus
// says that they are over.
func (e *Engine) sweepAlone() {
	calls, _ := e.known.look(e.Now())
	for _, c := range append(calls, e.journal.all()...) {
		running, _ := e.running(c.Key())
		tooLong := c.HangUp != nil || c.State == Active && !e.Now().Before(c.ActiveAt.Add(c.MaxCall))
		if c.Owner != e.instance || !c.Live() || running || !tooLong {
			continue
		}
		select {
		case e.reaping <- struct{}{}:
		default:
			return
		}
		if !e.alone.claim(c.Key(), e.uptime(), e.Timing) {
			<-e.reaping
			continue
		}
		e.background(func(context.Context) {
			defer func() { <-e.reaping }()
			e.hangUpAlone(c)
		})
	}
}

func (e *Engine) hangUpAlone(c *Call) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.MediaWait)
	defer cancel()
	err := e.Provider.HangUp(ctx, c.PositusID, c.ID)
	var pe *ProviderError
	if err != nil && (!errors.As(err, &pe) || pe.Kind != Gone) {
		e.problem("hang_up", "Positus did not take a hang-up, and the store is away; it is tried again", err, "call", c.Key())
		return
	}
	e.alone.over(c.Key())
	e.log.Info("hung up while the store is away", "call", c.Key())
	ended := false
	n := e.journal.update(c.Key(), func(n *Call) { // if its record is kept here
		switch ended = n.Live(); {
		case !ended:
		case n.HangUp != nil:
			n.end(n.HangUp.Outcome, n.HangUp.Why, e.Now())
		default:
			n.end(Reaped, fmt.Sprintf("longer than max_call (%s)", n.MaxCall), e.Now())
		}
	})
	if ended {
		e.ended(n)
	}
}
