package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"callrouter/engine"
)

// change is one write of a call's record, and all that follows from it.
type change struct {
	key       string
	old, next *engine.Call // old is nil for a new record; next has the revision it will be stored with
	doc       []byte
	agents    []agentChange // by name
	topics    []string
	seen      int64 // take slots only if the queue still has this revision; 0: whatever it has
	force     bool  // it has already happened: take slots even over the capacity
}

// slotOp is what a change does to an agent's slot.
type slotOp string

const (
	slotNone slotOp = ""
	slotTake slotOp = "take" // not held before
	slotKeep slotOp = "keep" // held before, with another end or kind
	slotDrop slotOp = "drop" // no longer held
)

// agentChange is what a change means for one agent.
type agentChange struct {
	agent   string
	op      slotOp
	hold    engine.Hold // as in next; for a drop as in old
	sure    bool        // the agent goes on talking, so the slot is never refused
	offered bool        // this change offers a call
	idle    bool        // this change ends the agent's call
}

// newChange compares old with next. The stores check that old is what is stored.
func newChange(old, next *engine.Call) (*change, error) {
	n := *next
	n.Rev = 1
	if old != nil {
		n.Rev = old.Rev + 1
	}
	doc, err := json.Marshal(&n)
	if err != nil {
		return nil, fmt.Errorf("encoding call %s: %w", next.Key(), err)
	}
	c := &change{key: next.Key(), old: old, next: &n, doc: doc}
	c.diffAgents()
	c.diffTopics()
	if next.Step != nil && slices.ContainsFunc(c.agents, func(a agentChange) bool { return a.op == slotTake }) {
		c.seen = next.Step.Seen
	}
	return c, nil
}

// newReassertion writes a record back as an instance knows it, over what is stored, if anything is.
func newReassertion(stored, known *engine.Call) (*change, error) {
	c, err := newChange(stored, known)
	if err != nil {
		return nil, err
	}
	c.next.Rev, c.force, c.seen = known.Rev, true, 0
	return c, nil
}

// stepQueue returns the queue whose agents the change takes, or "".
func (c *change) stepQueue() string {
	if c.next.Step == nil {
		return ""
	}
	return c.next.Step.Queue
}

// queueChanges reports whether the call begins or ends waiting, changes queue, or has rung another agent.
func (c *change) queueChanges() bool {
	before, w, waited := waits(c.old)
	after, v, waiting := waits(c.next)
	return waited != waiting || before != after || !slices.Equal(w.Rung, v.Rung)
}

func (c *change) diffAgents() {
	byName := map[string]*agentChange{}
	at := func(agent string) *agentChange {
		if byName[agent] == nil {
			byName[agent] = &agentChange{agent: agent}
		}
		return byName[agent]
	}
	for _, h := range c.next.Holds {
		before, held := holdOf(c.old, h.Agent)
		switch a := at(h.Agent); {
		case !held:
			a.op, a.hold = slotTake, h
		case before.Kind != h.Kind || !before.Until.Equal(h.Until):
			a.op, a.hold, a.sure = slotKeep, h, before.Kind == engine.HoldActive && h.Kind == engine.HoldActive
			a.idle = before.Kind == engine.HoldActive && h.Kind == engine.HoldWrapUp
		}
	}
	if c.old != nil {
		for _, h := range c.old.Holds {
			if _, held := holdOf(c.next, h.Agent); !held {
				a := at(h.Agent)
				a.op, a.hold, a.idle = slotDrop, h, h.Kind == engine.HoldActive
			}
		}
	}
	for _, o := range c.next.Offers {
		if _, known := offerOf(c.old, o.ID); !known {
			at(o.Agent).offered = true
		}
	}
	for _, a := range byName {
		c.agents = append(c.agents, *a)
	}
	slices.SortFunc(c.agents, func(a, b agentChange) int {
		if a.agent < b.agent {
			return -1
		}
		return 1
	})
}

