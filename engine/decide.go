package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"callrouter/rules"
)

// decide evaluates the rules from where the call stands, and takes the first step of what they say.
func (r *runner) decide() error {
	now := r.now()
	if !now.Before(r.c.Deadline) {
		return r.end(TimedOut, "the answer window had passed before it could be decided")
	}
	d, trace := r.evaluate(now)
	return r.take(d, trace)
}

// evaluate asks the rules, with one instant, and with the facts they turn out to need.
func (r *runner) evaluate(now time.Time) (rules.Decision, []rules.Trace) {
	r.at, r.wall, r.facts, r.runtime = now, r.e.Clock.Wall(), rules.Facts{}, r.e.runtime.Load()
	if r.c.Next > 0 && !now.Before(r.cut()) {
		return r.f.Default(), nil
	}
	if r.memory {
		r.facts.Err = errStore
	}
	for {
		in := r.input()
		d, needs := r.f.Decide(in, r.c.Next)
		if needs.None() {
			_, trace, _ := r.f.Explain(in, r.c.Next)
			return d, trace
		}
		r.facts = r.e.facts(r.f, r.c, needs, r.facts)
	}
}

// input is the call as the rules see it, at the instant and with the facts of the present evaluation.
func (r *runner) input() rules.Input {
	call := rules.Call{
		Caller: rules.NewCaller(r.c.From, r.c.UserID, r.c.Name), Number: r.c.Number, Payload: r.c.Payload,
	}
	return r.f.Input(call, r.wall, r.runtime, r.facts)
}

// facts asks the store for what an evaluation needs, in one round trip.
func (e *Engine) facts(f *rules.File, c *Call, needs rules.Needs, known rules.Facts) rules.Facts {
	q := Query{Queues: needs.Queues, Lists: needs.Lists, Caller: c.CallerKey, Calls: needs.Calls, Except: c.Key()}
	for _, name := range needs.Queues {
		if queue, ok := f.Queue(name); ok {
			q.Agents = append(q.Agents, queue.Agents...)
		}
	}
	slices.Sort(q.Agents)
	q.Agents = slices.Compact(q.Agents)
	snap, err := e.look(q)
	for p := (patience{}); err != nil && e.again(context.Background(), &p); {
		snap, err = e.look(q)
	}
	if err != nil {
		e.problem("facts", "the store could not be asked for what a rule needs", err, "call", c.Key())
		known.Err = fmt.Errorf("%w: %w", errStore, err)
		return known
	}
	facts := rules.Facts{Listed: map[string]bool{}, Queues: map[string]rules.QueueFacts{}, Calls: map[time.Duration]int{}}
	for name, qf := range known.Queues {
		facts.Queues[name] = qf
	}
	for name, listed := range known.Listed {
		facts.Listed[name] = listed
	}
	for d, n := range known.Calls {
		facts.Calls[d] = n
	}
	for _, name := range needs.Lists {
		facts.Listed[name] = snap.Listed[name]
	}
	for _, d := range needs.Calls {
		facts.Calls[d] = snap.Calls[d]
	}
	for _, name := range needs.Queues {
		queue, _ := f.Queue(name)
		facts.Queues[name] = queueFacts(f, queue, snap, e.Now())
	}
	return facts
}

// look asks the store once.
func (e *Engine) look(q Query) (Snapshot, error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.StoreWait)
	defer cancel()
	return e.Store.Snapshot(ctx, q)
}

// queueFacts counts what rules read of a queue.
func queueFacts(f *rules.File, q rules.Queue, s Snapshot, now time.Time) rules.QueueFacts {
	qf := rules.QueueFacts{Waiting: len(s.Queues[q.Name])}
	for _, id := range q.Agents {
		a := s.Agents[id]
		if !a.Available() {
			continue
		}
		qf.Online++
		file, _ := f.Agent(id)
		qf.Free += max(0, a.capacity(file.Capacity, now)-len(a.Slots))
	}
	return qf
}

// Available says whether the agent is connected and not away.
func (a AgentState) Available() bool { return a.Connected && !a.Away }

// capacity is the agent's capacity now: the rules' unless it was set by hand.
func (a AgentState) capacity(file int, now time.Time) int {
	if a.Capacity != nil && now.Before(a.CapacityUntil) {
		return *a.Capacity
	}
	return file
}

// recordFacts is what the record says of the facts of an evaluation, or nil if there were none.
func (r *runner) recordFacts() *FactRecord {
	f := r.facts
	switched, listed := r.input().AtRuntime()
	if len(f.Listed)+len(f.Queues)+len(f.Calls)+len(switched)+len(listed) == 0 && f.Err == nil {
		return nil
	}
	rec := &FactRecord{At: r.at, Listed: f.Listed, Queues: f.Queues}
	if len(listed) > 0 {
		rec.Listed = maps.Clone(f.Listed)
	}
	for _, list := range listed {
		if rec.Listed == nil {
			rec.Listed = map[string]bool{}
		}
		rec.Listed[list] = true
	}
	for hours, open := range switched {
		if rec.Switches == nil {
			rec.Switches = map[string]string{}
		}
		rec.Switches[hours] = "closed"
		if open {
			rec.Switches[hours] = "open"
		}
	}
	if len(f.Calls) > 0 {
		rec.Calls = map[string]int{}
		for d, n := range f.Calls {
			rec.Calls[d.String()] = n
		}
	}
	if f.Err != nil {
		rec.Error = f.Err.Error()
	}
	return rec
}

// take begins what was decided. Only hand-offs and accepts can fail without the call being lost: evaluation then goes on
// with the next rule.
func (r *runner) take(d rules.Decision, trace []rules.Trace) error {
	r.draft = r.view().Clone()
	if facts := r.recordFacts(); facts != nil {
		r.draft.Facts = append(r.draft.Facts, *facts)
	}
	r.draft.Trace = append(r.draft.Trace, trace...)
	if r.draft.State != Deciding {
		r.draft.to(Deciding, r.at, "")
	}
	r.draft.Rule, r.draft.By, r.draft.Action = d.Rule, d.By, d.Action
	r.draft.Queue, r.draft.Answer = d.Queue, d.Answer
	r.e.Observer.Decided(r.draft, r.now().Sub(r.c.Timestamp))
	switch d.Action {
	case rules.Reject:
		return r.startReject(d.Message)
	case rules.Accept:
		return r.startAccept(d)
	default:
		return r.startHandoff(d)
	}
}

// passOn notes that a rule's action could not be carried out. After a default that fails there is only the reject.
func (r *runner) passOn(d rules.Decision, why string) error {
	r.log.Info("a rule's action could not be carried out; going on", "rule", d.Rule, "by", d.By, "action", d.Action, "why", why)
	if d.By != rules.ByRule {
		r.draft = r.view().Clone()
		r.draft.Action, r.draft.Answer = rules.Reject, ""
		r.draft.Why = string(d.By) + " could not be carried out: " + why
		return r.startReject("")
	}
	return r.write(func(n *Call) {
		now := r.now()
		n.Next = d.Index + 1
		n.settle(OfferEnded, now)
		n.Holds, n.Step = nil, nil
		n.markTrace(rules.PassedOn, why)
		n.Due = now
		n.to(Deciding, now, why)
	})
}

var errTooLate = errors.New("too little of the answer window is left")
