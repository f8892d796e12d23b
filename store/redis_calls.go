package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"callrouter/engine"
)

// luaPlan is what write.lua does besides storing the record. Times are in microseconds.
type luaPlan struct {
	New          bool       `json:"new"`          // no record is there
	Write        string     `json:"write"`        // the revision and the write that makes it
	WriteBefore  string     `json:"write_before"` // the same of the record before; "": any
	Live         bool       `json:"live"`
	WasLive      bool       `json:"was_live"`
	WasEnded     bool       `json:"was_ended"`
	Received     int64      `json:"received"`
	Ended        int64      `json:"ended"`
	Due          int64      `json:"due"`             // 0: not due
	DueBefore    bool       `json:"due_before"`      // it was due before
	Owner        string     `json:"owner,omitempty"` // of a live call, noted each time: it may be forgotten
	OwnerBefore  bool       `json:"owner_before"`    // remove it from the calls of its former owner
	CallerKey    string     `json:"caller_key"`
	Caller       bool       `json:"caller"`        // add it to the calls of its caller
	CallerBefore bool       `json:"caller_before"` // remove it from those of its former caller
	OtherKey     string     `json:"other_key"`     // the caller's other key, "" for none
	Other        bool       `json:"other"`         // the same for the calls by that key, and by both
	OtherBefore  bool       `json:"other_before"`
	Waited       bool       `json:"waited"` // the same for queues
	Waiter       string     `json:"waiter"`
	QueueChanges bool       `json:"queue_changes"`
	Seen         int64      `json:"seen"`  // the revision the queue must have; 0: any
	Force        bool       `json:"force"` // take slots even over the capacity
	Now          int64      `json:"now"`   // the router's time
	Wall         int64      `json:"wall"`  // the clock on the wall
	Agents       []luaAgent `json:"agents"`
	Topics       []string   `json:"topics"`
}

type luaAgent struct {
	Agent    string          `json:"agent"`
	Op       slotOp          `json:"op"`
	Kind     engine.HoldKind `json:"kind"`
	Capacity int             `json:"capacity"`
	Left     int64           `json:"left"` // of the lease
	Sure     bool            `json:"sure"`
	Offered  bool            `json:"offered"`
	Idle     bool            `json:"idle"`
}

// micros returns a time as a score; 0 is no time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}

func (s *redisStore) plan(ch *change) (string, error) {
	old := ch.old
	caller, other, both := callersOf(ch.next)
	p := luaPlan{
		New: old == nil, Write: nameOf(ch.next),
		Live: ch.next.Live(), WasLive: old != nil && old.Live(), WasEnded: old != nil && !old.Live(),
		Received: micros(ch.next.ReceivedAt), Ended: micros(endOf(ch.next)), Owner: ch.next.Owner,
		CallerKey: caller, Caller: caller != "", OtherKey: other, Other: other != "",
		Agents: []luaAgent{}, Topics: append([]string{}, ch.topics...),
		QueueChanges: ch.queueChanges(), Seen: ch.seen, Force: ch.force,
		Now: micros(s.now()), Wall: micros(s.wall()),
	}
	if p.Live {
		p.Due = micros(ch.next.Due)
	}
	if old != nil {
		if old.Write != "" {
			p.WriteBefore = nameOf(old)
		}
		p.DueBefore = !old.Due.IsZero()
		p.OwnerBefore = old.Owner != ch.next.Owner
		callerBefore, otherBefore, bothBefore := callersOf(old)
		p.CallerBefore, p.Caller = callerBefore != "" && callerBefore != caller, p.Caller && callerBefore != caller
		p.OtherBefore, p.Other = otherBefore != "" && bothBefore != both, p.Other && bothBefore != both
		_, _, p.Waited = waits(old)
	}
	if !p.Live {
		p.Owner = ""
	}
	if _, w, ok := waits(ch.next); ok {
		doc, err := json.Marshal(w)
		if err != nil {
			return "", err
		}
		p.Waiter = string(doc)
	}
	for _, a := range ch.agents {
		la := luaAgent{Agent: a.agent, Op: a.op, Sure: a.sure, Offered: a.offered, Idle: a.idle}
		if a.op == slotTake || a.op == slotKeep {
			la.Kind, la.Capacity, la.Left = a.hold.Kind, a.hold.Capacity, a.hold.Until.Sub(s.now()).Microseconds()
		}
		p.Agents = append(p.Agents, la)
	}
	doc, err := json.Marshal(p)
	return string(doc), err
}

// nameOf returns a text that only this revision has, written by whoever wrote it.
func nameOf(c *engine.Call) string { return strconv.FormatInt(c.Rev, 10) + " " + c.Write }

// write stores a change. With ErrExists it returns the record that is there.
func (s *redisStore) write(ctx context.Context, ch *change) (existing *engine.Call, err error) {
	plan, err := s.plan(ch)
	if err != nil {
		return nil, fmt.Errorf("encoding the write of call %s: %w", ch.key, err)
	}
	var expected int64
	if ch.old != nil {
		expected = ch.old.Rev
	}
	reply, err := s.runOnce(ctx, s.scripts.write, keysWrite(ch),
		ch.key, expected, ch.next.Rev, ch.doc, plan, channelWakes, rand.Text(), s.gate.Microseconds(),
		micros(s.clock.now()), s.jumpTolerance())
	if err != nil {
		return nil, err
	}
	out := list(reply)
	switch text(at(out, 0)) {
	case "ok":
		return nil, nil
	case "conflict":
		return nil, engine.ErrConflict
	case "busy":
		return nil, fmt.Errorf("agent %s: %w", text(at(out, 1)), engine.ErrBusy)
	case "gate":
		return nil, engine.ErrGate
	case "exists":
		existing, err = s.decode(ch.key, out[1:])
		if err != nil {
			return nil, err
		}
		return existing, engine.ErrExists
	}
	return nil, fmt.Errorf("store %s: unexpected reply of write.lua: %v", s.address, reply)
}

