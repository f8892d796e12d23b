package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
	"callrouter/rules"
)

// Snapshot is part of [engine.Agents].
func (s *embedded) Snapshot(ctx context.Context, q engine.Query) (engine.Snapshot, error) {
	snap := engine.Snapshot{
		Agents: map[string]engine.AgentState{}, Queues: map[string][]engine.Waiter{},
		Revs: map[string]int64{}, Listed: map[string]bool{}, Calls: map[time.Duration]int{},
	}
	err := s.view(ctx, func(tx *bolt.Tx) error {
		now, wall := s.now(), s.wall()
		for _, name := range q.Agents {
			d, err := s.known.agent(name, tx.Bucket(bucketAgents).Get([]byte(name)))
			if err != nil {
				return err
			}
			snap.Agents[name] = d.state(s.leases.connected(name, now), now, wall)
		}
		for _, name := range q.Queues {
			waiters, err := s.waiting(tx, name)
			if err != nil {
				return err
			}
			snap.Queues[name], snap.Revs[name] = waiters, queueRev(tx)
		}
		for _, list := range q.Lists {
			for _, key := range []string{q.Caller, q.Other} {
				is, err := listed(tx, list, key, wall)
				if err != nil {
					return err
				}
				snap.Listed[list] = snap.Listed[list] || is
			}
		}
		for _, d := range q.Calls {
			since := now.Add(-d)
			snap.Calls[d] = countCalls(tx, q.Caller, since, q.Except, "")
			if q.Caller != "" {
				snap.Calls[d] += countCalls(tx, q.Other, since, q.Except, q.Caller)
			}
		}
		return nil
	})
	return snap, err
}

// listed reports whether a caller has an entry on a list that has not ended.
func listed(tx *bolt.Tx, list, key string, wall time.Time) (bool, error) {
	doc := tx.Bucket(bucketEntries).Get(append(prefix(list), key...))
	if doc == nil || key == "" {
		return false, nil
	}
	var e rules.Entry
	err := json.Unmarshal(doc, &e)
	return err == nil && !expired(e.Until, wall), err
}

// state returns an agent as the engine sees it.
func (d *agentDoc) state(connected bool, now, wall time.Time) engine.AgentState {
	a := engine.AgentState{
		Connected: connected, Away: d.Away, Reason: d.Reason, Missed: d.Missed,
		OfferedAt: d.OfferedAt, IdleSince: d.IdleSince,
	}
	if d.Capacity != nil && !expired(d.CapacityUntil, wall) {
		a.Capacity, a.CapacityUntil = d.Capacity, d.CapacityUntil
	}
	for key, sl := range d.Slots {
		if !expired(sl.Until, now) {
			a.Slots = append(a.Slots, engine.Slot{Call: key, Kind: sl.Kind, Until: sl.Until})
		}
	}
	finishSlots(&a)
	return a
}

// finishSlots sorts slots by their end, and sets when the wrap-up ends.
func finishSlots(a *engine.AgentState) {
	slices.SortFunc(a.Slots, func(x, y engine.Slot) int {
		if c := x.Until.Compare(y.Until); c != 0 {
			return c
		}
		return strings.Compare(x.Call, y.Call)
	})
	for _, sl := range a.Slots {
		if sl.Kind == engine.HoldWrapUp && sl.Until.After(a.WrapUpUntil) {
			a.WrapUpUntil = sl.Until
		}
	}
}

