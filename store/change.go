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
	seen      int64 // the revision of the queue by which slots are taken for ringing; 0: it does not matter
	force     bool  // it has happened: slots are taken although there are none
}

// slotOp is what a change does to an agent's slot.
type slotOp string

const (
	slotNone slotOp = ""
	slotTake slotOp = "take" // not held before
	slotKeep slotOp = "keep" // held before: another end, another kind
	slotDrop slotOp = "drop" // not held any more
)

// agentChange is what a change means for one agent.
type agentChange struct {
	agent   string
	op      slotOp
	hold    engine.Hold // as in next; for a drop as in old
	sure    bool        // an agent talks: the slot is kept in any case
	offered bool        // a call is offered now
	idle    bool        // a call ends now
}

// newChange compares old with next. The stores make sure that old is what is stored.
func newChange(old, next *engine.Call) (*change, error) {
	n := *next
	n.Rev = 1
	if old != nil {
		n.Rev = old.Rev + 1
	}
	doc, err := json.Marshal(&n)
	if err != nil {
		return nil, fmt.Errorf("writing down call %s: %w", next.Key(), err)
	}
	c := &change{key: next.Key(), old: old, next: &n, doc: doc}
	c.diffAgents()
	c.diffTopics()
	if next.Step != nil && slices.ContainsFunc(c.agents, func(a agentChange) bool { return a.op == slotTake }) {
		c.seen = next.Step.Seen
	}
	return c, nil
}

// newReassertion puts a record back as it was known, over what is stored, if anything is.
func newReassertion(stored, known *engine.Call) (*change, error) {
	c, err := newChange(stored, known)
	if err != nil {
		return nil, err
	}
	c.next.Rev, c.force, c.seen = known.Rev, true, 0
	return c, nil
}

// stepQueue is the queue whose agents are taken.
func (c *change) stepQueue() string {
	if c.next.Step == nil {
		return ""
	}
	return c.next.Step.Queue
}

// queueChanges says whether a call begins or ends waiting, or waits otherwise than before.
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

// diffTopics lists who is woken. Nobody can wait for a call that is not there yet.
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
			wake(engine.TopicSlots)
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

// waiter is what a store keeps about a call that waits in a queue.
type waiter struct {
	Joined time.Time `json:"joined"`
	Agents []string  `json:"agents,omitempty"`
	Rung   []string  `json:"rung,omitempty"`
	Owner  string    `json:"owner,omitempty"`
}

// waits answers the queue in which a call waits, if it does.
func waits(c *engine.Call) (queue string, w waiter, ok bool) {
	if c == nil || c.State != engine.Waiting || c.Step == nil {
		return "", waiter{}, false
	}
	w = waiter{Joined: c.Step.Joined, Agents: c.Step.Agents, Owner: c.Owner}
	for _, o := range c.Offers {
		if !slices.Contains(w.Rung, o.Agent) {
			w.Rung = append(w.Rung, o.Agent)
		}
	}
	return c.Step.Queue, w, true
}

// endOf is by when a record that has ended counts as old.
func endOf(c *engine.Call) time.Time {
	if c.EndedAt.IsZero() {
		return c.ReceivedAt
	}
	return c.EndedAt
}

// decodeCall reads a stored record.
func decodeCall(key string, rev int64, doc []byte) (*engine.Call, error) {
	var c engine.Call
	if err := json.Unmarshal(doc, &c); err != nil {
		return nil, fmt.Errorf("the stored record of call %s is damaged: %w", key, err)
	}
	c.Rev = rev
	return &c, nil
}

// matches says whether a record passes a filter.
func matches(f engine.Filter, c *engine.Call) bool {
	return (f.State == "" || c.State == f.State) &&
		(f.Outcome == "" || c.Outcome == f.Outcome) &&
		(f.Caller == "" || c.CallerKey == f.Caller) &&
		(f.Since.IsZero() || !c.ReceivedAt.Before(f.Since))
}

// limitOf is how many records a filter asks for.
func limitOf(f engine.Filter) int {
	if f.Limit <= 0 {
		return 100
	}
	return f.Limit
}

// expired says whether something that counts until an instant (zero: for ever) is past.
func expired(until, now time.Time) bool { return !until.IsZero() && !now.Before(until) }
