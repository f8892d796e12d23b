package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"callrouter/engine"
	"callrouter/rules"
)

// Snapshot is part of [engine.Agents].
func (s *redisStore) Snapshot(ctx context.Context, q engine.Query) (engine.Snapshot, error) {
	snap := engine.Snapshot{
		Agents: map[string]engine.AgentState{}, Queues: map[string][]engine.Waiter{},
		Revs: map[string]int64{}, Listed: map[string]bool{}, Calls: map[time.Duration]int{},
	}
	var keys []string
	for _, a := range q.Agents {
		keys = append(keys, keySlots(a), keyPresence(a), keyAgent(a))
	}
	for _, queue := range q.Queues {
		keys = append(keys, keyWaiting(queue))
	}
	for _, l := range q.Lists {
		keys = append(keys, keyList(l))
	}
	keys = append(keys, keyCaller(q.Caller), keyCaller(q.Other), keyCaller(bothKey(q.Caller, q.Other)))
	now := s.now()
	args := []any{len(q.Agents), len(q.Queues), len(q.Lists), q.Caller, q.Other, q.Except}
	for _, d := range q.Calls {
		args = append(args, micros(now.Add(-d)))
	}
	reply, err := s.run(ctx, s.scripts.snapshot, keys, args...)
	if err != nil {
		return snap, err
	}
	out := list(reply)
	wall, shift := s.wall(), s.clock.shift()
	for i, name := range q.Agents {
		snap.Agents[name] = agentState(list(at(list(at(out, 1)), i)), wall, shift)
	}
	for i, name := range q.Queues {
		if snap.Queues[name], snap.Revs[name], err = s.waiters(name, list(at(list(at(out, 2)), i))); err != nil {
			return snap, err
		}
	}
	for i, name := range q.Lists {
		entries := list(at(list(at(out, 3)), i))
		snap.Listed[name] = q.Caller != "" && entryCounts(text(at(entries, 0)), wall) ||
			q.Other != "" && entryCounts(text(at(entries, 1)), wall)
	}
	for i, d := range q.Calls {
		if snap.Calls[d] = int(number(at(list(at(out, 4)), i))); q.Caller == "" {
			snap.Calls[d] = 0
		}
	}
	return snap, nil
}

// agentState reads {fields of the agent, number of connections, slots with their ends}. The server's clock, by which slots
// end, is ahead of the router's time by shift.
func agentState(reply []any, wall time.Time, shift time.Duration) engine.AgentState {
	f := list(at(reply, 0))
	a := engine.AgentState{
		Connected: number(at(reply, 1)) > 0,
		Away:      text(at(f, 0)) == "1", Reason: text(at(f, 1)), Missed: int(number(at(f, 2))),
		OfferedAt: fromMicros(number(at(f, 5))), IdleSince: fromMicros(number(at(f, 6))),
	}
	if until := fromMicros(number(at(f, 4))); at(f, 3) != nil && !expired(until, wall) {
		n := int(number(at(f, 3)))
		a.Capacity, a.CapacityUntil = &n, until
	}
	for pair := range slices.Chunk(list(at(reply, 2)), 2) {
		key, kind, _ := strings.Cut(text(pair[0]), " ")
		until := fromMicros(number(at(pair, 1))).Add(-shift)
		a.Slots = append(a.Slots, engine.Slot{Call: key, Kind: engine.HoldKind(kind), Until: until})
	}
	finishSlots(&a)
	return a
}

