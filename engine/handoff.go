package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callrouter/rules"
)

func (r *runner) startHandoff(d rules.Decision) error {
	if r.memory {
		return r.evaluationFailed(fmt.Errorf("rule %q: no agent can be reserved: %w", d.Rule, errStore))
	}
	if _, ok := r.f.Queue(d.Queue); !ok {
		return r.passOn(d, fmt.Sprintf("the queue %q is not in the rules file", d.Queue))
	}
	r.draft.Step = &Handoff{Queue: d.Queue, Ring: d.Ring, Wait: d.Wait, Joined: r.at}
	r.draft.Next = d.Index
	return r.handoff()
}

// evaluationFailed takes on_error: what cannot be evaluated or reserved is never read as "nobody".
func (r *runner) evaluationFailed(err error) error {
	r.e.problem("evaluation", "the rules could not be carried out; on_error is taken", err, "call", r.c.Key())
	d := r.f.OnError(err)
	c := r.view().Clone() // with the rules that were looked at and are not written yet
	c.Step = nil
	var more []rules.Trace
	if !c.markTrace(rules.Errored, err.Error()) {
		more = append(more, rules.Trace{Result: rules.Errored, Why: err.Error(), At: r.now()})
	}
	r.at, r.facts, r.draft = r.now(), rules.Facts{}, c
	return r.take(d, more)
}

// markTrace notes of the rule that decided last what became of it, and says whether there is one.
func (c *Call) markTrace(result rules.Result, why string) bool {
	for i, t := range slices.Backward(c.Trace) {
		if t.Rule == c.Rule && t.Result == rules.Decided {
			c.Trace[i].Result, c.Trace[i].Why = result, why
			return true
		}
	}
	return false
}

