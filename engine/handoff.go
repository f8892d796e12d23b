package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callrouter/rules"
)

func (r *runner) startHandoff(d rules.Decision) error {
	if err := r.records.reachable(); err != nil {
		return r.evaluationFailed(fmt.Errorf("rule %q: no agent can be reserved: %w", d.Rule, err))
	}
	if _, ok := r.f.Queue(d.Queue); !ok {
		return r.passOn(d, fmt.Sprintf("the queue %q is not in the rules file", d.Queue))
	}
	r.draft.Step = &Handoff{Queue: d.Queue, Ring: d.Ring, Wait: d.Wait, Joined: r.at}
	r.draft.Next = d.Index
	return r.handoff()
}

// evaluationFailed carries out on_error. A failed evaluation or reservation never counts as "nobody is free".
func (r *runner) evaluationFailed(err error) error {
	r.e.report("evaluation", "the rules could not be carried out; the call takes on_error; "+
		"see the error for the rule and the cause", err, "call", r.c.Key())
	d := r.f.OnError(err)
	c := r.view().Clone() // with the trace that is not written yet
	c.Step = nil
	var more []rules.Trace
	if !c.markTrace(rules.Errored, err.Error()) {
		more = append(more, rules.Trace{Result: rules.Errored, Why: err.Error(), At: r.now()})
	}
	r.at, r.facts, r.draft = r.now(), rules.Facts{Err: r.records.reachable()}, c
	return r.carryOut(d, more)
}

// markTrace sets the result of the rule that decided last, and reports whether there is one.
func (c *Call) markTrace(result rules.Result, why string) bool {
	for i, t := range slices.Backward(c.Trace) {
		if t.Rule == c.Rule && t.Result == rules.Decided {
			c.Trace[i].Result, c.Trace[i].Why = result, why
			return true
		}
	}
	return false
}

// handoff takes the next step of the hand-off: it rings the next agent, waits for one, or passes on to the next rule.
func (r *runner) handoff() error {
	for busy := 0; ; {
		now := r.now()
		switch {
		case r.records.reachable() != nil: // nobody can be reserved
			return r.endHandoff()
		case r.c.hasRungOut(now): // before all else: an offer that rang until the end of all ringing was missed too
			if err := r.endRungOut(now); err != nil {
				return err
			}
			continue
		case !now.Before(r.ringingEnds()):
			return r.passOn(r.stepDecision(), "the answer window leaves no more time to ring")
		case r.c.pending():
			if err := r.ring(); err != nil {
				return err
			}
			continue
		case r.ringingEnds().Sub(now) < minRing:
			return r.passOn(r.stepDecision(), "too little of the answer window is left to ring anybody")
		}
		err := r.offerNext(now)
		switch {
		case errors.Is(err, ErrBusy): // somebody else was faster: look again
			if busy++; busy > 1 { // or this machine's clock and the store's differ
				r.pause(20 * time.Millisecond)
			}
			continue
		case errors.Is(err, ErrGate): // it is over in a moment, and then somebody may be free
			r.e.Observer.Error("gate")
			if err := r.await(r.ringingEnds()); err != nil {
				return err
			}
			continue
		case errors.Is(err, errStore):
			return r.reservationFailed(err)
		case err != nil || !r.c.State.Ringing() || r.c.State == Deciding:
			return err
		}
	}
}

// reservationFailed carries out on_error when the store cannot reserve an agent.
func (r *runner) reservationFailed(err error) error {
	if r.e.leaseOver() {
		return err
	}
	c := r.view().Clone()
	r.moveToMemory(c)
	return r.evaluationFailed(fmt.Errorf("rule %q: no agent can be reserved: %w", c.Rule, err))
}

// stepDecision returns the decision that began the present hand-off.
func (r *runner) stepDecision() rules.Decision {
	c := r.view()
	return rules.Decision{Action: rules.Handoff, By: rules.ByRule, Rule: c.Rule, Index: c.Next, Queue: c.Queue}
}

// await sleeps until an instant, a change of the call, or a look in between.
func (r *runner) await(until time.Time) error {
	return r.sleep(min(until.Sub(r.now()), r.e.Timing.Poll), nil)
}

// awaitTurn sleeps until an instant, a change of the call, or until it may be the call's turn in a queue.
func (r *runner) awaitTurn(until time.Time, queue string) error {
	turn, leave := r.e.dispatchers.join(r, queue)
	defer leave()
	return r.sleep(until.Sub(r.now()), turn)
}

// sleep returns errChanged if the call was changed meanwhile.
func (r *runner) sleep(d time.Duration, turn <-chan *queueLook) error {
	wake, cancel := r.e.hub.subscribe(TopicCall(r.c.Key()))
	defer cancel()
	if same, err := r.unchanged(); !same { // what happened before the subscription was in place
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case r.look = <-turn:
	case <-r.e.ctx.Done():
		return context.Canceled
	}
	_, err := r.unchanged()
	return err
}

