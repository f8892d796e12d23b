package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/console"
	"callrouter/engine"
	"callrouter/positus/fake"
)

// crashRules leave time for two leases of dead processes within the window.
const crashRules = `version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: ` + numberID + `}
agents:
  ana: {name: Ana Souza, capacity: 1}
  bruno: {name: Bruno Lima, capacity: 1}
queues:
  one: {agents: [ana], ring: 20s}
  all: {agents: [ana, bruno], strategy: ring_all, ring: 20s}
  two: {agents: [ana, bruno], strategy: in_order, ring: 3s, away_after: 0}
answers:
  bot: {url: "ANSWERER", timeout: 2s}
  greeting: {play: greeting.ogg}
messages:
  closed: {text: "Estamos fechados.", at_most_every: 1h}
limits: {answer_within: 55s, max_call: MAX_CALL}
rules:
  - {name: refused, when: payload == "reject", then: reject}
  - {name: told, when: payload == "message", then: {reject: {message: closed}}}
  - {name: robot, when: payload == "bot", then: {accept: bot}}
  - {name: voice, when: payload == "play", then: {accept: greeting}}
  - {name: all, when: payload == "all", then: {handoff: {queue: all, wait: 20s}}}
  - {name: one, when: payload == "one", then: {handoff: {queue: one, wait: 30s}}}
  - {name: two, when: payload == "two", then: {handoff: {queue: two, wait: 20s}}}
default: reject
`

// settleWithin is how long a scenario may take to come to its end: its own time, the lease of a process that died and
// the next sweep.
const settleWithin = 30 * time.Second

// slotsWithin is after which time all slots must be given back: a lease and a sweep.
const slotsWithin = 11 * time.Second

// crashScenario is a way that calls can go. Who plays in it goes on whether the router is there or not.
type crashScenario struct {
	name     string
	maxCall  string // 1h if empty
	phones   []fake.Phone
	cast     func(r *crashRun)
	outcomes []engine.Outcome // how its calls may end
	hangsUp  bool             // the router may hang up
	edited   bool             // the rules file is another one after the first death
	renewed  bool             // an accept that is repeated has an SDP answer of its own
}

var crashScenarios = []crashScenario{
	{name: "rejected", phones: []fake.Phone{{CTAPayload: "reject"}}, outcomes: []engine.Outcome{engine.Rejected}},
	{name: "accepted", phones: []fake.Phone{{CTAPayload: "bot", TalkFor: 300 * time.Millisecond}},
		outcomes: []engine.Outcome{engine.Answered}},
	{name: "handed off, hung up by the administrator", phones: []fake.Phone{{CTAPayload: "one"}},
		cast:     func(r *crashRun) { r.agent("ana", true); r.goes(r.administrator) },
		outcomes: []engine.Outcome{engine.Answered}, hangsUp: true},
	{
		name:     "rejected with a message",
		phones:   []fake.Phone{{CTAPayload: "message"}},
		outcomes: []engine.Outcome{engine.Rejected},
	},
	{name: "declined, missed, then the default", phones: []fake.Phone{{CTAPayload: "two"}},
		cast:     func(r *crashRun) { r.declines(r.agent("ana", false)); r.agent("bruno", false) },
		outcomes: []engine.Outcome{engine.Rejected}},
	{name: "missed, then the second agent", phones: []fake.Phone{{CTAPayload: "two", TalkFor: 300 * time.Millisecond}},
		cast: func(r *crashRun) { r.agent("ana", false); r.agent("bruno", true) },
		// While the router is gone the second agent's phone may ring out too.
		outcomes: []engine.Outcome{engine.Answered, engine.Rejected}},
	{name: "waits until the agent is free", phones: []fake.Phone{
		{CTAPayload: "one", TalkFor: 600 * time.Millisecond},
		{CTAPayload: "one", TalkFor: 300 * time.Millisecond, ConnectDelay: 300 * time.Millisecond},
	}, cast: func(r *crashRun) { r.agent("ana", true) }, outcomes: []engine.Outcome{engine.Answered}},
	{
		name:     "the caller hangs up while it rings",
		phones:   []fake.Phone{{CTAPayload: "one", HangUpAfter: 600 * time.Millisecond}},
		cast:     func(r *crashRun) { r.agent("ana", false) },
		outcomes: []engine.Outcome{engine.Abandoned},
	},
	{name: "everybody rings", phones: []fake.Phone{{CTAPayload: "all", TalkFor: 300 * time.Millisecond}},
		cast: func(r *crashRun) { r.agent("ana", true); r.agent("bruno", true) }, outcomes: []engine.Outcome{engine.Answered}},
	{
		name:     "the caller hangs up as the call is accepted",
		phones:   []fake.Phone{{CTAPayload: "bot", HangUpOnAccept: true}},
		outcomes: []engine.Outcome{engine.Answered},
	},
	{name: "the end comes before the beginning", phones: []fake.Phone{{CTAPayload: "reject", TerminateFirst: true}},
		outcomes: []engine.Outcome{engine.Abandoned}},
	// Waiting and ringing calls whose rules are gone take the default.
	{name: "other rules after the restart", phones: []fake.Phone{{CTAPayload: "one", TalkFor: 300 * time.Millisecond}},
		cast: func(r *crashRun) { r.agent("ana", true) }, edited: true, outcomes: []engine.Outcome{engine.Answered, engine.Rejected}},
	{
		name:     "the rules are reloaded while it rings",
		phones:   []fake.Phone{{CTAPayload: "one", TalkFor: 300 * time.Millisecond}},
		cast:     func(r *crashRun) { r.agent("ana", true); r.edit(); r.goes(r.reloads) },
		outcomes: []engine.Outcome{engine.Answered, engine.Rejected},
	},
	// The audio dies with its process: what was accepted is hung up, what was not is accepted with new audio.
	{name: "audio", phones: []fake.Phone{{CTAPayload: "play", Media: true}}, renewed: true, hangsUp: true,
		outcomes: []engine.Outcome{engine.Answered, engine.Reaped, engine.Failed}},
	{name: "longer than max_call", maxCall: "1s", phones: []fake.Phone{{CTAPayload: "one"}},
		cast: func(r *crashRun) { r.agent("ana", true) }, outcomes: []engine.Outcome{engine.Reaped}, hangsUp: true},
}