// handoff takes the next step of the hand-off in hand: it rings the next agent, waits for one, or passes on.
func (r *runner) handoff() error {
	for busy := 0; ; {
		now := r.now()
		switch {
		case r.memory: // nobody can be reserved
			return r.endHandoff()
		case r.c.rangOut(now): // before all else: an offer that rang until the end of all ringing was missed too
			if err := r.ranOut(now); err != nil {
				return err
			}
			continue
		case !now.Before(r.cut()):
			return r.passOn(r.stepDecision(), "the answer window leaves no more time to ring")
		case r.c.pending():
			if err := r.ring(); err != nil {
				return err
			}
			continue
		case r.cut().Sub(now) < minRing:
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
			if err := r.await(r.cut()); err != nil {
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

// reservationFailed is on_error for a reservation that the store cannot make.
func (r *runner) reservationFailed(err error) error {
	if r.e.lapsed() {
		return err
	}
	c := r.view().Clone()
	r.toMemory(c)
	return r.evaluationFailed(fmt.Errorf("rule %q: no agent can be reserved: %w", c.Rule, err))
}

// stepDecision is the decision whose hand-off is in hand.
func (r *runner) stepDecision() rules.Decision {
	c := r.view()
	return rules.Decision{Action: rules.Handoff, By: rules.ByRule, Rule: c.Rule, Index: c.Next, Queue: c.Queue}
}

// ring waits while offers are pending, until the first of: an answer, every one declined or rung out, the caller's end,
// and the end of the time for ringing.
func (r *runner) ring() error {
	until := r.cut()
	for _, o := range r.c.Offers {
		if o.Result == "" && o.RingsUntil.Before(until) {
			until = o.RingsUntil
		}
	}
	return r.await(until)
}

// rangOut says whether an offer of the call has rung to its end.
func (c *Call) rangOut(now time.Time) bool {
	return slices.ContainsFunc(c.Offers, func(o Offer) bool { return o.Result == "" && !now.Before(o.RingsUntil) })
}

// await sleeps until an instant, a change of the call, or a look in between.
func (r *runner) await(until time.Time, topics ...string) error {
	wake, cancel := r.e.hub.subscribe(append(topics, TopicCall(r.c.Key()))...)
	defer cancel()
	c, err := r.read() // what happened before the subscription was in place
	switch {
	case err != nil:
		return r.lookFailed(err)
	case c.Rev != r.c.Rev:
		r.c = c
		return errChanged
	}
	t := time.NewTimer(min(until.Sub(r.now()), r.e.Timing.Poll))
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-r.e.ctx.Done():
		return context.Canceled
	}
	c, err = r.read()
	switch {
	case err != nil:
		return r.lookFailed(err)
	case c.Rev != r.c.Rev:
		r.c = c
		return errChanged
	}
	return nil
}

// lookFailed lets a short absence of the store pass: a phone that rings goes on ringing, a call that waits goes on waiting.
func (r *runner) lookFailed(err error) error {
	if r.e.sinceBeat() < r.e.Timing.Lease*2/3 {
		r.pause(100 * time.Millisecond)
		return nil
	}
	return errors.Join(errStore, err)
}

// ranOut notes the offers that rang to their end.
func (r *runner) ranOut(now time.Time) error {
	queue, _ := r.f.Queue(r.c.Step.Queue)
	cut := !now.Before(r.cut())
	snap, err := r.snapshot(queue)
	switch {
	case err != nil && cut: // the default cannot wait until it is known who was connected
		return r.passOn(r.stepDecision(), "the answer window leaves no more time to ring")
	case err != nil:
		return r.lookFailed(err)
	}
	var missed []string
	err = r.write(func(n *Call) {
		missed = nil
		for i := range n.Offers {
			o := &n.Offers[i]
			if o.Result != "" || o.RingsUntil.After(now) {
				continue
			}
			o.Result, o.ResultAt = OfferUnreachable, now
			if snap.Agents[o.Agent].Connected {
				o.Result = OfferMissed
				missed = append(missed, o.Agent)
			}
			n.Holds = slices.DeleteFunc(n.Holds, func(h Hold) bool { return h.Agent == o.Agent })
		}
		n.Due = now
	})
	if err != nil {
		return err
	}
	offers := make([]string, len(missed))
	for i, agent := range missed {
		offers[i] = r.c.lastOffer(agent)
	}
	count := func(context.Context) {
		for i, agent := range missed {
			r.e.missed(agent, offers[i], queue)
		}
	}
	if cut { // nor until it is counted
		r.e.background(count)
	} else {
		count(nil)
	}
	return nil
}

// missed counts an offer that an agent let ring out, and sets the silent agent away.
func (e *Engine) missed(agent, offer string, q rules.Queue) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.StoreWait)
	defer cancel()
	reason := fmt.Sprintf("missed %d calls in a row", q.AwayAfter)
	n, err := e.Store.Missed(ctx, agent, offer, q.AwayAfter, reason)
	if err != nil {
		e.problem("store", "a missed offer could not be counted", err, "agent", agent)
		return
	}
	if q.AwayAfter > 0 && n >= q.AwayAfter {
		e.log.Warn("an agent was set away", "agent", agent, "reason", reason)
	}
}

func (r *runner) snapshot(q rules.Queue) (Snapshot, error) {
	return r.e.look(Query{Agents: q.Agents, Queues: []string{q.Name}})
}

// offerNext rings whoever is next, or waits for somebody to be free. It passes on when everybody has been rung, or the
// time to wait is over.
func (r *runner) offerNext(now time.Time) error {
	step := r.view().Step
	queue, ok := r.f.Queue(step.Queue)
	if !ok {
		return r.passOn(r.stepDecision(), fmt.Sprintf("the queue %q is not in the rules file", step.Queue))
	}
	rung := rungAgents(r.view())
	left := slices.DeleteFunc(slices.Clone(queue.Agents), func(a string) bool { return slices.Contains(rung, a) })
	if len(left) == 0 {
		return r.passOn(r.stepDecision(), "every agent of the queue was rung, nobody picked up")
	}
	snap, err := r.snapshot(queue)
	if err != nil {
		return r.lookFailed(err)
	}
	alive, err := r.e.alive()
	if err != nil {
		return r.lookFailed(err)
	}
	free := order(queue.Strategy, r.candidates(left, snap, now))
	free = r.yieldToEarlier(free, snap.Queues[queue.Name], alive)
	if len(free) > 0 {
		return r.offer(queue, free, snap.Revs[queue.Name], now)
	}
	return r.waitForAgent(now, snap.freed(left, now), queue.Agents, len(rung) > 0)
}

// leastLook is the shortest time between two looks of a call that waits for a lease to end: the store's clock, by which
// it does, may be a little behind.
const leastLook = 100 * time.Millisecond

// freed is when one of some agents next has a slot free by itself, as after a wrap-up: the end of a lease wakes nobody.
// It is zero if none has.
func (s Snapshot) freed(agents []string, now time.Time) (first time.Time) {
	for _, name := range agents {
		for _, slot := range s.Agents[name].Slots {
			if first.IsZero() || slot.Until.Before(first) {
				first = slot.Until
			}
		}
	}
	if soon := now.Add(leastLook); !first.IsZero() && first.Before(soon) {
		return soon
	}
	return first
}

func (e *Engine) alive() ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.StoreWait)
	defer cancel()
	return e.Store.Alive(ctx)
}

