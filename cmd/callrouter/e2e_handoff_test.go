package main

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"callrouter/console"
	"callrouter/engine"
	"callrouter/positus/fake"
	"callrouter/rules"
)

// The whole way of a call to a human and back, as the agent's program, the administrator and Positus see it.
func TestHandoff(t *testing.T) {
	t.Parallel()
	inBothStores(t, func(t *testing.T, store string) {
		w := start(t, plan{store: store})
		ana := w.agent("ana", false)
		p := phone("sales")
		call := w.call(p)
		o := next[console.OfferEvent](ana, 5*time.Second)
		if o.Queue != "sales" || o.Call.ID != call.ID || o.Call.From != "+"+p.Number || o.Call.Name != p.Name ||
			o.SDP != call.Offer {
			t.Errorf("offer: %+v", o)
		}
		if left := time.Until(o.RingsUntil); left < 8*time.Second || left > 10*time.Second {
			t.Errorf("it rings for another %s", left)
		}
		if status, code := ana.answer(o.Offer, "v=0\r\n"); status != http.StatusUnprocessableEntity {
			t.Errorf("an unusable answer: %d %s", status, code)
		}
		sdp := anotherAnswer(o.SDP, 1) + "a=x-canary:<&> é\r\n"
		if status, code := ana.answer(o.Offer, sdp); status != http.StatusOK {
			t.Fatalf("answer: %d %s", status, code)
		}
		if call.State() != fake.Accepted { // 200 only after Positus took it
			t.Errorf("the call is %s", call.State())
		}
		if call.Answer() != sdp {
			t.Errorf("Positus got another SDP than the agent's:\n%q\n%q", call.Answer(), sdp)
		}
		if status, code := ana.answer(o.Offer, sdp); status != http.StatusOK {
			t.Errorf("the same answer again: %d %s", status, code)
		}
		if e := next[console.CallEvent](ana, 5*time.Second); e.ID != call.ID {
			t.Errorf("call event: %+v", e)
		}
		r := w.active(call.ID, 5*time.Second)
		w.checkTrace(r)
		if held := w.agentInfo("ana").Held; !slices.Equal(held, []string{call.ID}) {
			t.Errorf("ana holds %v", held)
		}
		if status := ana.hangUp(call.ID); status != http.StatusOK {
			t.Errorf("hang-up: %d", status)
		}
		r = w.ended(call.ID, 5*time.Second, engine.Answered)
		want := []engine.State{
			engine.Received, engine.Deciding, engine.Offered, engine.Accepting, engine.Active, engine.Ended,
		}
		if !slices.Equal(r.path(), want) {
			t.Errorf("transitions %v, want %v", r.path(), want)
		}
		w.applied(call, fake.KindAccept, fake.KindHangUp)
		w.checkWrapUp(ana)
	})
}

func (w *world) checkTrace(r record) {
	w.t.Helper()
	if r.Action != rules.Handoff || r.Rule != "sales" || r.By != rules.ByRule || r.Agent != "ana" ||
		r.Number != "main" || r.Version == "" {
		w.t.Errorf("record: %+v", r)
	}
	last := r.Trace[len(r.Trace)-1]
	if len(r.Trace) != 7 || last.Rule != "sales" || last.Result != rules.Decided ||
		r.Trace[0].Result != rules.NoMatch || r.Trace[0].Why == "" {
		w.t.Errorf("trace: %+v", r.Trace)
	}
}

// checkWrapUp fails unless the agent, who has just hung up, gets the next call only once the wrap-up is over.
func (w *world) checkWrapUp(a *agent) {
	w.t.Helper()
	if until := w.agentInfo(a.name).WrapUpUntil; until == nil || time.Until(*until) > 2*time.Second {
		w.t.Errorf("wrap-up until %v", until)
	}
	ended := time.Now()
	again := w.call(phone("sales"))
	o := next[console.OfferEvent](a, 5*time.Second)
	if o.Call.ID != again.ID {
		w.t.Errorf("offer: %+v", o)
	}
	if waited := time.Since(ended); waited < 1500*time.Millisecond {
		w.t.Errorf("offered after %s, within the wrap-up", waited)
	}
	again.HangUp()
	if e := next[console.WithdrawnEvent](a, 5*time.Second); e.Offer != o.Offer || e.Reason != "ended" {
		w.t.Errorf("withdrawn: %+v", e)
	}
	w.ended(again.ID, 5*time.Second, engine.Abandoned)
	if n := len(w.fake.ActionsFor(again.ID)); n != 0 {
		w.t.Errorf("%d requests about a call whose caller left", n)
	}
	if status, code := a.answer(o.Offer, fake.TextAnswer(o.SDP)); status != http.StatusConflict || code != "ended" {
		w.t.Errorf("answering a caller who left: %d %s", status, code)
	}
}