// unchanged reads the record and reports whether it is the same as before; errChanged if it is another one.
func (r *runner) unchanged() (same bool, err error) {
	c, err := r.records.read(r)
	switch {
	case err != nil:
		return false, r.lookFailed(err)
	case c.Rev != r.c.Rev || c.Write != r.c.Write: // a store that lost writes may have the revision anew
		r.c = c
		return false, errChanged
	}
	return true, nil
}

// askAgain is how long nobody asks a store that failed.
const askAgain = 100 * time.Millisecond

// awayShortly reports whether a store that fails has worked a moment ago, so that calls may wait for it.
func (e *Engine) awayShortly() bool { return e.sinceBeat() < e.Timing.Lease*2/3 }

// lookFailed bridges a short outage of the store: phones keep ringing and calls keep waiting. It returns errStore once
// other instances may soon count this one as gone.
func (r *runner) lookFailed(err error) error {
	if r.e.awayShortly() {
		r.pause(askAgain)
		return nil
	}
	return errors.Join(errStore, err)
}

func (r *runner) queueSnapshot(q rules.Queue) (Snapshot, error) {
	return r.e.snapshot(Query{Agents: q.Agents, Queues: []string{q.Name}})
}

// offerNext rings the next free agent, or waits for one. It passes on to the next rule when every agent has been rung
// or the waiting time is over.
func (r *runner) offerNext(now time.Time) error {
	step := r.view().Step
	queue, ok := r.f.Queue(step.Queue)
	if !ok {
		return r.passOn(r.stepDecision(), fmt.Sprintf("the queue %q is not in the rules file", step.Queue))
	}
	rung := rungAgents(r.view())
	left := slices.DeleteFunc(slices.Clone(queue.Agents), func(a string) bool { return slices.Contains(rung, a) })
	if len(left) == 0 {
		return r.passOn(r.stepDecision(), "every agent of the queue was rung, and nobody picked up")
	}
	look, err := r.lookAt(queue, left)
	if err != nil {
		return r.lookFailed(err)
	}
	free := order(queue.Strategy, r.candidates(left, look.snap))
	free = r.yieldToEarlier(free, look.snap.Queues[queue.Name], look.alive)
	if len(free) > 0 {
		return r.offer(queue, free, look.snap.Revs[queue.Name], now)
	}
	return r.waitForAgent(now, queue.Name, len(rung) > 0)
}

// lookAt reads a queue, unless its dispatcher has just done so. Where none of the agents is free, it does not read who
// waits: most calls come while all agents are busy, and then their number must not matter.
func (r *runner) lookAt(q rules.Queue, agents []string) (*queueLook, error) {
	look := r.look
	r.look = nil
	if look != nil && look.queue == q.Name && r.now().Sub(look.at) < freshLook {
		return look, nil
	}
	look = &queueLook{queue: q.Name, at: r.now()}
	var err error
	look.snap, err = r.e.snapshot(Query{Agents: agents})
	if err != nil || len(r.candidates(agents, look.snap)) == 0 {
		return look, err
	}
	if look.snap, err = r.queueSnapshot(q); err == nil {
		look.alive, err = r.e.alive()
	}
	return look, err
}

// stopWaiting subtracts the time waited from the waiting time that is left.
func (c *Call) stopWaiting(now time.Time) {
	if !c.Step.Since.IsZero() {
		c.Step.Wait -= now.Sub(c.Step.Since)
		c.Step.Since = time.Time{}
	}
}

// waitForAgent waits as long as the rule allows for an agent to be free. It looks again at freed, when a lease ends and
// frees a slot.
func (r *runner) waitForAgent(now time.Time, queue string, anyRung bool) error {
	step := r.view().Step
	until := now.Add(step.Wait)
	if !step.Since.IsZero() {
		until = step.Since.Add(step.Wait)
	}
	if cut := r.ringingEnds().Add(-minRing); until.After(cut) {
		until = cut
	}
	if !now.Before(until) {
		why := "nobody was free"
		if anyRung {
			why = "nobody picked up, and nobody else was free"
		}
		return r.passOn(r.stepDecision(), why)
	}
	if r.c.State == Waiting && r.draft == nil {
		return r.awaitTurn(until, queue)
	}
	err := r.write(func(n *Call) {
		n.Step.Since, n.Due = now, n.lateAfter(r.e.Timing)
		n.to(Waiting, now, "")
	})
	if err != nil || r.c.State != Waiting {
		return err
	}
	return r.awaitTurn(until, queue)
}
