package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callrouter/rules"
)

// Receive takes the events of one webhook. It returns once they are stored; the engine acts on them in the
// background. After an error the webhook must be sent again: the failed event had no effect.
func (e *Engine) Receive(ctx context.Context, events []Event) error {
	for _, ev := range events {
		var err error
		switch {
		case ev.Connect != nil:
			err = e.connect(ctx, ev.Connect)
		case ev.Terminate != nil:
			err = e.terminate(ctx, ev.Terminate)
		case ev.Alarm != nil:
			e.alarm(ev.Alarm)
		default:
			e.Observer.Error("unknown_event")
			e.log.Warn(
				"ignored a webhook event that this version does not know; calls go on as usual",
				"event",
				ev.Unknown,
			)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) connect(ctx context.Context, ev *Connect) error {
	if ev.Outbound {
		e.log.Info("ignored an outgoing call; only incoming calls are routed", "call", Key(ev.CallID))
		return nil
	}
	f := e.Rules()
	number, ok := f.NumberFor(ev.To)
	if !ok {
		e.Observer.Error("unknown_number")
		e.log.Warn("ignored a call to a number that the rules file does not list, so it rings until it times out; "+
			"add the number under numbers", "call", Key(ev.CallID), "number", lastDigits(ev.To))
		return nil
	}
	if e.full() {
		e.Observer.Error("too_many_calls")
		return ErrTooMany
	}
	e.alarms.inboundWorks()
	c := e.newCall(f, number, ev)
	// One webhook of a call at a time. While one waits to learn whether the store took the call, a second must not come
	// to another result.
	unlock, err := e.receiving.lock(ctx, c.Key())
	if err != nil {
		return fmt.Errorf("another webhook of the same call is still being stored; send this one again: %w", err)
	}
	defer unlock()
	if e.replica.keptCall(c.Key()) != nil {
		return nil
	}
	existing, err := e.replica.stored(c.Key()), ErrExists
	r := e.newRunner(c, f, inStore{})
	if existing == nil { // a call that this instance knows is not new, even if the store has lost it
		r.c = r.first()
		existing, err = e.insertPatiently(ctx, r.c)
	}
	if err != nil {
		r.closePlayback()
	}
	switch {
	case err == nil:
		e.inserted(r)
		return nil
	case errors.Is(err, ErrExists):
		if existing != nil && (existing.From != c.From || existing.UserID != c.UserID) && existing.State != Ended {
			e.Observer.Error("duplicate_differs")
			e.log.Warn("ignored a second connect with the id of a live call and another caller; the first call goes on",
				"call", c.Key())
		}
		return nil
	case e.StoreDown == Refuse, e.overslept(), ctx.Err() != nil: // the sender repeats it, perhaps to another instance
		return fmt.Errorf("the store cannot take the call; send the webhook again: %w", err)
	}
	return e.connectInMemory(c, f, err)
}

// inserted goes on with a call that was just stored.
func (e *Engine) inserted(r *runner) {
	r.c.Rev = 1
	switch {
	case !r.c.Live():
		e.Observer.Ended(r.c)
		return
	case r.c.State != Received:
		e.Observer.Decided(r.c, e.Now().Sub(r.c.Timestamp))
	}
	e.start(r)
}

// insertPatiently inserts a call, again while the store is away for a moment.
func (e *Engine) insertPatiently(ctx context.Context, c *Call) (existing *Call, err error) {
	for p := (patience{}); ; {
		existing, err = e.insert(ctx, c)
		switch {
		case err == nil:
			e.away.Store(0)
			return nil, nil
		case errors.Is(err, ErrExists):
			e.away.Store(0)
			if existing != nil && existing.Owner == e.instance && existing.Rev == 1 &&
				existing.ReceivedAt.Equal(c.ReceivedAt) {
				return nil, nil // an earlier attempt, whose reply was lost
			}
			return existing, err
		case !e.retryStore(ctx, &p):
			return nil, err
		}
	}
}

// connectInMemory routes a call without the store. It keeps one record, however often the webhook comes.
func (e *Engine) connectInMemory(c *Call, f *rules.File, cause error) error {
	c.Rev = 1 // the write without a reply may still land
	if running, _ := e.running(c.Key()); running || !e.replica.keepNew(c) {
		return nil
	}
	e.report("store", "the store cannot take a call; it is decided in memory and recorded once the store is back; "+
		"check the store", cause, "call", c.Key())
	if c.Live() {
		e.run(c, f, inMemory{})
	}
	return nil
}

func (e *Engine) newCall(f *rules.File, n rules.Number, ev *Connect) *Call {
	now := e.Now()
	caller := rules.NewCaller(ev.From, ev.UserID, ev.Name)
	c := &Call{
		ID: ev.CallID, Number: n.Name, PositusID: n.PositusID,
		From: ev.From, UserID: ev.UserID, Name: ev.Name, CallerKey: caller.Key(), To: ev.To,
		Payload: ev.Payload, Offer: ev.SDP,
		RulesVersion: f.Version(), ReceivedAt: now, Timestamp: ev.Timestamp,
		Due: now, Owner: e.instance, MaxCall: f.Limits().MaxCall,
		Trace: []rules.Trace{}, Facts: []FactRecord{},
	}
	// A timestamp ahead of our clock must not lengthen the window, and a clock that is wrong must not make a call
	// stale.
	if !c.Timestamp.IsZero() {
		c.Timestamp = now.Add(-max(0, min(now.Sub(ev.Timestamp), e.Clock.Wall().Sub(ev.Timestamp))))
	} else {
		c.Timestamp = now
	}
	c.Deadline = c.Timestamp.Add(f.Limits().AnswerWithin)
	c.to(Received, now, "")
	if !now.Before(c.Deadline) {
		c.end(TimedOut, fmt.Sprintf("the webhook came %s after the call began, and the answer window is %s",
			now.Sub(c.Timestamp).Round(time.Second), f.Limits().AnswerWithin), now)
	}
	return c
}

func (e *Engine) terminate(ctx context.Context, ev *Terminate) error {
	if ev.Outbound {
		return nil
	}
	now := e.Now()
	key := Key(ev.CallID)
	end := CallerEnd{At: now, Status: ev.Status, PickedUp: ev.PickedUp, Duration: ev.Duration, Codes: ev.Codes}
	unlock, err := e.receiving.lock(ctx, key)
	if err != nil {
		return fmt.Errorf("another webhook of the same call is still being stored; send this one again: %w", err)
	}
	defer unlock()
	kept := e.replica.keptCall(key)
	if kept != nil && kept.Live() && e.replica.change(key, func(c *Call) { c.callerEnded(end) }) != nil {
		e.hub.wake(TopicCall(key))
		return nil
	}
	var waited patience
	for {
		over := false
		c, err := e.modify(ctx, key, func(c *Call) error {
			over = c.State == Ended
			if over && c.acted() || c.CallerEnd != nil {
				return errUnchanged
			}
			c.callerEnded(end) // also if the call is over: another instance may know that it was answered
			return nil
		})
		switch {
		case errors.Is(err, errUnchanged):
			if waited.tries > 0 && over && c.EndedAt.Equal(end.At) { // an earlier attempt, whose reply was lost
				e.reportEnd(c)
			}
			return nil
		case err == nil:
			if c.State == Ended && !over {
				e.reportEnd(c)
			}
			return nil
		case !errors.Is(err, ErrNotFound):
			if e.retryStore(ctx, &waited) {
				continue
			}
			if kept == nil && e.foreign(ev.To) && e.replica.stored(key) == nil {
				return nil
			}
			return e.terminateInMemory(ctx, ev, end, err)
		}
		if e.foreign(ev.To) { // as was its beginning
			return nil
		}
		// The end came before the beginning: a record that is already ended makes a late connect harmless.
		_, err = e.insert(ctx, e.tombstone(ev, end))
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, ErrExists):
			return e.terminateInMemory(ctx, ev, end, err)
		}
	}
}