// crashRun is one run of a scenario in a world of its own.
type crashRun struct {
	*world
	crashPlan
	binary string
	points string // file with the points that were reached
	calls  []*fake.Call
	ctx    context.Context
	actors sync.WaitGroup
}

func newCrashRun(t *testing.T, binary, store string, p crashPlan) *crashRun {
	t.Helper()
	maxCall := p.scenario.maxCall
	if maxCall == "" {
		maxCall = "1h"
	}
	w := newWorld(t, plan{
		store: store, rules: strings.ReplaceAll(crashRules, "MAX_CALL", maxCall),
		dials: fake.Dials{Delivery: fake.DeliveryDials{Retries: 200, RetryEvery: 300 * time.Millisecond}},
	})
	r := &crashRun{world: w, crashPlan: p, binary: binary, points: filepath.Join(w.dir, "points")}
	ctx, cancel := context.WithCancel(context.Background())
	r.ctx = ctx
	t.Cleanup(func() { cancel(); r.actors.Wait() })
	return r
}

// begin lets everybody come and the calls begin.
func (r *crashRun) begin(p *process) {
	r.t.Helper()
	p.serves(r.t, &r.logs)
	r.putGate()
	if r.scenario.cast != nil {
		r.scenario.cast(r)
	}
	for _, ph := range r.scenario.phones {
		ph.Number, ph.Name, ph.Window = phone("").Number, "Canária", 5*time.Minute
		ph.TerminateDelay = 150 * time.Millisecond // so that it never races the reply to what ended the call
		r.calls = append(r.calls, r.call(ph))
	}
}

// goes lets somebody act until the run is over.
func (r *crashRun) goes(act func()) { r.actors.Go(act) }

// pause waits a moment, and reports whether the run goes on.
func (r *crashRun) pause() bool {
	select {
	case <-r.ctx.Done():
		return false
	case <-time.After(30 * time.Millisecond):
		return true
	}
}

// agent lets an agent come to work, and returns once the router offers calls to it.
func (r *crashRun) agent(name string, picks bool) *agent {
	r.t.Helper()
	a := newAgent(r.world, name, "", picks)
	within(r.t, settleWithin, "a token for "+name, func() (ok bool) {
		var err error
		a.token, err = r.admins().NewToken(r.t.Context(), name)
		return err == nil
	})
	r.keep(a.token)
	r.goes(func() {
		for r.pause() {
			a.listen(r.ctx, &r.actors)
		}
	})
	select {
	case <-a.online:
	case <-time.After(settleWithin):
		r.t.Fatalf("agent %s cannot connect\n%s", name, excerpt(&r.logs))
	}
	return a
}

// administrator hangs up whatever is active, again while there is no answer.
func (r *crashRun) administrator() {
	for r.pause() {
		for _, c := range r.world.fake.Calls() {
			if rec, ok := r.peek(c.ID); ok && rec.State == engine.Active {
				_, _ = r.admins().HangUp(r.t.Context(), c.ID)
			}
		}
	}
}

// reloads has the rules read again, until that was done.
func (r *crashRun) reloads() {
	for r.pause() {
		if _, err := r.admins().Reload(r.t.Context()); err == nil {
			return
		}
	}
}

// declines lets an agent decline every offer, again while there is no answer.
func (r *crashRun) declines(a *agent) {
	r.goes(func() {
		for {
			select {
			case event := <-a.events:
				for e, ok := event.(console.OfferEvent); ok; ok = r.pause() {
					if _, _, err := outcome(r.api(a.token).Decline(r.t.Context(), e.Offer)); err == nil {
						break
					}
				}
			case <-r.ctx.Done():
				return
			}
		}
	})
}

