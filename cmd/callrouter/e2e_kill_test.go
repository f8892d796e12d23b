package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/console"
	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/positus/fake"
)

// kills is how often the kill loop kills the router, in each store.
func kills(t *testing.T) int {
	t.Helper()
	v := os.Getenv("CALLROUTER_TEST_KILLS")
	if v == "" {
		return testrun.Pick(4, 20, 500)
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("CALLROUTER_TEST_KILLS is %q, which is no number of kills", v)
	}
	return n
}

// A webhook that got its 200 is never lost: whenever the power fails, the call gets its action after the next start, or
// its record says that it was too late. Nothing is ever done in two ways. The judge is the log of the stand-in.
func TestNothingIsLostWhenTheRouterIsKilled(t *testing.T) {
	t.Parallel()
	inBothStores(t, func(t *testing.T, store string) {
		rnd := rand.New(rand.NewPCG(testrun.Seed(t), 0))
		// What was not taken is posted again, as the platform does: it is then a duplicate if the kill came behind the
		// write.
		w := start(
			t,
			plan{
				store: store,
				dials: fake.Dials{Delivery: fake.DeliveryDials{Retries: 50, RetryEvery: 300 * time.Millisecond}},
			},
		)
		w.putGate()
		w.agent("crowd", true)
		n := kills(t)
		var slowest time.Duration
		for range n {
			w.placeSome(rnd, 6)
			wait(time.Duration(rnd.IntN(120)) * time.Millisecond)
			began := time.Now()
			w.restart()
			slowest = max(slowest, time.Since(began))
			w.restart() // what the first start after a kill knew, the second knows too
		}
		t.Logf("the slowest kill and start took %s", slowest.Round(time.Millisecond))
		w.judge(n)
	})
}

// placeSome places calls that take different ways, spread over a moment.
func (w *world) placeSome(rnd *rand.Rand, n int) {
	w.t.Helper()
	ways := []string{"reject", "bot", "crowd"}
	for i := range n {
		p := phone(ways[rnd.IntN(len(ways))])
		p.ConnectDelay = time.Duration(rnd.IntN(80)) * time.Millisecond
		p.TalkFor = 10 * time.Minute // so that nothing but the router ends it
		if i == 0 {
			p.ConnectRepeat = []time.Duration{0, 50 * time.Millisecond}
		}
		w.call(p)
	}
}

// verdict is what became of the calls of a test.
type verdict struct{ placed, acked, acted, repeated, late, lost, conflicting, tooLate int }

// judge waits until every call was taken and is settled, and reads the verdict from what Positus was asked. A webhook
// that met a killed router is still on its way, so a call that is not taken yet is waited for like one without an action.
func (w *world) judge(kills int) {
	w.t.Helper()
	soon(35*time.Second, func() bool { // whether it got there is judged below
		for _, c := range w.fake.Calls() {
			if !w.connected(c.ID) {
				return false
			}
			if len(w.fake.AppliedTo(c.ID)) == 0 {
				if r, ok := w.record(c.ID); !ok || r.State != engine.Ended {
					return false
				}
			}
		}
		return true
	})
	var v verdict
	for _, c := range w.fake.Calls() {
		v.placed++
		w.judgeCall(c, &v)
	}
	w.t.Logf(
		"%s: kills %d, each with two starts: calls %d, acknowledged %d, acted upon %d, repeated %d, recorded as too late %d, lost %d, conflicting %d, after the window %d",
		path.Base(w.t.Name()),
		kills,
		v.placed,
		v.acked,
		v.acted,
		v.repeated,
		v.late,
		v.lost,
		v.conflicting,
		v.tooLate,
	)
	if v.lost+v.conflicting+v.tooLate > 0 {
		w.t.Error("a call was lost, had conflicting actions, or one after its window")
	}
	if v.acted == 0 {
		w.t.Error("nothing was acted upon, so nothing is proven")
	}
}

