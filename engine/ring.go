package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"callrouter/rules"
)

// ring waits while offers are pending: until an agent picks up, every offer is declined or rung out, the caller hangs
// up, or the time for ringing is over.
func (r *runner) ring() error {
	until := r.ringingEnds()
	for _, o := range r.c.Offers {
		if o.Result == "" && o.RingsUntil.Before(until) {
			until = o.RingsUntil
		}
	}
	return r.await(until)
}

// hasRungOut reports whether a pending offer of the call has rung to its end.
func (c *Call) hasRungOut(now time.Time) bool {
	return slices.ContainsFunc(c.Offers, func(o Offer) bool { return o.Result == "" && !now.Before(o.RingsUntil) })
}

// endRungOut gives offers that rang to their end a result: missed, or unreachable if the agent had disconnected.
func (r *runner) endRungOut(now time.Time) error {
	queue, _ := r.f.Queue(r.c.Step.Queue)
	cut := !now.Before(r.ringingEnds())
	snap, err := r.queueSnapshot(queue)
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

// offer rings the first free agent, or with ring_all every free one. It takes the slots and writes the offers in one
// step, which fails with ErrBusy if another call began to wait since the agents were read: that call may have been
// first.
func (r *runner) offer(q rules.Queue, free []candidate, seen int64, now time.Time) error {
	if q.Strategy != rules.RingAll {
		free = free[:1]
	}
	err := r.write(func(n *Call) {
		until := now.Add(n.Step.Ring)
		if cut := r.ringingEnds(); until.After(cut) {
			until = cut
		}
		for _, f := range free {
			n.Offers = append(n.Offers, Offer{
				ID: fmt.Sprintf(
					"%s-%d",
					n.Key(),
					len(n.Offers)+1,
				), Agent: f.agent, Queue: q.Name, At: now, RingsUntil: until,
			})
			n.Holds = append(
				n.Holds,
				Hold{Agent: f.agent, Kind: HoldRinging, Capacity: f.capacity, Until: until.Add(ringGrace)},
			)
		}
		n.stopWaiting(now)
		n.Step.Seen = seen
		n.WrapUp, n.Due = q.WrapUp, n.lateAfter(r.e.Timing)
		n.to(Offered, now, "")
	})
	if err == nil {
		r.log.Info("call offered", "queue", q.Name, "agent", free[0].agent, "agents", len(free))
	}
	return err
}

// missed counts an offer that rang out, and sets the agent away after too many in a row.
func (e *Engine) missed(agent, offer string, q rules.Queue) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.StoreWait)
	defer cancel()
	reason := fmt.Sprintf("missed %d calls in a row", q.AwayAfter)
	n, err := e.Store.Missed(ctx, agent, offer, q.AwayAfter, reason)
	if err != nil {
		e.report(
			"store",
			"cannot count a missed offer; the agent stays available; check the store",
			err,
			"agent",
			agent,
		)
		return
	}
	if q.AwayAfter > 0 && n >= q.AwayAfter {
		e.log.Warn("an agent was set away and gets no calls until available again", "agent", agent, "reason", reason)
	}
}
