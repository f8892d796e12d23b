package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"callrouter/rules"
)

// runner works on one call while this instance owns it. A process has at most one runner for a call, and only runners
// act on ringing calls.
type runner struct {
	e   *Engine
	log *slog.Logger
	f   *rules.File // the version with which the call began

	caller  rules.Caller // of the record, which never changes it
	c       *Call        // the record as last read or written
	draft   *Call        // decided and not yet written: the next write begins from it
	records records      // where the record is read and written
	evaluation
	play Playback // prepared, of an accept with audio

	told    lastTurn    // when the dispatcher of its queue last said that it may be its turn
	look    *queueLook  // what the dispatcher read then; nil: nothing new
	resumed bool        // another runner had the call before this one
	playing atomic.Bool // the call is active: the sweep may end it
}

// evaluation is the input of the last evaluation of the rules.
type evaluation struct {
	at      time.Time      // its instant
	wall    time.Time      // the same on the wall, by which hours are open
	runtime *rules.Runtime // switches and run-time entries at that instant
	asked   bool           // the rules were asked, and the record does not say so yet
	facts   rules.Facts    // what the store was asked for since
}

var (
	// errChanged: the call was changed by somebody else and has been read again.
	errChanged = errors.New("the call was changed by somebody else")
	// errStore: the store could not be reached for as long as the step could wait.
	errStore = errors.New("the store cannot be reached")
)

// full reports whether the engine holds its maximum of calls.
func (e *Engine) full() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.runners)+e.replica.size() >= maxLive
}

// run starts the runner of a call that was just stored, unless it has one.
func (e *Engine) run(c *Call, f *rules.File, in records) {
	e.start(e.newRunner(c, f, in))
}

// resume starts the runner of a call that had one before, unless it has one now. The runner reads the call first,
// because an action that was carried out since must not be carried out again.
func (e *Engine) resume(c *Call, f *rules.File) {
	r := e.newRunner(c, f, inStore{})
	r.resumed = true
	e.start(r)
}

func (e *Engine) newRunner(c *Call, f *rules.File, in records) *runner {
	return &runner{
		e: e, f: f, c: c, caller: rules.NewCaller(c.From, c.UserID, c.Name), records: in, log: e.log.With("call", c.Key()),
	}
}

// register makes r the runner of its call, unless the call has one or the engine stops.
func (e *Engine) register(r *runner) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := r.c.Key()
	if e.stopping || e.runners[key] != nil {
		return false
	}
	e.runners[key] = r
	e.wg.Add(1)
	return true
}

func (e *Engine) start(r *runner) {
	if !e.register(r) {
		r.closePlayback()
		return
	}
	key := r.c.Key()
	go func() {
		defer e.wg.Done()
		defer func() {
			if p := recover(); p != nil { // the sweep takes the call up again, and ends it once its window is over
				e.caught(p, "a bug stopped the work on a call; the sweep takes the call up again; report the stack",
					"call", key)
			}
			e.mu.Lock()
			delete(e.runners, key)
			e.mu.Unlock()
		}()
		r.loop()
	}()
}

// running reports whether this process has a runner for a call, and ringing whether that runner still works on the call
// before it is active.
func (e *Engine) running(key string) (running, ringing bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.runners[key]
	return r != nil, r != nil && !r.playing.Load()
}

func (r *runner) loop() {
	defer r.closePlayback()
	if r.resumed {
		if err := r.reread(); !errors.Is(err, errChanged) {
			r.log.Error(
				"cannot read the call from the store; the sweep takes it up again; check the store",
				"error",
				err,
			)
			return
		}
	}
	for r.c.Owner == r.e.instance {
		var err error
		switch r.c.State {
		case Received, Deciding:
			err = r.decide()
		case Waiting, Offered:
			err = r.handoff()
		case Accepting:
			if r.c.HangUp != nil {
				return
			}
			err = r.accept()
		case Rejecting:
			err = r.reject()
		case Active:
			if r.play == nil {
				return
			}
			err = r.playOut()
		default:
			r.message()
			return
		}
		switch {
		case err == nil, errors.Is(err, errChanged):
		case errors.Is(err, errStore) && r.continueInMemory(err):
		case errors.Is(err, context.Canceled):
			r.records.leave(r)
			return
		default:
			r.log.Error(
				"this instance cannot go on with the call; the sweep or another instance takes it up",
				"error",
				err,
			)
			return
		}
	}
}

