package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"callrouter/engine"
)

// luaPlan is what write.lua does besides storing the record. Times are in microseconds.
type luaPlan struct {
	Live         bool       `json:"live"`
	Received     int64      `json:"received"`
	Due          int64      `json:"due"` // 0: not due
	Ended        int64      `json:"ended"`
	CallerBefore bool       `json:"caller_before"` // remove it from the calls of its former caller
	Caller       bool       `json:"caller"`        // add it to those of its caller
	Waited       bool       `json:"waited"`        // the same for queues
	Waiter       string     `json:"waiter"`
	QueueChanges bool       `json:"queue_changes"`
	Seen         int64      `json:"seen"`  // the revision the queue must have; 0: any
	Force        bool       `json:"force"` // take slots even over the capacity
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
	p := luaPlan{
		Live: ch.next.Live(), Received: micros(ch.next.ReceivedAt), Ended: micros(endOf(ch.next)),
		Caller: ch.next.CallerKey != "",
		Agents: []luaAgent{}, Topics: append([]string{}, ch.topics...),
		QueueChanges: ch.queueChanges(), Seen: ch.seen, Force: ch.force,
	}
	if p.Live {
		p.Due = micros(ch.next.Due)
	}
	if ch.old != nil {
		p.CallerBefore = ch.old.CallerKey != "" && ch.old.CallerKey != ch.next.CallerKey
		_, _, p.Waited = waits(ch.old)
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
func (s *redisStore) Due(ctx context.Context, t time.Time, limit int) ([]string, error) {
	if limit <= 0 {
		return nil, nil
	}
	return s.scores(ctx, redis.ZRangeArgs{
		Key: keyDue, ByScore: true, Start: "-inf", Stop: micros(t), Count: int64(limit),
	})
}

func (s *redisStore) scores(ctx context.Context, z redis.ZRangeArgs) (keys []string, err error) {
	err = s.do(ctx, func(ctx context.Context) (err error) {
		keys, err = s.client.ZRangeArgs(ctx, z).Result()
		return err
	})
	return keys, err
}

// listBatch is how many records are read in one step.
const listBatch = 100

// List is part of [engine.Calls]. It reads in several steps, so a long list is no snapshot. Each step begins where the
// last one ended: at that time, after as many records of that time as were read. An offset from the start would make
// Redis skip everything read before.
func (s *redisStore) List(ctx context.Context, f engine.Filter) ([]*engine.Call, error) {
	index := keyReceived
	switch {
	case f.Caller != "":
		index = keyCaller(f.Caller)
	case f.State != "" && f.State != engine.Ended:
		index = keyLive
	}
	z := redis.ZRangeArgs{
		Key: index, ByScore: true, Rev: !f.Oldest, Start: "+inf", Stop: micros(f.Since), Count: listBatch,
	}
	if f.Oldest {
		z.Start, z.Stop = z.Stop, z.Start
	}
	var calls []*engine.Call
	for at := math.Inf(-1); ; {
		var page []redis.Z
		err := s.do(ctx, func(ctx context.Context) (err error) {
			page, err = s.client.ZRangeArgsWithScores(ctx, z).Result()
			return err
		})
		if err != nil {
			return nil, err
		}
		keys := make([]string, len(page))
		for i, m := range page {
			keys[i], _ = m.Member.(string)
			if m.Score != at {
				at, z.Offset = m.Score, 0
			}
			z.Offset++
		}
		batch, err := s.read(ctx, keys)
		if err != nil {
			return nil, err
		}
		for _, c := range batch {
			if matches(f, c) {
				calls = append(calls, c)
			}
			if len(calls) == limitOf(f) {
				return calls, nil
			}
		}
		if len(page) < listBatch {
			return calls, nil
		}
		z.Start = int64(at)
	}
}

// read reads records, except those that are gone or damaged.
func (s *redisStore) read(ctx context.Context, keys []string) ([]*engine.Call, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = keyCall(key)
	}
	reply, err := s.run(ctx, s.scripts.read, names)
	if err != nil {
		return nil, err
	}
	var calls []*engine.Call
	for i, pair := range list(reply) {
		c, err := s.decode(keys[i], list(pair))
		if err != nil && !errors.Is(err, engine.ErrDamaged) {
			return nil, err
		}
		if c != nil {
			calls = append(calls, c)
		}
	}
	return calls, nil
}

// Purge is part of [engine.Calls]. It also deletes switches and entries that ended before t.
func (s *redisStore) Purge(ctx context.Context, t time.Time) (int, error) {
	total := 0
	for {
		keys, err := s.scores(ctx, redis.ZRangeArgs{
			Key: keyEnded, ByScore: true, Start: "-inf", Stop: "(" + strconv.FormatInt(micros(t), 10), Count: listBatch,
		})
		if err != nil {
			return total, err
		}
		callers, err := s.callers(ctx, keys)
		if err != nil {
			return total, err
		}
		n := 0
		for i, key := range keys {
			names := []string{keyCall(key), keyReceived, keyLive, keyEnded, keyDue, keyCaller(callers[i])}
			reply, err := s.run(ctx, s.scripts.purge, names, key, micros(t))
			if err != nil {
				return total, err
			}
			n += int(number(reply))
		}
		total += n
		if n == 0 || len(keys) < listBatch {
			return total, s.purgeExpired(ctx, t)
		}
	}
}

// callers returns the callers of records, empty for those that have none, or that do not tell.
func (s *redisStore) callers(ctx context.Context, keys []string) ([]string, error) {
	callers := make([]string, len(keys))
	calls, err := s.read(ctx, keys)
	for _, c := range calls {
		callers[slices.Index(keys, c.Key())] = c.CallerKey
	}
	return callers, err
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