// decode reads {revision, record}. It returns nil if either is missing.
func (s *redisStore) decode(key string, pair []any) (*engine.Call, error) {
	if at(pair, 0) == nil || at(pair, 1) == nil {
		return nil, nil
	}
	return s.records.decode(key, number(at(pair, 0)), []byte(text(at(pair, 1))))
}

// Insert is part of [engine.Calls].
func (s *redisStore) Insert(ctx context.Context, c *engine.Call) (*engine.Call, error) {
	ch, err := newChange(nil, c)
	if err != nil {
		return nil, err
	}
	return s.write(ctx, ch)
}

// Update is part of [engine.Calls].
func (s *redisStore) Update(ctx context.Context, old, next *engine.Call) (*engine.Call, error) {
	if old.Rev == 0 {
		return nil, engine.ErrConflict // it was never stored
	}
	ch, err := newChange(old, next)
	if err != nil {
		return nil, err
	}
	if _, err := s.write(ctx, ch); err != nil {
		return nil, err
	}
	return ch.next, nil
}

// Reassert is part of [engine.Calls].
func (s *redisStore) Reassert(ctx context.Context, c *engine.Call) error {
	for {
		stored, err := s.Get(ctx, c.Key())
		switch {
		case errors.Is(err, engine.ErrNotFound):
			stored = nil
		case err != nil:
			return err
		}
		n := engine.Reconcile(stored, c)
		if n == nil {
			return s.renew(ctx, stored)
		}
		ch, err := newReassertion(stored, n)
		if err != nil {
			return err
		}
		_, err = s.write(ctx, ch)
		if !errors.Is(err, engine.ErrConflict) && !errors.Is(err, engine.ErrExists) {
			return err
		}
	}
}

// Get is part of [engine.Calls].
func (s *redisStore) Get(ctx context.Context, key string) (*engine.Call, error) {
	var pair []any
	err := s.do(ctx, func(ctx context.Context) (err error) {
		pair, err = s.client.HMGet(ctx, keyCall(key), "rev", "doc").Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	c, err := s.decode(key, pair)
	if err == nil && c == nil {
		err = engine.ErrNotFound
	}
	return c, err
}

// Due is part of [engine.Calls].
func (s *redisStore) Due(ctx context.Context, t time.Time, alive []string, limit int) ([]string, error) {
	if limit <= 0 {
		return nil, nil
	}
	owners, err := s.owners(ctx)
	if err != nil {
		return nil, err
	}
	owners = append(owners, "") // last, so that a call that was left meanwhile is not missed
	gone := func(owner string) bool { return alive != nil && owner != "" && !slices.Contains(alive, owner) }
	replies := make([]*redis.ZSliceCmd, len(owners))
	err = s.do(ctx, func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, owner := range owners {
				z := redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(micros(t), 10), Count: int64(limit)}
				if gone(owner) {
					z.Max = "+inf"
				}
				replies[i] = p.ZRangeByScoreWithScores(ctx, keyDue(owner), &z)
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	var due []redis.Z
	for i, owner := range owners {
		of := replies[i].Val()
		due = append(due, of...)
		if len(of) == 0 && gone(owner) {
			if err := s.forgetOwner(ctx, owner); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(due, func(a, b redis.Z) int { return cmp.Compare(a.Score, b.Score) })
	keys := make([]string, 0, len(due))
	for _, z := range due[:min(limit, len(due))] {
		keys = append(keys, text(z.Member))
	}
	return keys, nil
}

// owners returns the instances that may have live calls.
func (s *redisStore) owners(ctx context.Context) (owners []string, err error) {
	err = s.do(ctx, func(ctx context.Context) (err error) {
		owners, err = s.client.SMembers(ctx, keyOwners).Result()
		return err
	})
	return owners, err
}

// forgetOwner drops an instance that is gone, if it has no live call. One that only slept is added by its next beat.
func (s *redisStore) forgetOwner(ctx context.Context, owner string) error {
	_, err := s.run(ctx, s.scripts.forget, []string{keyOwners, keyDue(owner)}, owner)
	return err
}

// CountLive is part of [engine.Calls].
func (s *redisStore) CountLive(ctx context.Context) (n int, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		count, err := s.client.ZCard(ctx, keyLive).Result()
		n = int(count)
		return err
	})
	return n, err
}

func (s *redisStore) scores(ctx context.Context, z redis.ZRangeArgs) (keys []string, err error) {
	err = s.do(ctx, func(ctx context.Context) (err error) {
		keys, err = s.client.ZRangeArgs(ctx, z).Result()
		return err
	})
	return keys, err
}

// The replies of a script are untyped.

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func at(l []any, i int) any {
	if i >= len(l) {
		return nil
	}
	return l[i]
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// number reads an integer, or the text that Redis returns for one.
func number(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if errors.Is(err, strconv.ErrSyntax) {
			f, _ := strconv.ParseFloat(v, 64)
			return int64(f)
		}
		return n
	}
	return 0
}
