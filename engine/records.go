package engine

import (
	"context"
	"errors"
	"time"
)

// records is how a runner reads and writes the record of its call, and does what depends on where that record is.
// There are two implementations: inStore, and inMemory for when the store cannot be reached. A runner changes from
// inStore to inMemory at most once and never back: the call would otherwise go on from a record that the store has
// only in part.
type records interface {
	// read returns the record as it is now.
	read(r *runner) (*Call, error)
	// write changes the record. It returns errChanged if somebody else changed it first; r.c is then the record as it
	// is now, and the runner decides again. With a store that fails it may block for a few times StoreWait.
	write(r *runner, change func(n *Call)) error
	// reachable returns errStore if facts cannot be read and agents cannot be reserved, nil otherwise.
	reachable() error
	// hangUp ends an active call whose audio is over.
	hangUp(r *runner, why string, o Outcome) error
	// tryHangUp makes one attempt at the hang-up in the record; the sweep retries.
	tryHangUp(r *runner)
	// leave offers a ringing call to other instances, because this one stops.
	leave(r *runner)
}

// inStore: the record is in the store.
type inStore struct{}

// inMemory: the store is away, and the replica keeps the record until it is back. Rules that need the store take
// on_error, and no agent can be reserved.
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

// write retries for StoreWait while the store is away. Then it depends on the step. A step that takes a slot fails
// with errStore, since the slot may be another call's. A step that only records a decision goes on in memory: its
// write may still land, so no other decision may follow. A result of Positus is kept in any case.
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
		r.e.report(
			"store",
			"the store went away; the call goes on, and its record is kept in memory until the store is back; "+
				"check the store",
			err,
			"call",
			next.Key(),
		)
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
	c, err := r.e.hangUp(ctx, r.c.Key(), HangUp{Why: why, Outcome: o})
	if c != nil {
		r.c = c
	}
	if err != nil && !errors.Is(err, ErrNotActive) {
		r.log.Warn(
			"Positus has not confirmed the hang-up; the call counts as active, and the sweep retries",
			"error",
			err,
		)
	}
	return nil
}

func (inMemory) hangUp(r *runner, why string, o Outcome) error {
	r.hangUpBestEffort()
	return r.end(o, why)
}

func (inStore) tryHangUp(r *runner)  { _, _ = r.e.tryHangUp(r.c) } // it reports its own errors
func (inMemory) tryHangUp(r *runner) { r.hangUpBestEffort() }

// leave clears the owner, so that the caller does not wait for other work of this instance. A call that no instance
// takes continues with the next start.
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
		r.log.Warn(
			"cannot leave the ringing call to another instance now; one takes it over once this instance has stopped",
			"error",
			err,
		)
	}
}

// leave does nothing: no other instance can read the record. The call continues with the next start.
func (inMemory) leave(*runner) {}
