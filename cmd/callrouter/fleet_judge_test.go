package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"callrouter/engine"
	"callrouter/positus/fake"
	"callrouter/store"
)

// slotWatch looks at the agents' slots in Redis all the time.
type slotWatch struct {
	mu      sync.Mutex
	looks   int
	over    int                      // readings with more slots taken than there are
	overAt  time.Time                // of the last one
	longest time.Duration            // a slot was held after its call had ended
	held    map[string]time.Duration // the same for each call
}

func (s *slotWatch) watch(ctx context.Context, f *fleet) {
	admin := f.redis.Admin()
	defer admin.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.look(ctx, f, admin)
		}
	}
}

// look reads all slots. Where Redis is away there is nothing to see.
func (s *slotWatch) look(ctx context.Context, f *fleet, admin *redis.Client) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	now, err := admin.Time(ctx).Result()
	if err != nil {
		return
	}
	var replies []*redis.StringSliceCmd
	if _, err = admin.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range agentsN {
			replies = append(replies, p.ZRangeByScore(ctx, "cr1:{callrouter}:slots:"+agentName(i),
				&redis.ZRangeBy{Min: "(" + strconv.FormatInt(now.UnixMicro(), 10), Max: "+inf"}))
		}
		return nil
	}); err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	for i, r := range replies {
		if len(r.Val()) > f.plan.capacityOf(i) {
			s.over++
			s.overAt = time.Now()
		}
		for _, m := range r.Val() {
			key, _, _ := strings.Cut(m, " ")
			f.callsMu.Lock()
			c := f.byKey[key]
			f.callsMu.Unlock()
			if c == nil {
				continue
			}
			if end, over := c.End(); over {
				if s.held == nil {
					s.held = map[string]time.Duration{}
				}
				s.held[c.ID] = time.Since(end.At)
				s.longest = max(s.longest, s.held[c.ID])
			}
		}
	}
}

// ruling is what became of all calls. The judge is the stand-in's log, not ours.
type ruling struct {
	calls, accepted, rejected, abandoned int // by what Positus saw
	lost, conflicting, doubled, late     int
	misled                               int // agents who were told that they have a call that another one has
	unrecorded, untrue, echoes           int // records that are not there, or that say what did not happen
	deliveries, refused                  int
	overCapacity                         int
	slowest                              time.Duration
	outcomes                             map[engine.Outcome]int
	twice                                []*fake.Call
}

// settle waits for the end of every call, and of its record.
func (f *fleet) settle(limit time.Duration) {
	f.t.Helper()
	began := time.Now()
	if !soon(limit, func() bool {
		return !slices.ContainsFunc(f.fake.Calls(), func(c *fake.Call) bool { return c.State() != fake.Ended })
	}) {
		f.t.Logf("there are calls that did not end within %s", limit)
	}
	soon(max(limit-time.Since(began), 3*time.Second), func() bool {
		for _, r := range f.records() {
			if r.State != engine.Ended {
				return false
			}
		}
		return true
	})
	f.t.Logf("settled %s after the last call", time.Since(began).Round(time.Millisecond))
}

// records are all records, by id, as the store has them.
func (f *fleet) records() map[string]*engine.Call {
	f.t.Helper()
	s, err := store.Open(context.Background(), f.redis.URL, store.Config{Timeout: 5 * time.Second})
	if err != nil {
		f.t.Fatal(err)
	}
	defer s.Close()
	list, err := s.List(context.Background(), engine.Filter{Limit: 1_000_000})
	if err != nil {
		f.t.Fatal(err)
	}
	all := map[string]*engine.Call{}
	for _, c := range list {
		all[c.ID] = c
	}
	return all
}

// judge reads the ruling, and fails the test for what must never be.
//
// Routers that share no store cannot know that two of them have the same call: each sends what it decided, and Positus
// takes the first. alone says that the test has such moments; then only what took effect counts, also of slots: what is
// written back to a store that has lost it is written whether or not there are slots for it.
func (f *fleet) judge(alone bool) ruling {
	f.t.Helper()
	v := ruling{outcomes: map[engine.Outcome]int{}}
	records := f.records()
	taken := map[string]bool{}
	for _, d := range f.fake.Deliveries() {
		v.deliveries++
		v.slowest = max(v.slowest, d.Latency)
		if !d.Delivered() {
			v.refused++
		} else if d.Event == "connect" {
			taken[d.CallIDs[0]] = true
		}
	}
	for _, c := range f.fake.Calls() {
		f.judgeOne(c, records[c.ID], taken[c.ID], &v)
	}
	v.overCapacity = f.overCapacity()
	f.report(v)
	for _, c := range v.twice {
		if !alone {
			f.complain(c, records[c.ID], "two decisions")
		}
	}
	if v.conflicting > 0 && !alone {
		f.t.Error("a call was decided in two ways")
	}
	if f.slots.over > 0 && !alone {
		f.t.Errorf("an agent had more slots taken than capacity in %d readings", f.slots.over)
	}
	if v.lost+v.misled+v.doubled+v.unrecorded+v.untrue+v.overCapacity > 0 {
		f.t.Error("a call was lost, had two actions, or was recorded as what it was not, or an agent had too many")
	}
	if v.accepted == 0 || v.rejected == 0 || f.answers.Load() == 0 {
		f.t.Error("too little happened, so nothing is proven")
	}
	return v
}

