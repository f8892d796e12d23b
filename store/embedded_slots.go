package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
)

// agentDoc is what the embedded store keeps of an agent.
type agentDoc struct {
	Away          bool            `json:"away,omitempty"`
	Reason        string          `json:"reason,omitempty"`
	Missed        int             `json:"missed,omitempty"`
	MissedOffer   string          `json:"missed_offer,omitempty"` // those counted last, the latest first, with a space between
	Capacity      *int            `json:"capacity,omitempty"`
	CapacityUntil time.Time       `json:"capacity_until,omitzero"`
	OfferedAt     time.Time       `json:"offered_at,omitzero"`
	IdleSince     time.Time       `json:"idle_since,omitzero"`
	Token         string          `json:"token,omitempty"`
	Slots         map[string]slot `json:"slots,omitempty"` // by the call's key
}

// slot is a taken slot.
type slot struct {
	Kind  engine.HoldKind `json:"kind"`
	Until time.Time       `json:"until"`
}

// missedKept is how many missed offers a store remembers as counted: more than an agent has at once.
const missedKept = 32

// miss counts an offer that was missed, unless it is among those counted last.
func (d *agentDoc) miss(offer string) {
	counted := strings.Fields(d.MissedOffer)
	if slices.Contains(counted, offer) {
		return
	}
	d.Missed++
	counted = append([]string{offer}, counted...)
	d.MissedOffer = strings.Join(counted[:min(len(counted), missedKept)], " ")
}

// prune removes slots that have expired.
func (d *agentDoc) prune(now time.Time) {
	for key, s := range d.Slots {
		if expired(s.Until, now) {
			delete(d.Slots, key)
		}
	}
}

// capacity returns the agent's capacity: the one set by hand, or else the one in the rules.
func (d *agentDoc) capacity(byRules int, wall time.Time) int {
	if d.Capacity != nil && !expired(d.CapacityUntil, wall) {
		return *d.Capacity
	}
	return byRules
}

func getAgent(tx *bolt.Tx, agent string) (*agentDoc, error) {
	return decodeAgent(agent, tx.Bucket(bucketAgents).Get([]byte(agent)))
}

// decodeAgent reads what is stored about an agent; nothing is an agent who never came.
func decodeAgent(agent string, doc []byte) (*agentDoc, error) {
	d := agentDoc{Slots: map[string]slot{}}
	if doc != nil {
		if err := json.Unmarshal(doc, &d); err != nil {
			return nil, fmt.Errorf("the stored state of agent %s is damaged: %w", agent, err)
		}
	}
	return &d, nil
}

// queueRev returns the revision that all queues share. It changes whenever a call begins or ends waiting.
func queueRev(tx *bolt.Tx) int64 { return int64(tx.Bucket(bucketWaiting).Sequence()) + 1 }

// changeSlots takes and gives back all slots of a change, or returns ErrBusy and changes none.
func (s *embedded) changeSlots(tx *bolt.Tx, ch *change) error {
	if ch.seen > 0 && ch.seen != queueRev(tx) {
		return fmt.Errorf("queue %s: %w", ch.next.Step.Queue, engine.ErrBusy)
	}
	now := s.now()
	docs := make([]*agentDoc, len(ch.agents))
	for i, a := range ch.agents {
		d, err := getAgent(tx, a.agent)
		if err != nil {
			return err
		}
		d.prune(now)
		if !ch.force && !s.mayHold(d, ch.key, a, now) {
			return fmt.Errorf("agent %s: %w", a.agent, engine.ErrBusy)
		}
		docs[i] = d
	}
	for i, a := range ch.agents {
		d := docs[i]
		switch a.op {
		case slotTake, slotKeep:
			d.Slots[ch.key] = slot{Kind: a.hold.Kind, Until: a.hold.Until}
		case slotDrop:
			delete(d.Slots, ch.key)
		}
		if a.offered {
			d.OfferedAt = now
		}
		if a.idle {
			d.IdleSince = now
		}
		if err := putJSON(tx.Bucket(bucketAgents), []byte(a.agent), d); err != nil {
			return err
		}
	}
	return nil
}

// mayHold reports whether a call may have the slot that a change wants. It may keep a slot that it still has; one that
// has expired is taken like a new one. That an agent talks or wraps up is a fact, which is never refused.
func (s *embedded) mayHold(d *agentDoc, key string, a agentChange, now time.Time) bool {
	if a.op != slotTake && a.op != slotKeep || a.hold.Kind == engine.HoldWrapUp || a.sure {
		return true
	}
	if _, own := d.Slots[key]; own {
		return true
	}
	if a.hold.Kind == engine.HoldRinging && (d.Away || !s.leases.connected(a.agent, now)) {
		return false
	}
	return len(d.Slots) < d.capacity(a.hold.Capacity, s.wall())
}

// leases hold what ends unless it is renewed: connections of agents, and instances.
type leases struct {
	mu        sync.Mutex
	agents    map[string]map[string]time.Time // agent, connection -> end
	instances map[string]time.Time
}

func (l *leases) init() {
	l.agents, l.instances = map[string]map[string]time.Time{}, map[string]time.Time{}
}

// connected reports whether any connection of an agent is alive.
func (l *leases) connected(agent string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, until := range l.agents[agent] {
		if !expired(until, now) {
			return true
		}
	}
	return false
}

// present renews a connection. It reports whether the agent had none before.
func (l *leases) present(agent, connection string, now, until time.Time) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := l.agents[agent]
	if conns == nil {
		conns = map[string]time.Time{}
		l.agents[agent] = conns
	}
	for c, end := range conns {
		if expired(end, now) {
			delete(conns, c)
		}
	}
	first = len(conns) == 0
	conns[connection] = until
	return first
}

// absent ends a connection. It reports whether that was the agent's last.
func (l *leases) absent(agent, connection string) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := l.agents[agent]
	if _, had := conns[connection]; !had {
		return false
	}
	delete(conns, connection)
	if len(conns) > 0 {
		return false
	}
	delete(l.agents, agent)
	return true
}