// continueInMemory goes on in memory if no other instance can have taken over the call. The step that needed the store
// fails as an evaluation error.
func (r *runner) continueInMemory(cause error) bool {
	if r.e.leaseOver() {
		return false
	}
	r.e.report(
		"store",
		"the store went away during a call; the call goes on in memory, and rules that need the store take on_error; "+
			"check the store",
		cause,
		"call",
		r.c.Key(),
	)
	r.moveToMemory(r.c.Clone())
	if !r.c.State.Ringing() {
		return true
	}
	_ = r.endHandoff() // in memory, a write does not fail
	return true
}

// endHandoff ends the hand-off and returns to the rules, because the store cannot be reached.
func (r *runner) endHandoff() error {
	return r.write(func(n *Call) {
		now := r.now()
		n.settleOffers(OfferEnded, now)
		n.Holds, n.Step, n.Due = nil, nil, now
		n.to(Deciding, now, "the store cannot be reached")
	})
}

// moveToMemory keeps the record in memory from now on. A write without a reply may still land with the next revision,
// so moveToMemory counts that revision: what follows in memory is newer.
func (r *runner) moveToMemory(c *Call) {
	r.records, r.draft = inMemory{}, nil
	c.Rev++
	r.c = c
	r.e.replica.keep(c)
	r.reassertLater()
}

// reassertLater writes an action that was decided in memory to the store in the background. An earlier write without a
// reply may still land. An instance that finds that one after a crash must find the action too, or it would take
// another.
func (r *runner) reassertLater() {
	c := r.c
	if c.State != Accepting && c.State != Rejecting {
		return
	}
	r.e.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, c.Deadline.Sub(r.now()))
		defer cancel()
		if err := r.e.Store.Reassert(ctx, c); err != nil {
			r.log.Debug("a decision made in memory is not in the store yet", "error", err)
		}
	})
}

func (r *runner) now() time.Time { return r.e.Now() }

// ringingEnds returns when waiting and ringing stop and the default follows.
func (r *runner) ringingEnds() time.Time {
	reserve := actReserve
	if d := r.f.Default(); d.Action == rules.Accept {
		if a, ok := r.f.Answer(d.Answer); ok && a.URL != "" {
			reserve += a.Timeout
		}
	}
	return r.c.Deadline.Add(-reserve)
}

// write changes the record, wherever it is.
func (r *runner) write(change func(n *Call)) error { return r.records.write(r, change) }

// view returns the call that the next write begins from.
func (r *runner) view() *Call {
	if r.draft != nil {
		return r.draft
	}
	return r.c
}

// takesSlot reports whether next holds a slot that the call did not hold before.
func (r *runner) takesSlot(next *Call) bool {
	return slices.ContainsFunc(next.Holds, func(h Hold) bool {
		return !slices.ContainsFunc(r.c.Holds, func(o Hold) bool { return o.Agent == h.Agent })
	})
}

// reread reads the call again after somebody else changed it.
func (r *runner) reread() error {
	r.draft = nil
	giveUp := r.now().Add(r.e.Timing.StoreWait)
	for {
		c, err := r.records.read(r)
		if err == nil {
			r.c = c
			return errChanged
		}
		if !r.now().Before(giveUp) {
			return errors.Join(errStore, err)
		}
		r.pause(50 * time.Millisecond)
	}
}

// writeResult writes the result of an action. If others changed the call meanwhile, it adds the result to their change.
func (r *runner) writeResult(change func(n *Call)) error {
	from := r.c.State
	for {
		err := r.write(change)
		if errors.Is(err, errChanged) && r.c.State == from && r.c.Owner == r.e.instance {
			continue
		}
		return err
	}
}

// end closes the call.
func (r *runner) end(o Outcome, why string) error {
	err := r.writeResult(func(n *Call) { n.end(o, why, r.now()) })
	if err == nil {
		r.e.reportEnd(r.c)
	}
	return err
}

// pause waits a moment before the store is asked again.
func (r *runner) pause(d time.Duration) { <-time.After(d) }

func (r *runner) untilDeadline() (context.Context, context.CancelFunc) {
	// The deadline is on the engine's clock; the context needs the time that is left.
	return context.WithTimeout(context.Background(), r.c.Deadline.Sub(r.now()))
}