// complain reports what is wrong with one call.
func (f *fleet) complain(c *fake.Call, r *engine.Call, what string) {
	f.callsMu.Lock()
	at, way := f.placed[c.ID].Sub(f.began).Round(time.Millisecond), f.ways[c.ID]
	f.callsMu.Unlock()
	story := "no record"
	if r != nil {
		story = fmt.Sprintf("record %s %s (%s)", r.State, r.Outcome, r.Why)
		for _, t := range r.Transitions {
			story += fmt.Sprintf("; +%s %s %s", t.At.Sub(r.ReceivedAt).Round(time.Millisecond), t.State, t.Why)
		}
	}
	f.t.Errorf(
		"%s: call %s, placed at %s as %q; %s\n%s",
		what,
		engine.Key(c.ID),
		at,
		way,
		requests(f.fake.ActionsFor(c.ID)),
		story,
	)
}

func (f *fleet) judgeOne(c *fake.Call, r *engine.Call, taken bool, v *ruling) {
	v.calls++
	finals, applied := map[string]bool{}, 0
	for _, a := range f.fake.ActionsFor(c.ID) {
		if a.Kind == fake.KindAccept || a.Kind == fake.KindReject {
			finals[string(a.Kind)+string(a.Body)] = true
			if a.Applied() {
				applied++
			}
		}
	}
	was, end := endedAs(c)
	switch was {
	case fake.Accepted:
		v.accepted++
	case fake.Rejected:
		v.rejected++
	default:
		v.abandoned++
	}
	if len(finals) > 1 {
		v.conflicting++
		v.twice = append(v.twice, c)
	}
	f.callsMu.Lock()
	told := f.told[c.ID]
	f.callsMu.Unlock()
	for _, agent := range told {
		if i, ok := whoAnswers(c.Answer()); !ok || i != agent {
			v.misled++
			f.complain(c, r, fmt.Sprintf("%s was told to have the call, and has not", agentName(agent)))
		}
	}
	if applied > 1 {
		v.doubled++
		f.complain(c, r, "two final actions")
	}
	switch {
	case was == fake.Ringing, was == fake.Ended && end.By == fake.Network:
		v.lost++
		f.complain(c, r, fmt.Sprintf("lost, webhook taken %v", taken))
		return
	case r == nil:
		if taken {
			v.unrecorded++
			f.complain(c, r, "no record")
		}
		return
	}
	f.judgeRecord(c, r, was, v)
}

// endedAs is Accepted or Rejected for a call that was, Ended for one that ended without, and Ringing for one that
// rings.
func endedAs(c *fake.Call) (fake.State, fake.End) {
	end, over := c.End()
	for _, e := range c.Events() {
		if e.State == fake.Accepted || e.State == fake.Rejected {
			return e.State, end
		}
	}
	if over {
		return fake.Ended, end
	}
	return fake.Ringing, end
}

// judgeRecord compares a record with what happened.
func (f *fleet) judgeRecord(c *fake.Call, r *engine.Call, was fake.State, v *ruling) {
	v.outcomes[r.Outcome]++
	if r.State != engine.Ended {
		v.unrecorded++
		f.complain(c, r, "the record has no end")
		return
	}
	if r.Outcome == engine.TimedOut {
		v.late++
	}
	honest := false
	switch was {
	case fake.Accepted:
		honest = r.Outcome == engine.Answered
	case fake.Rejected:
		honest = r.Outcome == engine.Rejected
	default:
		honest = r.Outcome == engine.Abandoned || r.Outcome == engine.TimedOut
		// Whoever takes a call over cannot know whether the dead instance's reject came before the caller's end.
		if r.Adopted && r.Outcome == engine.Rejected {
			v.echoes++
			honest = true
		}
	}
	if !honest {
		v.untrue++
		f.complain(c, r, fmt.Sprintf("Positus saw %s", was))
	}
}