// peek reads a record from a router that may be gone.
func (r *crashRun) peek(id string) (rec record, ok bool) {
	status, body, err := r.try(http.MethodGet, "/api/v1/calls/"+url.PathEscape(id), r.admin, nil)
	ok = err == nil && status == http.StatusOK && json.Unmarshal(body, &rec) == nil
	return rec, ok
}

// settled reports whether all is over: the calls at the phones, their webhooks, their records.
func (r *crashRun) settled() bool {
	for _, c := range r.calls {
		if _, over := c.End(); !over || !r.delivered("connect", c.ID) || !r.delivered("terminate", c.ID) {
			return false
		}
	}
	for _, c := range r.calls {
		if rec, ok := r.peek(c.ID); !ok || rec.State != engine.Ended {
			return false
		}
	}
	return true
}

func (r *crashRun) delivered(event, id string) bool {
	return slices.ContainsFunc(r.fake.Deliveries(), func(d fake.Delivery) bool {
		return d.Event == event && d.Delivered() && slices.Contains(d.CallIDs, id)
	})
}

// judge compares what was done, as the stand-in saw it, with what must be done and with the records.
func (r *crashRun) judge(sum *crashSum) {
	r.t.Helper()
	for _, c := range r.calls {
		r.judgeOne(c, sum)
	}
	texts := 0
	for _, q := range r.fake.Requests() {
		if q.Kind == fake.KindMessage {
			texts++
		}
	}
	if texts > len(r.calls) {
		r.t.Errorf("%d messages were sent for %d calls", texts, len(r.calls))
	}
	var held []string
	if !soon(slotsWithin, func() bool { held = r.held(); return len(held) == 0 }) {
		sum.add(func() { sum.slots += len(held) })
		r.t.Errorf("slots left: %v", held)
	}
}

// held is which calls agents still have.
func (r *crashRun) held() []string {
	agents, err := r.admins().Agents(r.t.Context())
	if err != nil {
		return []string{fmt.Sprintf("the agents cannot be read: %v", err)}
	}
	var held []string
	for _, a := range agents {
		for _, id := range a.Held {
			held = append(held, a.Agent+" has "+engine.Key(id))
		}
	}
	return held
}

func (r *crashRun) judgeOne(c *fake.Call, sum *crashSum) {
	r.t.Helper()
	rec, found := r.peek(c.ID)
	acked, actions, applied := r.delivered("connect", c.ID), r.fake.ActionsFor(c.ID), r.fake.AppliedTo(c.ID)
	var finals []string
	late, hungUp := 0, false
	for _, q := range actions {
		if q.Kind == fake.KindHangUp { // of a call that is over it does nothing, and is sent to be sure
			hungUp = hungUp || q.Applied()
			continue
		}
		final := string(q.Kind)
		if !r.scenario.renewed {
			final += string(q.Body)
		}
		finals = append(finals, final)
		if found && q.Time.After(rec.Deadline.Add(100*time.Millisecond)) {
			late++
		}
	}
	repeated := len(finals) > 1
	slices.Sort(finals)
	conflicting := len(slices.Compact(finals)) > 1 || hungUp && !r.scenario.hangsUp
	lost := !acked || !found || rec.State != engine.Ended || !slices.Contains(r.scenario.outcomes, rec.Outcome) ||
		!r.truthful(rec, c)
	sum.add(func() {
		sum.calls++
		sum.acked += one(acked)
		sum.acted += one(len(applied) > 0)
		sum.repeated += one(repeated)
		sum.lost += one(lost)
		sum.conflicted += one(conflicting)
		sum.late += late
	})
	if lost || conflicting || late > 0 {
		r.t.Errorf(
			"lost %t, conflicting %t, after the window %d: record %t %s %s (%s), caller %v; %s; %s\n%s",
			lost,
			conflicting,
			late,
			found,
			rec.State,
			rec.Outcome,
			rec.Why,
			c.Events(),
			requests(actions),
			r.webhooks(c.ID),
			r.loggedOf(c.ID),
		)
	}
}

// truthful reports whether a record agrees with the phone.
func (r *crashRun) truthful(rec record, c *fake.Call) bool {
	applied := r.fake.AppliedTo(c.ID)
	end, _ := c.End()
	switch rec.Outcome {
	case engine.Rejected:
		return slices.Equal(applied, []fake.Kind{fake.KindReject})
	case engine.Answered:
		return len(applied) > 0 && applied[0] == fake.KindAccept
	case engine.Reaped, engine.Failed:
		return slices.Equal(applied, []fake.Kind{fake.KindAccept, fake.KindHangUp})
	case engine.Abandoned:
		return len(applied) == 0 && end.By == fake.Caller
	}
	return false
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// edit makes the rules file another version of itself.
func (r *crashRun) edit() {
	r.t.Helper()
	text, err := os.ReadFile(r.rules)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(string(text) + "# edited\n")
}
