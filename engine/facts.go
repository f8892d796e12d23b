package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"callrouter/rules"
)

// readFacts reads what an evaluation needs from the store, in one round trip. It returns known with Err set if it
// cannot.
func (r *runner) readFacts(needs rules.Needs, known rules.Facts) rules.Facts {
	e, f := r.e, r.f
	q := Query{
		Queues: needs.Queues, Lists: needs.Lists, Caller: r.c.CallerKey,
		Other: r.caller.OtherKey(), Calls: needs.Calls, Except: r.c.Key(),
	}
	for _, name := range needs.Queues {
		if queue, ok := f.Queue(name); ok {
			q.Agents = append(q.Agents, queue.Agents...)
		}
	}
	slices.Sort(q.Agents)
	q.Agents = slices.Compact(q.Agents)
	snap, err := e.snapshot(q)
	for p := (patience{}); err != nil && e.retryStore(context.Background(), &p); {
		snap, err = e.snapshot(q)
	}
	if err != nil {
		e.report("facts", "cannot read what a rule needs from the store; the call takes on_error; check the store", err,
			"call", r.c.Key())
		known.Err = fmt.Errorf("%w: %w", errStore, err)
		return known
	}
	facts := rules.Facts{
		Listed: map[string]bool{}, Queues: map[string]rules.QueueFacts{}, Calls: map[time.Duration]int{},
	}
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
		facts.Queues[name] = queueFacts(f, queue, snap)
	}
	return facts
}

func (e *Engine) snapshot(q Query) (Snapshot, error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.StoreWait)
	defer cancel()
	return e.Store.Snapshot(ctx, q)
}

// queueFacts returns the counts of a queue that rules can read.
func queueFacts(f *rules.File, q rules.Queue, s Snapshot) rules.QueueFacts {
	qf := rules.QueueFacts{Waiting: len(s.Queues[q.Name])}
	for _, id := range q.Agents {
		a := s.Agents[id]
		if !a.Available() {
			continue
		}
		qf.Online++
		file, _ := f.Agent(id)
		qf.Free += max(0, a.CapacityNow(file.Capacity)-len(a.Slots))
	}
	return qf
}

// Available reports whether the agent is connected and not away.
func (a AgentState) Available() bool { return a.Connected && !a.Away }

// CapacityNow returns how many calls the agent may have at once: what was set by hand, or else what the rules say. The
// store leaves out what was set for a time that is over.
func (a AgentState) CapacityNow(byRules int) int {
	if a.Capacity != nil {
		return *a.Capacity
	}
	return byRules
}

// recordFacts returns what the record keeps of an evaluation: with the version of the rules, all that is needed to
// repeat it.
func (r *runner) recordFacts() FactRecord {
	f := r.facts
	switched, listed := r.input().AtRuntime()
	rec := FactRecord{
		Evaluation: len(r.view().Facts) + 1, At: r.at, Wall: r.wall, From: r.c.Next, Listed: f.Listed, Queues: f.Queues,
	}
	if len(listed) > 0 {
		rec.Listed = maps.Clone(f.Listed)
	}
	for _, list := range listed {
		if rec.Listed == nil {
			rec.Listed = map[string]bool{}
		}
		rec.Listed[list] = true
	}
	for hours, s := range switched {
		if rec.Switches == nil {
			rec.Switches, rec.Switched = map[string]string{}, map[string]SwitchRecord{}
		}
		rec.Switches[hours] = "closed"
		if s.Open {
			rec.Switches[hours] = "open"
		}
		rec.Switched[hours] = SwitchRecord{Open: s.Open, Until: s.Until, Reason: s.Reason}
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