func (w *world) judgeCall(c *fake.Call, v *verdict) {
	actions, applied := w.fake.ActionsFor(c.ID), w.fake.AppliedTo(c.ID)
	if len(applied) > 0 {
		v.acted++
	}
	if w.connected(c.ID) {
		v.acked++
		if len(applied) == 0 {
			r, ok := w.record(c.ID)
			switch {
			case ok && r.State == engine.Ended && r.Outcome == engine.TimedOut:
				v.late++
			default:
				v.lost++
				w.t.Errorf("lost: acknowledged, no action; record %v %s %s %q, %s; %s\n%s",
					ok, r.State, r.Outcome, r.Why, requests(actions), w.webhooks(c.ID), w.loggedOf(c.ID))
			}
		}
	}
	bodies := map[string]bool{}
	finals := 0
	for _, r := range actions {
		bodies[string(r.Kind)+string(r.Body)] = true
		if r.Kind == fake.KindAccept || r.Kind == fake.KindReject {
			finals++
			if rec, ok := w.record(c.ID); ok && r.Time.After(rec.Deadline.Add(100*time.Millisecond)) {
				v.tooLate++
				w.t.Errorf("an action %s after the window: %s", r.Time.Sub(rec.Deadline), requests(actions))
			}
		}
	}
	if finals > 1 {
		v.repeated++
	}
	if len(bodies) > 1 {
		v.conflicting++
		w.t.Errorf("conflicting: %s; %s\n%s", requests(actions), w.webhooks(c.ID), w.loggedOf(c.ID))
	}
}