func (w *world) agentInfo(name string) console.Agent {
	w.t.Helper()
	agents, err := w.admins().Agents(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range agents {
		if a.Agent == name {
			return a
		}
	}
	w.t.Fatalf("there is no agent %s", name)
	return console.Agent{}
}

// Two agents pick up at once: one has the call, the other is told so, and Positus hears of one answer.
func TestTwoAgentsPickUpAtOnce(t *testing.T) {
	t.Parallel()
	inBothStores(t, func(t *testing.T, store string) {
		w := start(t, plan{store: store})
		agents := []*agent{w.agent("ana", false), w.agent("bruno", false)}
		for range 5 {
			p := phone("all")
			p.TalkFor = 50 * time.Millisecond
			call := w.call(p)
			var both sync.WaitGroup
			var offers [2]console.OfferEvent
			var status [2]int
			var code, sdp [2]string
			for i, a := range agents {
				offers[i] = next[console.OfferEvent](a, 10*time.Second)
				sdp[i] = anotherAnswer(offers[i].SDP, int64(i))
			}
			for i, a := range agents {
				both.Go(func() {
					var err error
					if status[i], code[i], err = a.try(offers[i].Offer, sdp[i]); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			won := slices.Index(status[:], http.StatusOK)
			if won < 0 || status[1-won] != http.StatusConflict || code[1-won] != "taken" {
				t.Fatalf("answers: %v %v", status, code)
			}
			if call.Answer() != sdp[won] || len(w.fake.ActionsFor(call.ID)) != 1 {
				t.Errorf("requests: %+v", w.fake.ActionsFor(call.ID))
			}
			if e := next[console.WithdrawnEvent](agents[1-won], 5*time.Second); e.Reason != "taken" {
				t.Errorf("withdrawn: %+v", e)
			}
			w.ended(call.ID, 5*time.Second, engine.Answered)
		}
	})
}

// Who declines stops ringing alone; the next one is rung, and when nobody is left the next rule decides.
func TestDecline(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	ana, bruno := w.agent("ana", false), w.agent("bruno", false)
	call := w.call(phone("sales"))
	first := next[console.OfferEvent](ana, 5*time.Second)
	if status := ana.decline(first.Offer); status != http.StatusOK {
		t.Errorf("decline: %d", status)
	}
	if e := next[console.WithdrawnEvent](ana, 5*time.Second); e.Reason != "declined" {
		t.Errorf("withdrawn: %+v", e)
	}
	second := next[console.OfferEvent](bruno, 5*time.Second)
	status, code := ana.answer(first.Offer, fake.TextAnswer(first.SDP))
	if status != http.StatusConflict || code != "expired" {
		t.Errorf("answering what was declined: %d %s", status, code)
	}
	if status, code := ana.answer(second.Offer, fake.TextAnswer(second.SDP)); status != http.StatusNotFound {
		t.Errorf("answering another agent's offer: %d %s", status, code)
	}
	if status := bruno.decline(second.Offer); status != http.StatusOK {
		t.Errorf("decline: %d", status)
	}
	r := w.ended(call.ID, 5*time.Second, engine.Rejected)
	if r.By != rules.ByDefault {
		t.Errorf("decided by %q, want the default", r.By)
	}
	w.applied(call, fake.KindReject)
}

// The administrator sees and ends an active call; an agent cannot end somebody else's.
func TestAdministratorHangsUp(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	ana, bruno := w.agent("ana", true), w.agent("bruno", false)
	call := w.call(phone("sales"))
	w.active(call.ID, 5*time.Second)
	if status := bruno.hangUp(call.ID); status != http.StatusNotFound {
		t.Errorf("bruno hangs up ana's call: %d", status)
	}
	a := &agent{w: w, token: w.admin}
	if status := a.hangUp(call.ID); status != http.StatusOK {
		t.Errorf("hang-up: %d", status)
	}
	w.ended(call.ID, 5*time.Second, engine.Answered)
	within(t, 5*time.Second, "ana is told",
		func() bool { e := next[console.CallEvent](ana, 5*time.Second); return e.State == "ended" })
	w.applied(call, fake.KindAccept, fake.KindHangUp)
	if status := a.hangUp(call.ID); status != http.StatusConflict {
		t.Errorf("hanging up an ended call: %d", status)
	}
}

// An agent whose connection dies is not rung any more, and calls wait until somebody is there.
func TestCallWaitsForAnAgent(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	call := w.call(phone("sales"))
	w.recorded(call.ID, 5*time.Second, func(r record) bool { return r.State == engine.Waiting })
	w.agent("ana", true)
	r := w.active(call.ID, 5*time.Second)
	if r.Agent != "ana" {
		t.Errorf("answered by %q", r.Agent)
	}
}
