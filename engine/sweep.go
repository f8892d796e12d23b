package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callrouter/rules"
)

const (
	sweepBatch = 10_000
	// hangUpFor is how long a hang-up is tried. No call of WhatsApp is as long, so the record is wrong by then, or Positus is.
	hangUpFor = 24 * time.Hour
)

// Sweep looks at every live call whose time has come: calls whose instance is gone are taken over, calls past their
// answer window or their longest duration are ended, and hang-ups that are not confirmed are tried again. It is a job:
// every instance runs it, and since each step is a compare-and-set, two at once are harmless.
func (e *Engine) Sweep(ctx context.Context) error {
	alive, err := e.Store.Alive(ctx)
	if err != nil {
		e.sweepAlone()
		return fmt.Errorf("sweep: %w", err)
	}
	e.alone.clear()
	keys, err := e.Store.Due(ctx, e.Now(), sweepBatch)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	var errs []error
	for _, key := range keys {
		if ctx.Err() != nil || e.ctx.Err() != nil { // an instance that stops leaves calls to others, itself included
			break
		}
		if _, ringing := e.running(key); ringing { // in good hands, and not worth a look at the record
			continue
		}
		if err := e.sweepCall(ctx, key, alive); err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, errUnchanged) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Verdict is what the sweep would do with a call.
type Verdict struct {
	Call *Call
	Do   string // "take over", "hang up", "hang up again", "end", "" for nothing
	Why  string
}

// Stale says what the sweep would do now, and why, without doing it.
func (e *Engine) Stale(ctx context.Context) ([]Verdict, error) {
	alive, err := e.Store.Alive(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := e.Store.Due(ctx, e.Now(), sweepBatch)
	if err != nil {
		return nil, err
	}
	var vs []Verdict
	for _, key := range keys {
		if _, ringing := e.running(key); ringing {
			continue
		}
		c, err := e.Store.Get(ctx, key)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if v := e.judge(c, alive); v.Do != "" {
			vs = append(vs, v)
		}
	}
	return vs, nil
}

// The things a sweep does.
const (
	doTakeOver = "take over"
	doHangUp   = "hang up"
	doAgain    = "hang up again"
	doEnd      = "end"
	doLook     = "" // only the agent's presence is noted
)

// judge says what is to be done about a call whose Due has come.
func (e *Engine) judge(c *Call, alive []string) Verdict {
	now := e.Now()
	// A store that forgot who lives, this instance too, or that was away, is no witness of a death.
	ownerGone := !slices.Contains(alive, c.Owner) && slices.Contains(alive, e.instance) && e.sure()
	late := now.After(c.Deadline.Add(e.Timing.Lease))
	if c.Owner == e.instance { // between its write and its runner there is a moment
		running, _ := e.running(c.Key())
		kept := e.journal.get(c.Key())
		switch {
		case running, kept != nil && !kept.Live(): // what is known of it here is on its way to the store
			ownerGone = false
		default:
			ownerGone = late || now.Sub(c.Due) > e.Timing.StoreWait && e.sure() && kept == nil
		}
	}
	ownerGone = ownerGone || c.Owner == "" // it stopped, and left the call
	switch {
	case c.State == Ended:
	case c.HangUp != nil && now.Sub(c.HangUp.Since) >= hangUpFor:
		return Verdict{c, doEnd, fmt.Sprintf("Positus has not confirmed the hang-up for %s: %s", hangUpFor, c.HangUp.Error)}
	case c.HangUp != nil:
		return Verdict{c, doAgain, fmt.Sprintf("the hang-up is not confirmed after %d attempts: %s", c.HangUp.Attempts, c.HangUp.Error)}
	case c.State == Accepting && ownerGone && late:
		return Verdict{c, doHangUp, "the answer window passed, and whether Positus took the accept is not known"}
	case c.State != Active && ownerGone && late:
		return Verdict{c, doEnd, "the answer window passed and nobody carried the action out"}
	case c.State != Active && ownerGone:
		return Verdict{c, doTakeOver, "the instance that had it is gone"}
	case c.State != Active:
	case !now.Before(c.ActiveAt.Add(c.MaxCall)):
		return Verdict{c, doHangUp, fmt.Sprintf("longer than max_call (%s)", c.MaxCall)}
	case c.played() && ownerGone:
		return Verdict{c, doHangUp, "the process that played the audio is gone"}
	case !c.AgentGone.IsZero() && now.Sub(c.AgentGone) >= e.Timing.AgentGone && e.employs(c.Agent):
		return Verdict{c, doHangUp, fmt.Sprintf("agent %s has not been connected for %s", c.Agent, e.Timing.AgentGone)}
	}
	return Verdict{Call: c, Do: doLook}
}

// employs says whether the rules in force have an agent.
func (e *Engine) employs(agent string) bool {
	_, ok := e.Rules().Agent(agent)
	return ok
}

// played says whether a process of ours sends the audio of this call.
func (c *Call) played() bool { return c.Action == rules.Accept && c.Local }

func (e *Engine) sweepCall(ctx context.Context, key string, alive []string) error {
	c, err := e.Store.Get(ctx, key)
	if err != nil {
		return err
	}
	if e.Now().Before(c.Due) { // another instance was faster
		return nil
	}
	v := e.judge(c, alive)
	switch v.Do {
	case doEnd:
		n, err := e.modify(ctx, key, func(n *Call) error {
			if n.Rev != c.Rev {
				return errUnchanged
			}
			outcome := TimedOut
			if n.HangUp != nil {
				outcome = n.HangUp.Outcome
			}
			n.end(outcome, v.Why, e.Now())
			return nil
		})
		if err == nil {
			if c.HangUp != nil {
				e.problem("hang_up", "a hang-up was given up; look at the call at Positus", errors.New(c.HangUp.Error), "call", key, "attempts", c.HangUp.Attempts)
			}
			e.ended(n)
		}
		return err
	case doTakeOver:
		return e.takeOver(ctx, c, v.Why)
	case doHangUp, doAgain:
		e.reap(ctx, c, v.Why)
		return nil
	}
	if c.State == Active && c.Agent != "" && !e.Now().Before(c.Due) {
		return e.lookAtAgent(ctx, c)
	}
	return nil
}

// reap hangs up in the background, a few calls at a time: a Positus that is slow must not keep the sweep from taking
// calls over. Without a place free it is for the next sweep.
func (e *Engine) reap(ctx context.Context, c *Call, why string) {
	select {
	case e.reaping <- struct{}{}:
	default:
		return
	}
	n, err := e.modify(ctx, c.Key(), func(n *Call) error {
		if n.Rev != c.Rev {
			return errUnchanged
		}
		now := e.Now()
		if n.HangUp == nil {
			n.HangUp = &HangUp{Why: why, Outcome: Reaped, Since: now}
			if n.State == Accepting {
				n.HangUp.Outcome = TimedOut
			}
		}
		e.claimHangUp(n, now)
		return nil
	})
	if err != nil {
		<-e.reaping
		if !errors.Is(err, errUnchanged) {
			e.problem("hang_up", "a call that must end could not be claimed; the next sweep tries again", err, "call", c.Key())
		}
		return
	}
	e.background(func(context.Context) {
		defer func() { <-e.reaping }()
		_, _ = e.tryHangUp(n) // it tells of its own errors, and the record has them
	})
}

// takeOver makes this instance the owner of a call that another one left, and goes on with it.
func (e *Engine) takeOver(ctx context.Context, c *Call, why string) error {
	f, ok := e.version(c.RulesVersion)
	n, err := e.modify(ctx, c.Key(), func(n *Call) error {
		if n.Rev != c.Rev {
			return errUnchanged
		}
		n.Owner, n.Due = e.instance, e.Now()
		n.Adopted = !n.State.Ringing() // while it rang nothing was sent
		if !ok && n.State.Ringing() {
			f = e.begin(n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if f == nil {
		f = e.Rules()
	}
	e.log.Warn("call taken over", "call", n.Key(), "state", n.State, "why", why)
	e.resume(n, f)
	return nil
}

// begin lets a call begin anew under the present rules, since those it began with are not here any more: the file was
// changed while no router ran. One that was in the middle of a cascade takes the default, so that no rule is tried twice.
func (e *Engine) begin(n *Call) *rules.File {
	f := e.Rules()
	if n.State == Waiting || n.State == Offered || n.Next > 0 {
		n.settle(OfferEnded, e.Now())
		n.Holds, n.Step = nil, nil
		n.Next = len(f.RuleNames())
		n.to(Deciding, e.Now(), "the rules it began with are not loaded any more")
	}
	n.RulesVersion = f.Version()
	return f
}

// lookAtAgent notes since when the agent of an active call is not connected.
func (e *Engine) lookAtAgent(ctx context.Context, c *Call) error {
	s, err := e.Store.Snapshot(ctx, Query{Agents: []string{c.Agent}})
	if err != nil {
		return err
	}
	_, err = e.modify(ctx, c.Key(), func(n *Call) error {
		if n.Rev != c.Rev {
			return errUnchanged
		}
		now := e.Now()
		switch {
		case s.Agents[c.Agent].Connected:
			n.AgentGone = time.Time{}
		case n.AgentGone.IsZero():
			n.AgentGone = now
		}
		n.Due = now.Add(e.Timing.AgentLook)
		if end := n.ActiveAt.Add(n.MaxCall); end.Before(n.Due) {
			n.Due = end
		}
		return nil
	})
	return err
}

// PurgeRecords returns the job that forgets records of calls that ended longer than keep ago.
func (e *Engine) PurgeRecords(keep time.Duration) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		n, err := e.Store.Purge(ctx, e.Now().Add(-keep))
		if n > 0 {
			e.log.Info("records past their retention were forgotten", "calls", n)
		}
		return err
	}
}
