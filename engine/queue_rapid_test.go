package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"callrouter/engine"
	"callrouter/rules"
)

const queueRules = `
version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: n-1}
agents: {ana: {}, bruno: {capacity: 2}, carla: {}, dora: {capacity: 2}}
queues:
  sales: {agents: [ana, bruno, carla], ring: 6s, wrap_up: 15s, away_after: 0, strategy: in_order}
  support: {agents: [bruno, carla, dora], ring: 5s, wrap_up: 0s, away_after: 0, strategy: STRATEGY}
rules:
  - {name: sales, when: 'payload == "sales"', then: {handoff: sales}}
  - {name: support, when: 'payload == "support"', then: {handoff: support}}
  - {name: sales who wait, when: 'payload == "sales, wait"', then: {handoff: {queue: sales, wait: 30s}}}
  - {name: support who wait, when: 'payload == "support, wait"', then: {handoff: {queue: support, wait: 20s}}}
default: reject
limits: {answer_within: 45s, max_call: 2m}
`

// longestWait is the wait of each rule.
var longestWait = map[string]time.Duration{"sales who wait": 30 * time.Second, "support who wait": 20 * time.Second}

// desks is four agents at two queues, and everybody who calls.
type desks struct {
	*platform
	p      *proof
	file   *rules.File
	calls  []*engine.Call // as last read
	queues []string       // of the calls
	here   map[string]func()
	away   map[string]bool
	seen   map[string]bool      // offers that were looked at
	last   map[string]lookAgent // what was last seen of agents
}

// lookAgent is an agent at an instant.
type lookAgent struct {
	engine.AgentState
	at       time.Time
	capacity int
}

// room reports whether the agent could be rung.
func (l lookAgent) room() bool { return l.Available() && len(l.Slots) < l.capacity }

var everybody = []string{"ana", "bruno", "carla", "dora"}

// TestQueueInAnyOrder: whatever agents and callers do, a call is in one place, no agent has too many, none is rung
// twice for one call, who waits is served in order and leaves in time, and nobody waits while an agent is free.
func TestQueueInAnyOrder(t *testing.T) {
	files := map[rules.Strategy]*rules.File{}
	strategies := []rules.Strategy{rules.InOrder, rules.LongestIdle, rules.LeastBusy, rules.RoundRobin, rules.RingAll}
	for _, s := range strategies {
		files[s] = loadRules(t, t.TempDir(), strings.Replace(queueRules, "STRATEGY", string(s), 1))
	}
	rapid.Check(t, func(t *rapid.T) {
		file := files[rapid.SampledFrom(strategies).Draw(t, "strategy of support")]
		rapid.SyncTest(t, func(t *rapid.T) {
			d := &desks{
				platform: newPlatform(), file: file, here: map[string]func(){}, away: map[string]bool{},
				seen: map[string]bool{}, last: map[string]lookAgent{},
			}
			d.p = newProof(t, file, d)
			for _, agent := range everybody {
				d.comes(t, agent)
			}
			t.Repeat(map[string]func(*rapid.T){
				"a call comes": d.call, "another call comes": d.call, "a third call comes": d.call,
				"an agent comes or leaves": d.comeOrLeave, "an agent goes away or is back": d.goAway,
				"an agent answers": d.answer, "an agent declines": d.decline, "an agent hangs up": d.hangUp,
				"a caller leaves": d.callerLeaves, "an agent answers as the caller leaves": d.cross,
				"time passes": d.pass, "more time passes": d.pass, "capacity is set": d.setCapacity,
				"": d.look,
			})
			pass(3 * time.Minute)
			d.look(t)
			d.closing(t)
		})
	})
}

func (d *desks) call(t *rapid.T) {
	payload := rapid.SampledFrom(
		[]string{"sales", "support", "sales, wait", "sales, wait", "support, wait"},
	).Draw(
		t,
		"call",
	)
	id := fmt.Sprint("call ", len(d.calls))
	d.ring(id)
	queue, _, _ := strings.Cut(payload, ",")
	d.calls, d.queues = append(d.calls, &engine.Call{ID: id}), append(d.queues, queue)
	d.ok(t, d.p.connect(id, caller, payload))
}