// overCapacity counts the moments at which an agent had more calls than capacity, by the stand-in's own times: a call
// counts from the accept that took effect, with the agent's SDP, to its end.
func (f *fleet) overCapacity() int {
	type step struct {
		at    time.Time
		delta int
		call  string
	}
	steps := map[int][]step{}
	for _, c := range f.fake.Calls() {
		i, ok := whoAnswers(c.Answer())
		if !ok {
			continue
		}
		for _, e := range c.Events() {
			switch e.State {
			case fake.Accepted:
				steps[i] = append(steps[i], step{e.At, +1, c.ID})
			case fake.Ended:
				steps[i] = append(steps[i], step{e.At, -1, c.ID})
			}
		}
	}
	over := 0
	for _, i := range slices.Sorted(maps.Keys(steps)) {
		slices.SortStableFunc(steps[i], func(a, b step) int {
			if d := a.at.Compare(b.at); d != 0 {
				return d
			}
			return a.delta - b.delta // an end goes before a beginning at the same instant
		})
		n := 0
		for _, s := range steps[i] {
			if n += s.delta; s.delta > 0 && n > f.plan.capacityOf(i) {
				over++
				f.t.Errorf("%s has %d calls, capacity %d, at %s: call %s", agentName(i), n, f.plan.capacityOf(i),
					s.at.Sub(f.began).Round(time.Millisecond), engine.Key(s.call))
			}
		}
	}
	return over
}

// store says what the store answered to all routers.
func (f *fleet) store() (conflicts, busy, gate int64) {
	for _, m := range f.members {
		conflicts += m.proxy.conflicts.Load()
		busy += m.proxy.busy.Load()
		gate += m.proxy.gate.Load()
	}
	return conflicts, busy, gate
}

func (f *fleet) report(v ruling) {
	conflicts, busy, gate := f.store()
	f.slots.mu.Lock()
	defer f.slots.mu.Unlock()
	f.t.Logf("%s", f.t.Name())
	f.t.Logf(
		"calls %d: accepted %d, rejected %d, ended by the caller %d; decided in two ways %d, two actions applied %d, lost %d, too late %d, agents misled %d",
		v.calls,
		v.accepted,
		v.rejected,
		v.abandoned,
		v.conflicting,
		v.doubled,
		v.lost,
		v.late,
		v.misled,
	)
	f.t.Logf(
		"records: %v; missing %d, untrue %d, rejected or abandoned unknowable %d",
		v.outcomes,
		v.unrecorded,
		v.untrue,
		v.echoes,
	)
	f.t.Logf(
		"agents: offers %d, answered %d, declined %d, missed %d, taken by another %d, ended or expired %d, set away %d, new tokens %d",
		f.offers.Load(),
		f.answers.Load(),
		f.declines.Load(),
		f.missed.Load(),
		f.taken409.Load(),
		f.other409.Load(),
		f.asides.Load(),
		f.renewedTokens.Load()-agentsN,
	)
	f.t.Logf("capacity: over at Positus %d; in the store %d of %d readings; longest slot after its call %s",
		v.overCapacity, f.slots.over, f.slots.looks, f.slots.longest.Round(time.Millisecond))
	f.t.Logf("store: compare-and-set refused %d, no free slot %d, gate closed %d", conflicts, busy, gate)
	f.t.Logf(
		"webhooks %d: not 2xx %d (reset %d, nobody there %d), slow instances skipped %d, slowest %s; kills %d",
		v.deliveries,
		v.refused,
		f.resets.Load(),
		f.nobody.Load(),
		f.timeouts.Load(),
		v.slowest.Round(time.Millisecond),
		f.kills.Load(),
	)
}

// freed fails if a slot was held for longer than that after its call, or if any is held now.
func (f *fleet) freed(limit time.Duration) {
	f.t.Helper()
	admin := f.redis.Admin()
	defer admin.Close()
	within(f.t, limit, "every slot is free", func() bool {
		now, err := admin.Time(context.Background()).Result()
		if err != nil {
			return false
		}
		for i := range agentsN {
			n, err := admin.ZCount(
				context.Background(),
				"cr1:{callrouter}:slots:"+agentName(i),
				fmt.Sprintf("(%d", now.UnixMicro()),
				"+inf",
			).Result()
			if err != nil || n > 0 {
				return false
			}
		}
		return true
	})
	f.slots.mu.Lock()
	defer f.slots.mu.Unlock()
	for id, d := range f.slots.held {
		if d > limit {
			f.t.Errorf("the slot of call %s was held %s after its end", engine.Key(id), d.Round(time.Millisecond))
		}
	}
}