// diffTopics lists the topics to wake. Nobody waits for a call that is not stored yet.
func (c *change) diffTopics() {
	woken := map[string]bool{}
	wake := func(topic string) {
		if !woken[topic] {
			woken[topic] = true
			c.topics = append(c.topics, topic)
		}
	}
	if c.old != nil {
		wake(engine.TopicCall(c.key))
	}
	if c.old != nil && c.old.Owner != "" && c.next.Owner == "" && c.next.Live() {
		wake(engine.TopicLeft)
	}
	for _, a := range c.agents {
		wake(engine.TopicAgent(a.agent))
		if a.op == slotDrop || a.op == slotKeep && a.hold.Kind == engine.HoldWrapUp {
			wake(engine.TopicSlots(a.agent))
		}
	}
	for _, o := range c.next.Offers {
		if before, _ := offerOf(c.old, o.ID); before.Result != o.Result {
			wake(engine.TopicAgent(o.Agent))
		}
	}
	if c.next.Agent != "" && (c.old == nil || c.old.State != c.next.State || c.old.Agent != c.next.Agent) {
		wake(engine.TopicAgent(c.next.Agent))
	}
}

func holdOf(c *engine.Call, agent string) (engine.Hold, bool) {
	if c != nil {
		for _, h := range c.Holds {
			if h.Agent == agent {
				return h, true
			}
		}
	}
	return engine.Hold{}, false
}

func offerOf(c *engine.Call, id string) (engine.Offer, bool) {
	if c != nil {
		for _, o := range c.Offers {
			if o.ID == id {
				return o, true
			}
		}
	}
	return engine.Offer{}, false
}

// waiter is what a store keeps of a call that waits in a queue.
type waiter struct {
	Joined  time.Time `json:"joined"`
	Version string    `json:"version,omitempty"`
	Agents  []string  `json:"agents,omitempty"`
	Rung    []string  `json:"rung,omitempty"`
	Owner   string    `json:"owner,omitempty"`
}

// as returns the waiter as the engine sees it, with the key of its call.
func (w waiter) as(key string) engine.Waiter {
	return engine.Waiter{Key: key, Joined: w.Joined, Version: w.Version, Agents: w.Agents, Rung: w.Rung, Owner: w.Owner}
}

// decodeWaiter reads a stored waiter.
func decodeWaiter(key string, doc []byte) (engine.Waiter, error) {
	var w waiter
	err := json.Unmarshal(doc, &w)
	return w.as(key), err
}

// waits returns the queue in which a call waits, if it waits.
func waits(c *engine.Call) (queue string, w waiter, ok bool) {
	if c == nil {
		return "", waiter{}, false
	}
	if queue, ok = c.Waits(); !ok {
		return "", waiter{}, false
	}
	w = waiter{Joined: c.Step.Joined, Version: c.RulesVersion, Agents: c.Step.Agents, Owner: c.Owner}
	for _, o := range c.Offers {
		if !slices.Contains(w.Rung, o.Agent) {
			w.Rung = append(w.Rung, o.Agent)
		}
	}
	return queue, w, true
}

// endOf returns the time from which the age of an ended record counts.
func endOf(c *engine.Call) time.Time {
	if c.EndedAt.IsZero() {
		return c.ReceivedAt
	}
	return c.EndedAt
}

// callersOf returns the keys by which a call is found as one of its caller's, "" for those that it lacks: that of the
// caller, the other one, and that of both, by which calls that have both are counted once.
func callersOf(c *engine.Call) (caller, other, both string) {
	if c == nil {
		return "", "", ""
	}
	if caller, other = c.CallerKey, c.OtherKey(); other != "" {
		both = bothKey(caller, other)
	}
	return caller, other, both
}

// bothKey returns the key of calls that have both keys of a caller.
func bothKey(caller, other string) string { return caller + " " + other }

// outcomeOf returns the outcome of a call that has ended, or "".
func outcomeOf(c *engine.Call) engine.Outcome {
	if c == nil || c.Live() {
		return ""
	}
	return c.Outcome
}

// matches reports whether a record passes a filter.
func matches(f engine.Filter, c *engine.Call) bool {
	return (f.State == "" || c.State == f.State) &&
		(f.Outcome == "" || c.Outcome == f.Outcome) &&
		(f.Caller == "" || c.CallerKey == f.Caller || c.OtherKey() == f.Caller) &&
		(f.Since.IsZero() || !c.ReceivedAt.Before(f.Since))
}

// limitOf returns how many records a filter asks for.
func limitOf(f engine.Filter) int {
	if f.Limit <= 0 {
		return 100
	}
	return f.Limit
}

// expired reports whether something that lasts until an instant (zero: for ever) is over.
func expired(until, now time.Time) bool { return !until.IsZero() && !now.Before(until) }