func (d *desks) ok(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func (d *desks) agent(t *rapid.T) string { return rapid.SampledFrom(everybody).Draw(t, "agent") }

func (d *desks) comes(t *rapid.T, agent string) {
	ctx, leave := context.WithCancel(context.Background())
	d.ok(t, d.p.e.Present(ctx, agent, "tab of "+agent))
	d.here[agent] = leave
}

func (d *desks) comeOrLeave(t *rapid.T) {
	agent := d.agent(t)
	if leave := d.here[agent]; leave != nil {
		leave()
		delete(d.here, agent)
		return
	}
	d.comes(t, agent)
}

func (d *desks) goAway(t *rapid.T) {
	agent := d.agent(t)
	d.away[agent] = !d.away[agent]
	d.ok(t, d.p.store.SetStatus(context.Background(), agent, d.away[agent], "lunch"))
}

func (d *desks) setCapacity(t *rapid.T) {
	agent, until := d.agent(t), time.Now().Add(time.Hour)
	if n := rapid.IntRange(-1, 3).Draw(t, "capacity"); n >= 0 {
		d.ok(t, d.p.store.SetCapacity(context.Background(), agent, &n, until))
	} else {
		d.ok(t, d.p.store.SetCapacity(context.Background(), agent, nil, until))
	}
}

func (d *desks) pass(t *rapid.T) {
	pass(time.Duration(rapid.IntRange(1, 80).Draw(t, "tenths of a second")) * 100 * time.Millisecond)
}

// draw picks a call in one of some states.
func (d *desks) draw(t *rapid.T, states ...engine.State) *engine.Call {
	var some []*engine.Call
	for _, c := range d.calls {
		if slices.Contains(states, c.State) {
			some = append(some, c)
		}
	}
	if len(some) == 0 {
		t.Skip("there is no such call")
	}
	return rapid.SampledFrom(some).Draw(t, "which")
}

// offer picks an offer that rings.
func (d *desks) offer(t *rapid.T) (*engine.Call, engine.Offer) {
	c := d.draw(t, engine.Offered)
	pending := slices.DeleteFunc(slices.Clone(c.Offers), func(o engine.Offer) bool { return o.Result != "" })
	return c, rapid.SampledFrom(pending).Draw(t, "offer")
}

func (d *desks) answer(t *rapid.T) {
	_, o := d.offer(t)
	d.ok(t, d.p.e.Answer(context.Background(), o.Agent, o.ID, "answer of "+o.Agent))
}

func (d *desks) decline(t *rapid.T) {
	_, o := d.offer(t)
	d.ok(t, d.p.e.Decline(context.Background(), o.Agent, o.ID))
}

func (d *desks) hangUp(t *rapid.T) {
	c := d.draw(t, engine.Active)
	d.ok(t, d.p.e.HangUpOwn(context.Background(), c.Agent, c.ID, ""))
}

func (d *desks) callerLeaves(t *rapid.T) {
	c := d.draw(t, engine.Waiting, engine.Offered, engine.Active)
	d.ok(t, d.p.terminate(c.ID, d.end(c.ID)))
}

// cross lets an agent answer at the instant at which the caller leaves.
func (d *desks) cross(t *rapid.T) {
	c, o := d.offer(t)
	var both sync.WaitGroup
	var answered, told error
	both.Go(func() { answered = d.p.e.Answer(context.Background(), o.Agent, o.ID, "answer of "+o.Agent) })
	both.Go(func() { told = d.p.terminate(c.ID, d.end(c.ID)) })
	both.Wait()
	d.ok(t, told)
	if answered != nil && !errors.Is(answered, engine.ErrEnded) {
		t.Fatalf("%s was told %v", o.Agent, answered)
	}
}

// look reads everything, and holds it against what must be.
func (d *desks) look(t *rapid.T) {
	synctest.Wait()
	now, ctx := time.Now(), context.Background()
	snap, err := d.p.store.Snapshot(ctx, engine.Query{Agents: everybody, Queues: []string{"sales", "support"}})
	d.ok(t, err)
	places := map[string][]string{} // by call's key, where it is
	for queue, waiters := range snap.Queues {
		for _, w := range waiters {
			places[w.Key] = append(places[w.Key], "waits in "+queue)
		}
	}
	for _, agent := range everybody {
		v, err := d.p.e.View(ctx, agent)
		d.ok(t, err)
		for _, o := range v.Offers {
			places[o.Call.Key()] = append(places[o.Call.Key()], "rings at "+agent)
		}
		for _, c := range v.Calls {
			places[c.Key()] = append(places[c.Key()], "talks to "+agent)
		}
		for _, s := range v.State.Slots {
			places[s.Call] = append(places[s.Call], fmt.Sprintf("%s slot of %s", s.Kind, agent))
		}
	}
	for i, c := range d.calls {
		c, err := d.p.store.Get(ctx, c.Key())
		d.ok(t, err)
		d.calls[i] = c
		got := places[c.Key()]
		want := d.place(c, now)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%s is %s; it should be found as %q, and is found as %q", c.ID, c.State, want, got)
		}
	}
	for _, c := range d.calls {
		d.lookOffers(t, c)
	}
	for _, agent := range everybody {
		d.lookAgent(t, agent, snap.Agents[agent], now)
	}
}