func rungAgents(c *Call) []string {
	var names []string
	for _, o := range c.Offers {
		names = append(names, o.Agent)
	}
	return names
}

// candidate is an agent who could be rung now.
type candidate struct {
	agent    string
	capacity int // by the rules
	state    AgentState
}

// candidates are those of some agents who are free. One whom a reload has taken out gets no more calls, also none that began
// before.
func (r *runner) candidates(names []string, s Snapshot, now time.Time) []candidate {
	var free []candidate
	for _, name := range names {
		a, state := s.Agents[name], s.Agents[name]
		file, ok := r.f.Agent(name)
		if ok && r.e.employs(name) && a.Available() && len(a.Slots) < a.capacity(file.Capacity, now) {
			free = append(free, candidate{agent: name, capacity: file.Capacity, state: state})
		}
	}
	return free
}

// order sorts agents who are free by the queue's strategy; agents who are equal keep the order of the rules file.
func order(s rules.Strategy, free []candidate) []candidate {
	switch s {
	case rules.LongestIdle:
		slices.SortStableFunc(free, func(a, b candidate) int { return a.state.IdleSince.Compare(b.state.IdleSince) })
	case rules.RoundRobin:
		slices.SortStableFunc(free, func(a, b candidate) int { return a.state.OfferedAt.Compare(b.state.OfferedAt) })
	case rules.LeastBusy:
		slices.SortStableFunc(free, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(len(a.state.Slots), len(b.state.Slots)), a.state.IdleSince.Compare(b.state.IdleSince))
		})
	}
	return free
}

// yieldToEarlier leaves out agents that a call which waits longer in the same queue can have. A waiting call whose
// instance is gone does not count: it is taken over in a moment. One whose instance has left it is taken at once, and counts.
func (r *runner) yieldToEarlier(free []candidate, waiters []Waiter, alive []string) []candidate {
	c := r.view()
	for _, w := range waiters {
		// Of two that came at one instant it is the one with the smaller key, or neither would go on.
		later := cmp.Or(w.Joined.Compare(c.Step.Joined), cmp.Compare(w.Key, c.Key())) >= 0
		if later || w.Owner != "" && !slices.Contains(alive, w.Owner) {
			continue
		}
		// The earlier call takes one agent; it is the first it may have.
		if i := slices.IndexFunc(free, func(f candidate) bool { return w.mayRing(f.agent) }); i >= 0 {
			free = slices.Delete(free, i, i+1)
		}
	}
	return free
}

// offer rings the first free agent, or with ring_all every one. Taking the slots and writing the offers is one step, and
// it fails if a call began to wait since the agents were looked at: that call may have been here first.
func (r *runner) offer(q rules.Queue, free []candidate, seen int64, now time.Time) error {
	if q.Strategy != rules.RingAll {
		free = free[:1]
	}
	err := r.write(func(n *Call) {
		until := now.Add(n.Step.Ring)
		if cut := r.cut(); until.After(cut) {
			until = cut
		}
		for _, f := range free {
			n.Offers = append(n.Offers, Offer{
				ID: fmt.Sprintf("%s-%d", n.Key(), len(n.Offers)+1), Agent: f.agent, Queue: q.Name, At: now, RingsUntil: until,
			})
			n.Holds = append(n.Holds, Hold{Agent: f.agent, Kind: HoldRinging, Capacity: f.capacity, Until: until.Add(ringGrace)})
		}
		n.stopWaiting(now)
		n.Step.Seen = seen
		n.WrapUp, n.Due = q.WrapUp, now
		n.to(Offered, now, "")
	})
	if err == nil {
		r.log.Info("call offered", "queue", q.Name, "agent", free[0].agent, "agents", len(free))
	}
	return err
}

// stopWaiting takes the time that was waited off what is left.
func (c *Call) stopWaiting(now time.Time) {
	if !c.Step.Since.IsZero() {
		c.Step.Wait -= now.Sub(c.Step.Since)
		c.Step.Since = time.Time{}
	}
}

// waitForAgent waits its turn, as long as the rule allows, and looks again when a slot becomes free by itself.
func (r *runner) waitForAgent(now, freed time.Time, agents []string, anyRung bool) error {
	step := r.view().Step
	until := now.Add(step.Wait)
	if !step.Since.IsZero() {
		until = step.Since.Add(step.Wait)
	}
	if cut := r.cut().Add(-minRing); until.After(cut) {
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
		if !freed.IsZero() && freed.Before(until) {
			until = freed
		}
		return r.await(until, TopicSlots)
	}
	return r.write(func(n *Call) {
		n.Step.Since, n.Step.Agents, n.Due = now, agents, now
		n.to(Waiting, now, "")
	})
}