// loggedOf is what the log has of a call.
func (w *world) loggedOf(id string) string {
	var b strings.Builder
	for line := range strings.Lines(w.logs.String()) {
		if strings.Contains(line, engine.Key(id)) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// connected reports whether the connect webhook of a call got its 200.
func (w *world) connected(id string) bool {
	return slices.ContainsFunc(w.fake.Deliveries(), func(d fake.Delivery) bool {
		return d.Event == "connect" && d.Delivered() && slices.Contains(d.CallIDs, id)
	})
}

// webhooks tells which webhooks about a call were posted when, and what they got.
func (w *world) webhooks(id string) string {
	var b strings.Builder
	for _, d := range w.fake.Deliveries() {
		if slices.Contains(d.CallIDs, id) {
			fmt.Fprintf(&b, "%s %s attempt %d: %d; ", d.Time.Format("05.000"), d.Event, d.Attempt, d.Status)
		}
	}
	return b.String()
}

// requests tells the story of a call at Positus.
func requests(list []fake.Request) string {
	s := fmt.Sprintf("%d requests", len(list))
	for _, r := range list {
		s += fmt.Sprintf("; %s %s %d %s", r.Kind, r.Effect, r.Status, r.Reason)
	}
	return s
}

// What a kill interrupts, point by point: the request to Positus is under way, or was carried out and its reply is not
// there yet. After the start the same action is sent, at once where one process alone can have the store.
func TestKilledWhileActing(t *testing.T) {
	t.Parallel()
	type point struct {
		payload string
		kind    fake.Kind
		fault   fake.Fault
		outcome engine.State
	}
	points := map[string]point{
		"reject not carried out": {"reject", fake.KindReject, fake.Fault{Hang: true}, engine.Ended},
		"reject carried out":     {"reject", fake.KindReject, fake.Fault{DelayReply: time.Minute}, engine.Ended},
		"accept not carried out": {"bot", fake.KindAccept, fake.Fault{Hang: true}, engine.Active},
		"accept carried out":     {"bot", fake.KindAccept, fake.Fault{DelayReply: time.Minute}, engine.Active},
		"hand-off not accepted":  {"crowd", fake.KindAccept, fake.Fault{Hang: true}, engine.Active},
		"hand-off accepted":      {"crowd", fake.KindAccept, fake.Fault{DelayReply: time.Minute}, engine.Active},
	}
	inBothStores(t, func(t *testing.T, store string) {
		w := start(t, plan{store: store})
		w.agent("crowd", true)
		calls := map[string]*fake.Call{}
		for name, p := range points {
			ph := phone(p.payload)
			ph.Faults = map[fake.Kind][]fake.Fault{p.kind: {p.fault}}
			calls[name] = w.call(ph)
		}
		// A request that hangs is logged when it is over, so the kill itself ends it; those carried out are waited for.
		for name, p := range points {
			if p.fault.DelayReply > 0 {
				if err := calls[name].Wait(w.ctx(10*time.Second), map[fake.Kind]fake.State{fake.KindReject: fake.Rejected, fake.KindAccept: fake.Accepted}[p.kind]); err != nil {
					t.Fatal(err)
				}
			} else {
				w.recorded(calls[name].ID, 5*time.Second, func(r record) bool { return r.State == engine.Rejecting || r.State == engine.Accepting })
			}
		}
		asked := w.answered.Load()
		w.restart()
		began := time.Now()
		limit := 2 * time.Second
		if store != "" {
			limit = 12 * time.Second // until the lease of the killed process is over, and the next sweep
		}
		for name, p := range points {
			r := w.recorded(calls[name].ID, limit, func(r record) bool { return r.State == p.outcome })
			if p.kind == fake.KindReject && r.Outcome != engine.Rejected {
				t.Errorf("%s: outcome %s (%s)", name, r.Outcome, r.Why)
			}
			w.applied(calls[name], p.kind)
			var bodies []string
			for _, a := range w.fake.ActionsFor(calls[name].ID) {
				bodies = append(bodies, string(a.Kind)+string(a.Body))
			}
			if slices.Sort(bodies); len(slices.Compact(bodies)) != 1 {
				t.Errorf("%s: %s", name, requests(w.fake.ActionsFor(calls[name].ID)))
			}
		}
		t.Logf("all acted upon %s after the start", time.Since(began).Round(time.Millisecond))
		if n := w.answered.Load(); n != asked {
			t.Errorf("the outside answerer was asked %d times more, though its answer was written", n-asked)
		}
	})
}

// A call that rings at an agent when the power fails rings there again after the start, and can be answered.
func TestKilledWhileRinging(t *testing.T) {
	t.Parallel()
	inBothStores(t, func(t *testing.T, store string) {
		w := start(t, plan{store: store})
		ana := w.agent("ana", false)
		call := w.call(phone("sales"))
		first := next[console.OfferEvent](ana, 5*time.Second)
		w.restart()
		again := next[console.OfferEvent](ana, 5*time.Second)
		if again.Offer != first.Offer || !again.RingsUntil.Equal(first.RingsUntil) || again.SDP != first.SDP {
			t.Errorf("offered again: %+v", again)
		}
		if status, code := ana.answer(again.Offer, fake.TextAnswer(again.SDP)); status != 200 {
			t.Fatalf("answer: %d %s", status, code)
		}
		w.active(call.ID, 5*time.Second)
		w.applied(call, fake.KindAccept)
		w.restart()
		if r, ok := w.record(call.ID); !ok || r.State != engine.Active || r.Agent != "ana" {
			t.Errorf("after another start: %+v", r)
		}
		if status := ana.hangUp(call.ID); status != 200 {
			t.Errorf("hang-up after the start: %d", status)
		}
	})
}

// A router that comes back after the window acts no more, and says so.
func TestKilledUntilTheWindowIsOver(t *testing.T) {
	t.Parallel()
	inBothStores(t, func(t *testing.T, store string) {
		w := start(t, plan{store: store})
		p := phone("reject")
		p.Age, p.Window, p.NoTerminate = 20*time.Second, time.Hour, true // 5 s are left
		p.Faults = map[fake.Kind][]fake.Fault{fake.KindReject: {{Status: 503, Times: fake.Forever}}}
		call := w.call(p)
		w.recorded(call.ID, 5*time.Second, func(r record) bool { return r.State == engine.Rejecting })
		before := len(w.fake.ActionsFor(call.ID))
		w.proc().kill()
		wait(5500 * time.Millisecond)
		w.start()
		w.ended(call.ID, 12*time.Second, engine.TimedOut)
		if n := len(w.fake.ActionsFor(call.ID)); n > before+1 { // one may have been under way at the kill
			t.Errorf("%d requests after the window", n-before)
		}
		w.applied(call)
	})
}

// A played answer dies with its process: the next one hangs the call up instead of leaving it silent.
func TestKilledWhileAudioPlays(t *testing.T) {
	t.Parallel()
	inBothStores(t, func(t *testing.T, store string) {
		w := start(t, plan{store: store, audio: aMinute})
		p := phone("play")
		p.Media = true
		call := w.call(p)
		if _, err := call.WaitHeard(w.ctx(15*time.Second), 10); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.ended(call.ID, 12*time.Second, engine.Reaped)
		w.applied(call, fake.KindAccept, fake.KindHangUp)
	})
}

// Killing again and again during the start itself forgets nothing either.
func TestKilledDuringTheStart(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	var calls []*fake.Call
	for range 10 {
		p := phone("reject")
		p.Faults = map[fake.Kind][]fake.Fault{fake.KindReject: {{Hang: true}}}
		calls = append(calls, w.call(p))
	}
	var all sync.WaitGroup
	for _, c := range calls {
		all.Go(func() { soon(5*time.Second, func() bool { return w.taken(c.ID) > 0 }) })
	}
	all.Wait()
	w.proc().kill()
	for i := range 8 {
		p := launch(t, &w.logs, environ(w.base, nil), "serve")
		wait(time.Duration(i*8) * time.Millisecond)
		p.kill()
	}
	w.start()
	for _, c := range calls {
		w.ended(c.ID, 5*time.Second, engine.Rejected)
		w.applied(c, fake.KindReject)
	}
}
