package engine

import (
	"cmp"
	"slices"
	"time"

	"callrouter/rules"
)

// candidate is an agent who could be rung now.
type candidate struct {
	agent    string
	capacity int // by the rules
	state    AgentState
}

// candidates returns the free agents among names. An agent whom a reload removed gets no more calls, not even calls
// that began before it.
func (r *runner) candidates(names []string, s Snapshot) []candidate {
	var free []candidate
	for _, name := range names {
		state := s.Agents[name]
		file, ok := r.f.Agent(name)
		if ok && r.e.employs(name) && state.Available() && len(state.Slots) < state.CapacityNow(file.Capacity) {
			free = append(free, candidate{agent: name, capacity: file.Capacity, state: state})
		}
	}
	return free
}

// order sorts free agents by the queue's strategy; equal agents keep the order of the rules file.
func order(s rules.Strategy, free []candidate) []candidate {
	switch s {
	case rules.LongestIdle:
		slices.SortStableFunc(free, func(a, b candidate) int { return a.state.IdleSince.Compare(b.state.IdleSince) })
	case rules.RoundRobin:
		slices.SortStableFunc(free, func(a, b candidate) int { return a.state.OfferedAt.Compare(b.state.OfferedAt) })
	case rules.LeastBusy:
		slices.SortStableFunc(free, func(a, b candidate) int {
			return cmp.Or(
				cmp.Compare(len(a.state.Slots), len(b.state.Slots)),
				a.state.IdleSince.Compare(b.state.IdleSince),
			)
		})
	}
	return free
}

// yieldToEarlier removes one agent for every call that waits longer in the same queue. A waiting call whose instance
// is gone does not count: it is taken over in a moment. A call without an owner counts: an instance takes it at once.
func (r *runner) yieldToEarlier(free []candidate, waiters []Waiter, alive []string) []candidate {
	c, may := r.view(), r.e.eligibility(r.view().Step.Queue)
	for _, w := range waiters {
		if len(free) == 0 {
			break
		}
		// Of two that came at one instant it is the one with the smaller key, or neither would go on.
		later := cmp.Or(w.Joined.Compare(c.Step.Joined), cmp.Compare(w.Key, c.Key())) >= 0
		if later || w.Owner != "" && !slices.Contains(alive, w.Owner) {
			continue
		}
		// The earlier call takes one agent; it is the first it may have.
		if i := slices.IndexFunc(free, func(f candidate) bool { return may.ring(w, f.agent) }); i >= 0 {
			free = slices.Delete(free, i, i+1)
		}
	}
	return free
}

func rungAgents(c *Call) []string {
	var names []string
	for _, o := range c.Offers {
		names = append(names, o.Agent)
	}
	return names
}

// leastLook is the shortest time between two looks at a lease that ends. The store's clock decides the end, and may be
// a little behind.
const leastLook = 100 * time.Millisecond

// freed returns when one of the agents next has a slot free by itself, as after a wrap-up: the end of a lease wakes
// nobody. It is zero if none has.
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
