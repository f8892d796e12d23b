package main

import (
	"context"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"callrouter/console"
	"callrouter/engine"
	"callrouter/positus/fake"
	"callrouter/store/storetest"
)

// takeOverWithin is how long the calls of a killed instance may lie: its lease, the next sweep, and a moment.
const takeOverWithin = 10 * time.Second

// second starts another instance on the same store, and answers the first. Requests and webhooks go to the new one.
func (w *world) second() (first *process) {
	w.t.Helper()
	first = w.proc()
	w.start()
	return first
}

// One of two instances is killed: the other has its calls before their window is over, and each gets its one action.
func TestOtherInstanceTakesOver(t *testing.T) {
	t.Parallel()
	w := start(t, plan{store: storetest.StartRedis(t)})
	var calls []*fake.Call
	for _, way := range []string{"reject", "bot", "reject", "bot"} {
		p := phone(way)
		p.Faults = map[fake.Kind][]fake.Fault{fake.KindReject: {{Hang: true}}, fake.KindAccept: {{Hang: true}}}
		calls = append(calls, w.call(p))
	}
	waiting := w.call(phone("crowd")) // for an agent
	for _, c := range calls {
		w.recorded(
			c.ID,
			5*time.Second,
			func(r record) bool { return r.State == engine.Rejecting || r.State == engine.Accepting },
		)
	}
	w.recorded(waiting.ID, 5*time.Second, func(r record) bool { return r.State == engine.Waiting })
	first := w.second()
	first.kill()
	killed := time.Now()
	w.agent("crowd", true) // at the instance that is left
	for i, want := range []fake.Kind{fake.KindReject, fake.KindAccept, fake.KindReject, fake.KindAccept} {
		w.recorded(
			calls[i].ID,
			takeOverWithin,
			func(r record) bool { return r.State == engine.Active || r.Outcome == engine.Rejected },
		)
		w.applied(calls[i], want)
	}
	t.Logf("all calls in other hands %s after the kill", time.Since(killed).Round(time.Millisecond))
	within(
		t,
		takeOverWithin,
		"the call that waited is decided",
		func() bool { return len(w.fake.AppliedTo(waiting.ID)) == 1 },
	)
}

// A webhook of one call at each of two instances at once, an agent at one and the webhooks at the other: still one
// action, and what happens at one is known at the other at once.
func TestTwoInstancesAreOneRouter(t *testing.T) {
	t.Parallel()
	w := start(t, plan{store: storetest.StartRedis(t)})
	ana := w.agent("ana", false) // is connected to the first
	one := w.webhookURL()
	first := w.second()
	for i := range 5 {
		p := phone("sales")
		p.ConnectRepeat = []time.Duration{0, 0}
		call := w.call(p)
		w.fake.SetWebhookURL([]string{one, w.webhookURL()}[i%2])
		began := time.Now()
		o := next[console.OfferEvent](ana, 5*time.Second)
		if took := time.Since(began); i > 0 && took > 3*time.Second { // wrap-up of 2 s, and a moment
			t.Errorf("the offer came after %s", took)
		}
		if status, code := ana.answer(o.Offer, anotherAnswer(o.SDP, int64(i))); status != http.StatusOK {
			t.Fatalf("answer: %d %s", status, code)
		}
		if n := len(w.fake.ActionsFor(call.ID)); n != 1 {
			t.Errorf("%d requests", n)
		}
		call.HangUp()
		w.ended(call.ID, 5*time.Second, engine.Answered)
	}
	first.signal(t, syscall.SIGTERM)
	if code := first.exit(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	w.fake.SetWebhookURL(w.webhookURL())
	call := w.call(phone("sales")) // ana is at the other instance by now
	if o := next[console.OfferEvent](ana, 8*time.Second); o.Call.ID != call.ID {
		t.Errorf("offer: %+v", o)
	}
}

// Whatever Redis would tell of changes is lost, all the time: each side looks for itself, so an offer, its answer and
// the caller's end come a moment later, and nothing else.
func TestWakesThatAreLost(t *testing.T) {
	t.Parallel()
	redis := storetest.NewRedis(t)
	redis.OpenGate()
	w := start(t, plan{store: redis.URL})
	ana := w.agent("ana", false)
	w.second() // has the webhooks; ana is connected to the first
	var deaf sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	admin := redis.Admin()
	deaf.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			_ = admin.Do(ctx, "CLIENT", "KILL", "TYPE", "pubsub").Err() // there may be none
			<-tick.C
		}
	})
	t.Cleanup(func() { cancel(); deaf.Wait(); _ = admin.Close() })
	var slowest time.Duration
	for i := range 3 {
		began := time.Now()
		call := w.call(phone("sales"))
		o := next[console.OfferEvent](ana, 8*time.Second)
		slowest = max(slowest, time.Since(began))
		if status, code := ana.answer(o.Offer, anotherAnswer(o.SDP, int64(i))); status != http.StatusOK {
			t.Fatalf("answer: %d %s", status, code)
		}
		call.HangUp()
		w.ended(call.ID, 5*time.Second, engine.Answered)
		w.applied(call, fake.KindAccept)
	}
	t.Logf("slowest offer %s after the call", slowest.Round(time.Millisecond))
	if slowest > 5*time.Second { // wrap-up of 2 s, a look each second at the call and at the agent
		t.Errorf("an offer came after %s", slowest)
	}
}

// The router is killed in the middle of a hang-up: the next start goes on with it until Positus confirms.
func TestKilledWhileHangingUp(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	p := phone("bot")
	p.Faults = map[fake.Kind][]fake.Fault{fake.KindHangUp: {{Hang: true}}}
	call := w.call(p)
	w.active(call.ID, 5*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.admins().HangUp(t.Context(), engine.Key(call.ID)) // cut off by the kill
	}()
	w.recorded(call.ID, 5*time.Second, func(r record) bool { return r.HangUp != nil })
	w.proc().kill()
	<-done
	w.start()
	if r, _ := w.record(call.ID); r.State != engine.Active || r.HangUp == nil {
		t.Errorf("after the start the call is %s, its hang-up %v", r.State, r.HangUp)
	}
	w.ended(call.ID, 15*time.Second, engine.Answered)
	w.applied(call, fake.KindAccept, fake.KindHangUp)
}

// The caller gives up while the router is down: its end comes with the platform's next attempt, and nothing is left
// over.
func TestCallerHangsUpWhileTheRouterIsDown(t *testing.T) {
	t.Parallel()
	inBothStores(t, func(t *testing.T, store string) {
		w := start(
			t,
			plan{
				store: store,
				dials: fake.Dials{Delivery: fake.DeliveryDials{Retries: 50, RetryEvery: 300 * time.Millisecond}},
			},
		)
		w.putGate()
		ana := w.agent("ana", false)
		rung, called := w.call(phone("sales")), w.call(phone("crowd"))
		next[console.OfferEvent](ana, 5*time.Second)
		w.recorded(called.ID, 5*time.Second, func(r record) bool { return r.State == engine.Waiting })
		w.proc().kill()
		rung.HangUp()
		called.HangUp()
		w.start()
		for _, c := range []*fake.Call{rung, called} {
			w.ended(c.ID, takeOverWithin, engine.Abandoned)
			w.applied(c)
		}
		if held := w.agentInfo("ana").Held; len(held) != 0 {
			t.Errorf("ana holds %v", held)
		}
	})
}