// waiters reads the calls that wait in a queue, in order of arrival, and the queue's revision.
func (s *redisStore) waiters(queue string, reply []any) (all []engine.Waiter, rev int64, err error) {
	read := s.known.queue(queue)
	for pair := range slices.Chunk(reply, 2) {
		if text(pair[0]) == fieldRev {
			rev = number(at(pair, 1))
			continue
		}
		w, err := read.waiter(text(pair[0]), text(at(pair, 1)))
		if err != nil {
			return nil, 0, err
		}
		all = append(all, w)
	}
	read.end()
	slices.SortFunc(all, func(a, b engine.Waiter) int {
		if c := a.Joined.Compare(b.Joined); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	return all, rev + 1, nil
}

// entryCounts reports whether there is a stored entry that has not ended.
func entryCounts(doc string, now time.Time) bool {
	var e rules.Entry
	return doc != "" && json.Unmarshal([]byte(doc), &e) == nil && !expired(e.Until, now)
}

// with adds the channel and the topics to wake to the arguments of a script.
func with(topics []string, args ...any) []any {
	args = append(args, channelWakes)
	for _, t := range topics {
		args = append(args, t)
	}
	return args
}

// Present is part of [engine.Agents].
func (s *redisStore) Present(ctx context.Context, agent, connection string, lease time.Duration) error {
	_, err := s.run(ctx, s.scripts.present, []string{keyPresence(agent), keyAgent(agent)},
		with(statusTopics(agent, false), connection, lease.Microseconds(), micros(s.now()))...)
	return err
}

// Absent is part of [engine.Agents].
func (s *redisStore) Absent(ctx context.Context, agent, connection string) error {
	_, err := s.run(ctx, s.scripts.absent, []string{keyPresence(agent)}, with(statusTopics(agent, true), connection)...)
	return err
}

// SetStatus is part of [engine.Agents].
func (s *redisStore) SetStatus(ctx context.Context, agent string, away bool, reason string) error {
	flag := "0"
	if away {
		flag = "1"
	}
	_, err := s.run(ctx, s.scripts.status, []string{keyAgent(agent)}, with(statusTopics(agent, away), flag, reason, micros(s.now()))...)
	return err
}

// SetCapacity is part of [engine.Agents].
func (s *redisStore) SetCapacity(ctx context.Context, agent string, capacity *int, until time.Time) error {
	var value any = ""
	if capacity != nil {
		value = *capacity
	}
	_, err := s.run(ctx, s.scripts.capacity, []string{keyAgent(agent)},
		with(statusTopics(agent, false), value, micros(until))...)
	return err
}

// Missed is part of [engine.Agents].
func (s *redisStore) Missed(ctx context.Context, agent, offer string, limit int, reason string) (int, error) {
	reply, err := s.run(ctx, s.scripts.missed, []string{keyAgent(agent)},
		with(statusTopics(agent, true), limit, reason, offer, missedKept)...)
	return int(number(reply)), err
}

// Answered is part of [engine.Agents].
func (s *redisStore) Answered(ctx context.Context, agent string) error {
	return s.do(ctx, func(ctx context.Context) error { return s.client.HDel(ctx, keyAgent(agent), "missed").Err() })
}

// SetToken is part of [engine.Agents].
func (s *redisStore) SetToken(ctx context.Context, agent, hash string) error {
	_, err := s.run(ctx, s.scripts.token, []string{keyAgent(agent), keyTokens},
		with(statusTopics(agent, true), agent, hash)...)
	return err
}

// AgentByToken is part of [engine.Agents].
func (s *redisStore) AgentByToken(ctx context.Context, hash string) (agent string, err error) {
	err = s.do(ctx, func(ctx context.Context) (err error) {
		agent, err = s.client.HGet(ctx, keyTokens, hash).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		err = engine.ErrNotFound
	}
	return agent, err
}

// Token is part of [engine.Agents].
func (s *redisStore) Token(ctx context.Context, agent string) (hash string, err error) {
	err = s.do(ctx, func(ctx context.Context) (err error) {
		hash, err = s.client.HGet(ctx, keyAgent(agent), "token").Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		err = engine.ErrNotFound
	}
	return hash, err
}

// Once is part of [engine.Limits].
func (s *redisStore) Once(ctx context.Context, key string, every time.Duration) (bool, error) {
	reply, err := s.run(ctx, s.scripts.once, []string{keyOnce(key)}, rand.Text(), max(every.Milliseconds(), 1),
		micros(s.now()))
	return number(reply) == 1, err
}

// Leave is part of [engine.Instances].
func (s *redisStore) Leave(ctx context.Context, instance string) error {
	return s.do(ctx, func(ctx context.Context) error { return s.client.ZRem(ctx, keyInstances, instance).Err() })
}

// Alive is part of [engine.Instances].
func (s *redisStore) Alive(ctx context.Context) ([]string, error) {
	reply, err := s.run(ctx, s.scripts.alive, []string{keyInstances, keyEpoch},
		micros(s.clock.now()), s.jumpTolerance(), s.clock.jumps())
	if err != nil {
		return nil, err
	}
	var alive []string
	for _, instance := range list(reply) {
		alive = append(alive, text(instance))
	}
	slices.Sort(alive)
	return alive, nil
}