// waiting lists who waits in a queue, in order of arrival.
func (s *embedded) waiting(tx *bolt.Tx, queue string) ([]engine.Waiter, error) {
	var list []engine.Waiter
	pre, read := prefix(queue), s.known.queue(queue)
	c := tx.Bucket(bucketWaiting).Cursor()
	for k, v := c.Seek(pre); k != nil && bytes.HasPrefix(k, pre); k, v = c.Next() {
		w, err := read.waiter(string(k[len(pre)+8:]), string(v))
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	read.end()
	return list, nil
}

// countCalls counts the calls of a caller received since an instant, except one, and those that are also calls of another
// key, if that is not "".
func countCalls(tx *bolt.Tx, caller string, since time.Time, except, another string) int {
	if caller == "" {
		return 0
	}
	n := 0
	pre := prefix(caller)
	c := tx.Bucket(bucketCallers).Cursor()
	for k, v := c.Seek(timeKey(pre, since, "")); k != nil && bytes.HasPrefix(k, pre); k, v = c.Next() {
		if string(k[len(pre)+8:]) != except && (another == "" || string(v) != another) {
			n++
		}
	}
	return n
}

// changeAgent changes what is stored about an agent, and wakes topics.
func (s *embedded) changeAgent(ctx context.Context, agent string, change func(d *agentDoc) (topics []string)) error {
	var topics []string
	return s.update(ctx, func(tx *bolt.Tx) error {
		d, err := getAgent(tx, agent)
		if err != nil {
			return err
		}
		topics = change(d)
		return putJSON(tx.Bucket(bucketAgents), []byte(agent), d)
	}, func() []string { return topics })
}

// Present is part of [engine.Agents].
func (s *embedded) Present(ctx context.Context, agent, connection string, lease time.Duration) error {
	now := s.now()
	if !s.leases.present(agent, connection, now, now.Add(lease)) {
		return ctx.Err()
	}
	return s.changeAgent(ctx, agent, func(d *agentDoc) []string {
		if !d.Away {
			d.IdleSince = now
		}
		return []string{engine.TopicAgent(agent), engine.TopicSlots(agent)}
	})
}

// Absent is part of [engine.Agents].
func (s *embedded) Absent(_ context.Context, agent, connection string) error {
	if s.leases.absent(agent, connection) {
		s.wake(engine.TopicAgent(agent))
	}
	return nil
}

// SetStatus is part of [engine.Agents].
func (s *embedded) SetStatus(ctx context.Context, agent string, away bool, reason string) error {
	return s.changeAgent(ctx, agent, func(d *agentDoc) []string {
		if d.Away && !away {
			d.IdleSince = s.now()
		}
		d.Away, d.Reason, d.Missed = away, reason, 0
		return statusTopics(agent, away)
	})
}

// statusTopics returns the topics to wake when an agent's status is set. A free slot matters to every waiting call.
func statusTopics(agent string, away bool) []string {
	if away {
		return []string{engine.TopicAgent(agent)}
	}
	return []string{engine.TopicAgent(agent), engine.TopicSlots(agent)}
}

// SetCapacity is part of [engine.Agents].
func (s *embedded) SetCapacity(ctx context.Context, agent string, capacity *int, until time.Time) error {
	return s.changeAgent(ctx, agent, func(d *agentDoc) []string {
		if d.Capacity, d.CapacityUntil = capacity, until; capacity == nil {
			d.CapacityUntil = time.Time{}
		}
		return statusTopics(agent, false)
	})
}

// Missed is part of [engine.Agents].
func (s *embedded) Missed(ctx context.Context, agent, offer string, limit int, reason string) (int, error) {
	var n int
	err := s.changeAgent(ctx, agent, func(d *agentDoc) []string {
		d.miss(offer)
		n = d.Missed
		if limit > 0 && n >= limit && !d.Away {
			d.Away, d.Reason = true, reason
			return statusTopics(agent, true)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Answered is part of [engine.Agents].
func (s *embedded) Answered(ctx context.Context, agent string) error {
	return s.changeAgent(ctx, agent, func(d *agentDoc) []string {
		d.Missed = 0
		return nil
	})
}

// SetToken is part of [engine.Agents].
func (s *embedded) SetToken(ctx context.Context, agent, hash string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		d, err := getAgent(tx, agent)
		if err != nil {
			return err
		}
		tokens := tx.Bucket(bucketTokens)
		if d.Token != "" {
			if err := tokens.Delete([]byte(d.Token)); err != nil {
				return err
			}
		}
		d.Token = hash
		if err := tokens.Put([]byte(hash), []byte(agent)); err != nil {
			return err
		}
		return putJSON(tx.Bucket(bucketAgents), []byte(agent), d)
	}, func() []string { return []string{engine.TopicAgent(agent)} })
}

// AgentByToken is part of [engine.Agents].
func (s *embedded) AgentByToken(ctx context.Context, hash string) (agent string, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		agent = string(tx.Bucket(bucketTokens).Get([]byte(hash)))
		return nil
	})
	if err == nil && agent == "" {
		err = engine.ErrNotFound
	}
	return agent, err
}

// Token is part of [engine.Agents].
func (s *embedded) Token(ctx context.Context, agent string) (hash string, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		d, err := getAgent(tx, agent)
		if err == nil {
			hash = d.Token
		}
		return err
	})
	if err == nil && hash == "" {
		err = engine.ErrNotFound
	}
	return hash, err
}

// Once is part of [engine.Limits].
func (s *embedded) Once(ctx context.Context, key string, every time.Duration) (bool, error) {
	var first bool
	err := s.update(ctx, func(tx *bolt.Tx) error {
		now, b := s.now(), tx.Bucket(bucketOnce)
		v := b.Get([]byte(key))
		if first = len(v) < 8 || int64(binary.BigEndian.Uint64(v)) <= now.UnixNano(); !first {
			return nil
		}
		return b.Put([]byte(key), timeKey(nil, now.Add(every), ""))
	}, nil)
	if err != nil {
		return false, err
	}
	return first, nil
}

// Beat is part of [engine.Instances].
func (s *embedded) Beat(ctx context.Context, instance string, lease time.Duration) (string, time.Time, error) {
	at, err := s.storeTime(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	s.leases.instances[instance] = s.now().Add(lease)
	return "file", at, ctx.Err() // a file does not forget while it is open
}

// Leave is part of [engine.Instances].
func (s *embedded) Leave(_ context.Context, instance string) error {
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	delete(s.leases.instances, instance)
	return nil
}

// Alive is part of [engine.Instances].
func (s *embedded) Alive(ctx context.Context) ([]string, error) {
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	var alive []string
	now := s.now()
	for instance, until := range s.leases.instances {
		if expired(until, now) {
			delete(s.leases.instances, instance)
			continue
		}
		alive = append(alive, instance)
	}
	slices.Sort(alive)
	return alive, ctx.Err()
}