// place is where a call must be found by its record: everywhere it is listed, and nowhere else.
func (d *desks) place(c *engine.Call, now time.Time) (want []string) {
	switch c.State {
	case engine.Waiting:
		return []string{"waits in " + c.Step.Queue}
	case engine.Offered:
		for _, o := range c.Offers {
			if o.Result == "" {
				want = append(want, "rings at "+o.Agent, "ringing slot of "+o.Agent)
			}
		}
		if len(want) == 0 {
			return []string{"nobody is rung"}
		}
	case engine.Active:
		return []string{"talks to " + c.Agent, "active slot of " + c.Agent}
	case engine.Ended:
		if problem := incomplete(c); problem != "" {
			return []string{problem}
		}
		if c.Agent != "" && !c.ActiveAt.IsZero() && now.Before(c.EndedAt.Add(c.WrapUp)) {
			return []string{"wrap_up slot of " + c.Agent}
		}
	default: // nothing takes time here
		return []string{"a call that stays " + string(c.State)}
	}
	return want
}

// lookOffers checks the offers of a call that are new: to whom, and that it was its turn.
func (d *desks) lookOffers(t *rapid.T, c *engine.Call) {
	for i, o := range c.Offers {
		if slices.ContainsFunc(c.Offers[:i], func(b engine.Offer) bool { return b.Agent == o.Agent }) {
			t.Fatalf("%s was offered to %s twice: %+v", c.ID, o.Agent, c.Offers)
		}
		if d.seen[o.ID] {
			continue
		}
		d.seen[o.ID] = true
		if d.here[o.Agent] == nil || d.away[o.Agent] {
			t.Fatalf("%s was offered to %s, who is not there", c.ID, o.Agent)
		}
		for j, earlier := range d.calls {
			if d.queues[j] == o.Queue && earlier.ReceivedAt.Before(c.ReceivedAt) && waitedAt(earlier, o) &&
				!d.outrun(earlier, o) {
				t.Fatalf("%s was offered to %s although %s waited for longer", c.ID, o.Agent, earlier.ID)
			}
		}
	}
}

// outrun reports whether, at the instant of an offer, an agent whom the other queue shares was free for an earlier
// call as well, and that queue was faster: who yields one agent to each earlier call cannot know that.
func (d *desks) outrun(earlier *engine.Call, o engine.Offer) bool {
	for _, c := range d.calls {
		for _, b := range c.Offers {
			q, _ := d.file.Queue(o.Queue)
			if b.At.Equal(o.At) && b.Queue != o.Queue && b.Agent != o.Agent && slices.Contains(q.Agents, b.Agent) &&
				waitedAt(earlier, b) {
				return true
			}
		}
	}
	return false
}