// foreign reports whether a call is to a number that is not in the rules. Nothing is recorded about it, but for a call
// that came before a reload took the number out. A webhook may leave the number out.
func (e *Engine) foreign(to string) bool {
	_, ours := e.Rules().NumberFor(to)
	return to != "" && !ours
}

// lastDigits returns as much of a business' number as its operator needs to know it: logs have no whole phone number.
func lastDigits(number string) string {
	const shown = 4
	if len(number) <= 2*shown {
		return number
	}
	return "…" + number[len(number)-shown:]
}

func (e *Engine) terminateInMemory(ctx context.Context, ev *Terminate, end CallerEnd, cause error) error {
	if e.StoreDown == Refuse || e.overslept() || ctx.Err() != nil {
		return fmt.Errorf("the store cannot take the end of the call; send the webhook again: %w", cause)
	}
	if e.replica.keepNew(e.tombstone(ev, end)) {
		e.hub.wake(TopicCall(Key(ev.CallID)))
		e.report("store", "the store cannot take the end of a call; it is kept in memory until the store is back; "+
			"check the store", cause, "call", Key(ev.CallID))
	} else {
		e.replica.addEnd(Key(ev.CallID), end)
		e.hub.wake(TopicCall(Key(ev.CallID)))
	}
	return nil
}

// tombstone returns the record of a call when only its end was received.
func (e *Engine) tombstone(ev *Terminate, end CallerEnd) *Call {
	caller := rules.NewCaller(ev.From, ev.UserID, "")
	c := &Call{
		ID: ev.CallID, From: ev.From, UserID: ev.UserID, CallerKey: caller.Key(), To: ev.To,
		RulesVersion: e.Rules().Version(), ReceivedAt: end.At, Timestamp: end.At, Deadline: end.At, CallerEnd: &end,
		Trace: []rules.Trace{}, Facts: []FactRecord{},
	}
	if n, ok := e.Rules().NumberFor(ev.To); ok {
		c.Number, c.PositusID = n.Name, n.PositusID
	}
	outcome := Abandoned
	if ev.PickedUp {
		outcome = Answered
	}
	c.end(outcome, "only the end of the call was received", end.At)
	return c
}

// callerEnded notes that the platform reports the end of the call. It ends the record too, unless a request is under
// way: its result tells more.
func (c *Call) callerEnded(end CallerEnd) {
	c.CallerEnd = &end
	switch {
	case c.State == Ended:
	case c.HangUp != nil:
		c.end(c.HangUp.Outcome, c.HangUp.Why, end.At)
	case c.State == Active:
		outcome, why := end.outcome()
		c.end(outcome, why, end.At)
	case c.State == Accepting, c.State == Rejecting:
	default:
		c.end(Abandoned, "the caller hung up before a decision was carried out", end.At)
	}
}

// outcome returns the outcome of an accepted call that ended this way. The platform ends a call for want of audio with
// codes of its own (Meta: troubleshooting, 138021 and 138023).
func (e *CallerEnd) outcome() (o Outcome, why string) {
	if slices.Contains(e.Codes, 138021) || slices.Contains(e.Codes, 138023) {
		return Failed, fmt.Sprintf("no audio came through (WhatsApp codes %v)", e.Codes)
	}
	return Answered, ""
}

// reportEnd counts and logs a call that has just ended.
func (e *Engine) reportEnd(c *Call) {
	e.Observer.Ended(c)
	e.log.Info("call ended", "call", c.Key(), "outcome", c.Outcome, "action", c.Action, "rule", c.Rule, "why", c.Why)
}
