package engine

import (
	"context"
	"errors"
	"time"
)

// records is how a runner reads and writes the record of its call, and what depends on that. There are two: inStore, and
// inMemory while the store cannot be reached. A runner begins with one of them, and changes from inStore to inMemory at
// most once: a decision that was made without the store is not given back to it half done.
type records interface {
	// read returns the record as it is now.
	read(r *runner) (*Call, error)
	// write changes the record. errChanged means that somebody else did, and r.c is what it is now.
	write(r *runner, change func(n *Call)) error
	// reachable returns nil if facts can be asked for and agents be reserved, errStore otherwise.
	reachable() error
	// hangUp ends an active call whose audio is over.
	hangUp(r *runner, why string, o Outcome) error
	// tryHangUp makes one attempt at the hang-up that the record asks for; the sweep goes on trying.
	tryHangUp(r *runner)
	// leave offers a call that still rings to other instances, since this one stops.
	leave(r *runner)
}

// inStore: the record is in the store.
type inStore struct{}

// inMemory: the store is away, and the record is kept in the replica until it is back. Rules that need the store take
// on_error, and nobody can be reserved.
type inMemory struct{}

func (inStore) reachable() error  { return nil }
func (inMemory) reachable() error { return errStore }

func (inStore) read(r *runner) (*Call, error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.StoreWait)
	defer cancel()
	c, err := r.e.Store.Get(ctx, r.c.Key())
	lost := errors.Is(err, ErrNotFound) || err == nil && c.Rev < r.c.Rev
	if !lost || r.c.Rev == 0 {
		return c, err
	}
	if err := r.e.Store.Reassert(ctx, r.c); err != nil { // an instance that has a newer record does the same
		return nil, err
	}
	return r.e.Store.Get(ctx, r.c.Key())
}

func (inMemory) read(r *runner) (*Call, error) { return r.e.replica.keptCall(r.c.Key()), nil }

// write keeps trying for a moment while the store is away. After that a step that only records what was decided goes on
// in memory, so that a decision whose write had no reply is never followed by another one. A step that takes a slot fails
// with errStore, since nobody can say whether the slot is taken. What Positus did is kept in any case: it happened.
func (inStore) write(r *runner, change func(n *Call)) error {
	next := r.view().Clone()
	change(next)
	next.Owner = r.e.instance
	for p := (patience{}); ; {
		ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.StoreWait)
		c, err := r.e.update(ctx, r.c, next)
		cancel()
		switch {
		case err == nil:
			r.c, r.draft = c, nil
			return nil
		case errors.Is(err, ErrBusy):
			return err
		case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound):
			if err = r.reread(); !errors.Is(err, errStore) || !next.acted() {
				return err
			}
		case !p.spent(r.e.uptime(), r.e.Timing.StoreWait):
			r.pause(50 * time.Millisecond)
			continue
		case (r.takesSlot(next) || r.e.leaseOver()) && !next.acted():
			return errors.Join(errStore, err)
		}
		r.e.report("store", "the store went away: the record is kept in memory until it is back", err, "call", next.Key())
		r.moveToMemory(next)
		return nil
	}
}

func (inMemory) write(r *runner, change func(n *Call)) error {
	draft, changed := r.draft, false
	r.draft = nil
	c := r.e.replica.change(r.c.Key(), func(n *Call) {
		if n.State == Ended && r.c.State != Ended { // the caller hung up meanwhile
			return
		}
		if draft != nil {
			end := n.CallerEnd
			*n = *draft
			n.CallerEnd = end
		}
		change(n)
		changed = true
	})
	if c != nil {
		r.c = c
	}
	if !changed {
		return errChanged
	}
	r.reassertLater()
	return nil
}

func (inStore) hangUp(r *runner, why string, o Outcome) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.MediaWait)
	defer cancel()
	c, err := r.e.hangUp(ctx, r.c.Key(), why, o)
	if c != nil {
		r.c = c
	}
	if err != nil && !errors.Is(err, ErrNotActive) {
		r.log.Warn("the hang-up is not confirmed yet; the sweep goes on trying", "error", err)
	}
	return nil
}

func (inMemory) hangUp(r *runner, why string, o Outcome) error {
	r.hangUpBestEffort()
	return r.end(o, why)
}

func (inStore) tryHangUp(r *runner)  { _, _ = r.e.tryHangUp(r.c) } // it reports its own errors
func (inMemory) tryHangUp(r *runner) { r.hangUpBestEffort() }

// leave: the caller cannot wait for the other work that this instance may have to finish. A call that nobody takes goes on
// with the next start.
func (inStore) leave(r *runner) {
	ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.StoreWait)
	defer cancel()
	_, err := r.e.modify(ctx, r.c.Key(), func(n *Call) error {
		if n.Owner != r.e.instance || !n.State.Ringing() {
			return errUnchanged
		}
		n.Owner, n.Due = "", r.now()
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		r.log.Warn("the call could not be left to another instance, which takes it once this one has stopped", "error", err)
	}
}

// leave: nobody else can read the record; the call goes on with the next start.
func (inMemory) leave(*runner) {}