// waitedAt reports whether a call waited before and after another one's offer was made, and could have had its agent.
func waitedAt(c *engine.Call, o engine.Offer) bool {
	if slices.ContainsFunc(c.Offers, func(b engine.Offer) bool { return b.Agent == o.Agent && b.At.Before(o.At) }) {
		return false
	}
	for i, tr := range c.Transitions {
		last := i == len(c.Transitions)-1
		if tr.State == engine.Waiting && tr.At.Before(o.At) && (last || c.Transitions[i+1].At.After(o.At)) {
			return true
		}
	}
	return false
}

// lookAgent checks that an agent has not got too much, and is not left idle while somebody waits.
func (d *desks) lookAgent(t *rapid.T, agent string, s engine.AgentState, now time.Time) {
	file, _ := d.file.Agent(agent)
	l := lookAgent{AgentState: s, at: now, capacity: file.Capacity}
	if s.Capacity != nil {
		l.capacity = *s.Capacity
	}
	before, known := d.last[agent]
	d.last[agent] = l
	if len(s.Slots) > l.capacity { // only what was there before the capacity was lowered
		for _, slot := range s.Slots {
			if !slices.ContainsFunc(before.Slots, func(b engine.Slot) bool { return b.Call == slot.Call }) {
				t.Fatalf("%s has capacity %d, and was given %+v", agent, l.capacity, s.Slots)
			}
		}
	}
	idle := known && before.room() && l.room() && before.OfferedAt.Equal(s.OfferedAt) &&
		now.Sub(before.at) > engine.DefaultTiming().Poll
	for _, c := range d.calls {
		if !idle || c.State != engine.Waiting || c.Transitions[len(c.Transitions)-1].At.After(before.at) {
			continue
		}
		q, _ := d.file.Queue(c.Step.Queue)
		if slices.Contains(q.Agents, agent) &&
			!slices.ContainsFunc(c.Offers, func(o engine.Offer) bool { return o.Agent == agent }) {
			t.Fatalf("%s waits since %v ago, and %s had a free slot all the time", c.ID, now.Sub(before.at), agent)
		}
	}
}

// closing checks that every call has left, and how.
func (d *desks) closing(t *rapid.T) {
	told := d.p.told.ends()
	for _, c := range d.calls {
		if c.State != engine.Ended || told[c.ID] != 1 {
			t.Fatalf("%s is %s, and its end was told %d times", c.ID, c.State, told[c.ID])
		}
		waited := time.Duration(0)
		for i, tr := range c.Transitions {
			if tr.State == engine.Waiting {
				waited += c.Transitions[i+1].At.Sub(tr.At)
			}
		}
		if waited > longestWait[c.Rule] && c.By == rules.ByRule || waited > 30*time.Second {
			t.Fatalf("%s waited for %v: %+v", c.ID, waited, c.Transitions)
		}
		talked := !c.ActiveAt.IsZero()
		if slices.Contains(d.actions(c.ID), "accept") != talked && c.Outcome != engine.Abandoned {
			t.Fatalf("%s: %s (%s), and the platform did %v", c.ID, c.Outcome, c.Why, d.actions(c.ID))
		}
	}
	for agent, l := range d.last {
		if len(l.Slots) > 0 {
			t.Fatalf("%s still has %+v", agent, l.Slots)
		}
	}
}

// TestTwoAtOneInstant: of two calls that came at one instant one is served first, instead of each yielding to the
// other.
func TestTwoAtOneInstant(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.connect("a", vip)
		w.connect("b", vip)
		a, b := w.want("a", engine.Waiting, ""), w.want("b", engine.Waiting, "")
		if !a.Step.Joined.Equal(b.Step.Joined) {
			t.Fatalf("they came at %s and %s", a.Step.Joined, b.Step.Joined)
		}
		w.present("ana")
		w.offer("ana")
	})
}
