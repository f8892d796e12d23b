package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

const handing = header + `
rules:
  - {name: vip, when: 'listed("vip")', then: {handoff: {queue: one, wait: 5s}}}
  - {name: all, when: 'payload == "all"', then: {handoff: all}}
  - {name: desk, then: {handoff: sales}}
default: {accept: greeting}
`

func TestAgentAnswers(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		o := w.offer("ana")
		if w.free("ana") != 0 {
			t.Error("a ringing agent has a free slot")
		}
		if err := w.e.Answer(w.t.Context(), "ana", o.ID, "bad"); !errors.As(err, new(*engine.UnusableError)) {
			t.Errorf("an unusable SDP: %v", err)
		}
		if err := w.answer("ana"); err != nil {
			t.Fatal(err)
		}
		if err := w.e.Answer(w.t.Context(), "ana", o.ID, "answer of ana"); err != nil {
			t.Errorf("the same answer again: %v", err)
		}
		c := w.want("a", engine.Active, "", "accept")
		if c.Agent != "ana" || c.Rule != "desk" || c.Action != rules.Handoff {
			t.Errorf("record: %q %q %q", c.Agent, c.Rule, c.Action)
		}
		w.terminate("a")
		w.want("a", engine.Ended, engine.Answered, "accept")
		if w.free("ana") != 0 {
			t.Error("no wrap-up")
		}
		pass(16 * time.Second)
		if w.free("ana") != 1 {
			t.Error("the slot is not free after the wrap-up")
		}
	})
}

func TestNobodyPicksUp(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		w.present("bruno")
		w.connect("a", caller)
		w.offer("ana")
		pass(7 * time.Second)
		w.offer("bruno")
		if len(w.offers("ana")) != 0 || w.free("ana") != 1 {
			t.Error("ana still rings")
		}
		pass(7 * time.Second)
		c := w.want("a", engine.Active, "", "accept")
		if c.By != rules.ByDefault || len(c.Offers) != 2 {
			t.Errorf("by %q after %d offers, want the default after 2", c.By, len(c.Offers))
		}
		if r := w.trace(c)[2]; r.Rule != "desk" || r.Result != rules.PassedOn {
			t.Errorf("trace of the hand-off: %+v", r)
		}
	})
}

func TestSilentAgentIsSetAway(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		for i := range 3 {
			w.connect(fmt.Sprint("a", i), caller)
			pass(time.Minute)
		}
		rung := 0
		for i := range 3 {
			rung += len(w.call(fmt.Sprint("a", i)).Offers)
		}
		v, err := w.e.View(w.t.Context(), "ana")
		if err != nil || rung != 2 || !v.State.Away || v.State.Reason == "" {
			t.Errorf("rung %d times, away %v (%q), %v; want 2 and away", rung, v.State.Away, v.State.Reason, err)
		}
	})
}

func TestDeclineSilencesOneAgentOnly(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		w.present("bruno")
		w.connect("a", caller)
		o := w.offer("ana")
		for range 2 {
			if err := w.e.Decline(w.t.Context(), "ana", o.ID); err != nil {
				t.Fatal(err)
			}
		}
		w.offer("bruno")
		w.want("a", engine.Offered, "")
		if err := w.e.Answer(w.t.Context(), "ana", o.ID, "answer"); !errors.Is(err, engine.ErrExpired) {
			t.Errorf("answering what was declined: %v", err)
		}
		if err := w.e.Decline(w.t.Context(), "bruno", o.ID); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("declining another agent's offer: %v", err)
		}
	})
}

func TestTwoAgentsAnswerAtOnce(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		w.present("bruno")
		w.platform.ring("a")
		if err := w.e.Receive(w.t.Context(), []engine.Event{{Connect: &engine.Connect{
			CallID: "a", From: caller, To: "551122361741", Payload: "all", SDP: "offer",
		}}}); err != nil {
			t.Fatal(err)
		}
		names := []string{"ana", "bruno"}
		offers := []string{w.offer("ana").ID, w.offer("bruno").ID}
		results := make([]error, 2)
		var both sync.WaitGroup
		for i, agent := range names {
			both.Go(func() { results[i] = w.e.Answer(w.t.Context(), agent, offers[i], "answer of "+agent) })
		}
		both.Wait()
		won, lost := 0, 1
		if results[0] != nil {
			won, lost = 1, 0
		}
		if results[won] != nil || !errors.Is(results[lost], engine.ErrTaken) {
			t.Errorf("results %v", results)
		}
		c := w.want("a", engine.Active, "", "accept")
		if c.Agent != names[won] || w.free(names[won]) != 0 || w.free(names[lost]) != 1 {
			t.Errorf("agent %q; slots %d %d", c.Agent, w.free("ana"), w.free("bruno"))
		}
	})
}

func TestCallerLeavesWhileItRings(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		o := w.offer("ana")
		w.terminate("a")
		w.want("a", engine.Ended, engine.Abandoned)
		if len(w.offers("ana")) != 0 || w.free("ana") != 1 {
			t.Error("the offer outlives the call")
		}
		if err := w.e.Answer(w.t.Context(), "ana", o.ID, "answer"); !errors.Is(err, engine.ErrEnded) {
			t.Errorf("answering a call that ended: %v", err)
		}
		w.want("a", engine.Ended, engine.Abandoned)
	})
}

func TestPositusRefusesTheAccept(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		w.platform.spoil(
			"accept",
			func() error { return &engine.ProviderError{Kind: engine.Refused, Status: 400, Code: 100} },
		)
		w.connect("a", caller)
		if err := w.answer("ana"); !errors.As(err, new(*engine.ProviderError)) {
			t.Errorf("the agent was told %v", err)
		}
		w.want("a", engine.Ended, engine.Failed)
		if w.free("ana") != 1 {
			t.Error("the slot leaked")
		}
	})
}

func TestWaitingInOrderOfArrival(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.connect("first", vip)
		pass(time.Second)
		w.connect("second", vip)
		pass(time.Second)
		w.want("first", engine.Waiting, "")
		w.want("second", engine.Waiting, "")
		w.present("ana")
		w.want("first", engine.Offered, "")
		w.want("second", engine.Waiting, "")
		if err := w.e.Decline(w.t.Context(), "ana", w.offer("ana").ID); err != nil {
			t.Fatal(err)
		}
		w.want("second", engine.Offered, "")
	})
}

// The end of a wrap-up wakes nobody, so who waits must know of it: a caller does not wait for longer than the agent
// rests.
func TestWrapUpEndsForWhoWaits(t *testing.T) {
	const patient = `
rules:
  - {name: desk, then: {handoff: {queue: sales, wait: 14s}}}
default: {accept: greeting}
`
	inWorld(t, header+patient, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		w.offer("ana")
		if err := w.answer("ana"); err != nil {
			t.Fatal(err)
		}
		w.terminate("a")
		pass(3300 * time.Millisecond)
		w.connect("b", caller)
		w.want("b", engine.Waiting, "")
		pass(11600 * time.Millisecond)
		w.want("b", engine.Waiting, "")
		pass(200 * time.Millisecond)
		w.offer("ana")
	})
}

func TestWaitIsATotal(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.connect("a", vip)
		pass(4 * time.Second)
		w.want("a", engine.Waiting, "")
		pass(2 * time.Second)
		c := w.want("a", engine.Active, "", "accept")
		if c.By != rules.ByDefault {
			t.Errorf("decided by %q", c.By)
		}
	})
}

func TestRingingStopsForTheDefault(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		w.present("bruno")
		w.connectAt("a", caller, time.Now().Add(-12*time.Second)) // 13 s of the window are left, 11 for ringing
		w.offer("ana")
		pass(7 * time.Second)
		if o := w.offer("bruno"); time.Until(o.RingsUntil) > 5*time.Second {
			t.Errorf("bruno would ring into the time of the default, until %s", o.RingsUntil)
		}
		pass(4 * time.Second)
		c := w.want("a", engine.Active, "", "accept")
		if at := c.ActiveAt; at.After(c.Deadline) {
			t.Errorf("accepted %s after the window", at.Sub(c.Deadline))
		}
	})
}

func TestNothingRingsWithLittleTimeLeft(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		w.connectAt("a", caller, time.Now().Add(-21*time.Second))
		c := w.want("a", engine.Active, "", "accept")
		if len(c.Offers) != 0 {
			t.Errorf("rung with too little time left: %+v", c.Offers)
		}
	})
}

func TestUnreachableIsNotMissed(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		leave := w.present("ana")
		for i := range 3 {
			id := fmt.Sprint("a", i)
			w.connect(id, caller)
			w.offer("ana")
			leave()
			pass(7 * time.Second)
			if o := w.call(id).Offers[0]; o.Result != engine.OfferUnreachable {
				t.Errorf("offer %d: %q", i, o.Result)
			}
			pass(time.Minute)
			leave = w.present("ana")
		}
	})
}

func TestAnotherInstanceTakesOver(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.media.length = time.Minute
		w.present("ana")
		w.present("bruno")
		w.connect("a", caller)
		w.offer("ana")
		first := w.call("a").Owner
		w.stopJobs() // the instance is paused: it renews nothing and sees nothing
		paused := w.e
		w.e = w.newEngine()
		w.start(w.e)
		pass(10 * time.Second)
		w.present("bruno")
		if c := w.call("a"); c.Owner == first {
			t.Error("nobody took the call over")
		}
		pass(15 * time.Second)
		w.want("a", engine.Active, "", "accept")
		if err := paused.Stop(w.t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A call that was only waiting when its instance died was not acted upon: what Positus says of it now is no echo.
func TestTakenOverWhileItWaited(t *testing.T) {
	const text = `
rules:
  - {name: desk, then: {handoff: {queue: sales, wait: 10s}}}
default: {reject: {message: sorry}}
`
	inWorld(t, header+text, func(w *world) {
		w.connect("a", caller)
		pass(time.Second)
		w.want("a", engine.Waiting, "")
		w.stopJobs()
		w.must(w.e.Stop(w.t.Context()))
		w.e = w.newEngine()
		w.start(w.e)
		pass(5 * time.Second)
		w.platform.end("a") // the caller hangs up, and the webhook of it is late
		pass(10 * time.Second)
		w.want("a", engine.Ended, engine.Abandoned)
		if len(w.platform.texts) != 0 {
			t.Errorf("texts were sent although no reject stood: %v", w.platform.texts)
		}
	})
}

// An instance that stops has audio to end and Positus is slow. The calls that ring do not wait for that.
func TestStopLeavesCallsThatRing(t *testing.T) {
	const text = `
rules:
  - {name: vips, when: 'listed("vip")', then: {accept: greeting}}
  - {name: desk, then: {handoff: {queue: sales, wait: 17s}}}
default: reject
`
	inWorld(t, header+text, func(w *world) {
		w.media.length = time.Minute
		other := w.newEngine()
		w.must(other.Start(w.t.Context()))
		w.connect("plays", vip)
		w.connect("rings", caller)
		pass(14 * time.Second)
		w.want("rings", engine.Waiting, "")
		w.platform.spoil("hang-up", func() error { pass(3 * time.Second); return nil })
		ctx, cancel := context.WithTimeout(w.t.Context(), 8*time.Second)
		defer cancel()
		stopped := make(chan error, 1)
		go func() { stopped <- w.e.Stop(ctx) }()
		pass(time.Second)
		w.present("ana")
		if err := w.answerAt(other, "ana"); err != nil {
			t.Errorf("one second after the stop began: %v", err)
		}
		w.want("rings", engine.Active, "", "accept")
		w.must(<-stopped)
		w.stopJobs()
		w.e = other
		w.start(w.e)
	})
}

// The store takes nothing for a while as an offer rings out, and can be read: nobody is rung who was not reserved.
func TestNobodyIsRungInMemory(t *testing.T) {
	const text = `
rules:
  - {name: desk, then: {handoff: sales}}
default: {accept: greeting}
on_error: reject
`
	inWorld(t, header+text, func(w *world) {
		w.present("ana")
		w.present("bruno")
		w.connect("a", caller)
		w.offer("ana")
		pass(5 * time.Second)
		w.store.refuseWrites(true)
		pass(3 * time.Second)
		w.store.refuseWrites(false)
		pass(10 * time.Second)
		c := w.want("a", engine.Ended, engine.Rejected, "reject")
		if c.By != rules.ByOnError || len(c.Offers) != 1 {
			t.Errorf("by %q after %d offers", c.By, len(c.Offers))
		}
		s, err := w.store.Snapshot(w.t.Context(), engine.Query{Agents: []string{"bruno"}})
		w.must(err)
		if n := s.Agents["bruno"].Missed; n != 0 {
			t.Errorf("bruno missed %d offers that he never had", n)
		}
	})
}

// An offer that rings until the default is taken was missed like any other.
func TestRungUntilTheDefaultIsMissed(t *testing.T) {
	const text = `
rules:
  - {name: desk, then: {handoff: {queue: sales, ring: 22s}}}
default: reject
`
	inWorld(t, header+text, func(w *world) {
		w.present("ana")
		for i, want := range []string{"", "missed 2 calls in a row"} {
			id := fmt.Sprint("call ", i)
			w.connectAt(id, caller, time.Now().Add(-1500*time.Millisecond))
			pass(30 * time.Second)
			if c := w.want(id, engine.Ended, engine.Rejected, "reject"); c.Offers[0].Result != engine.OfferMissed {
				t.Errorf("%s: the offer was %s", id, c.Offers[0].Result)
			}
			s, err := w.store.Snapshot(w.t.Context(), engine.Query{Agents: []string{"ana"}})
			w.must(err)
			if got := s.Agents["ana"].Reason; got != want {
				t.Errorf("after %s: %q, want %q", id, got, want)
			}
		}
	})
}

// A reload takes an agent out while he talks and while another call rings: the one goes on for as long as it wants,
// the other's ringing too, and no further call comes. One whom a reload brings is rung, although an older call waits
// that may not have him.
func TestReloadChangesWhoIsThere(t *testing.T) {
	const both = header + `
rules:
  - {name: all, when: 'payload == "all"', then: {handoff: all}}
  - {name: desk, then: {handoff: {queue: one, ring: 6s, wait: 16s}}}
default: reject
`
	inWorld(t, both, func(w *world) {
		w.present("ana")
		w.connect("talks", caller)
		w.must(w.answer("ana"))
		without := strings.NewReplacer(
			"ana: {}, ",
			"",
			"[ana, bruno]",
			"[bruno, carla]",
			"one: {agents: [ana]",
			"one: {agents: [bruno]",
		).Replace(
			both,
		)
		w.connect("waits", caller) // for ana
		w.e.SetRules(loadRules(t, t.TempDir(), without))
		w.present("bruno")
		w.connect("new", caller)
		w.offer("bruno")
		w.want("new", engine.Offered, "")
		w.want("waits", engine.Waiting, "")
		w.terminate("talks")
		pass(2 * time.Second)
		w.want("waits", engine.Waiting, "")
		if len(w.offers("ana")) != 0 {
			t.Error("an agent who was taken out is rung")
		}
	})
	inWorld(t, both, func(w *world) {
		leave := w.present("carla")
		w.e.SetRules(
			loadRules(t, t.TempDir(), strings.Replace(both, "one: {agents: [ana]", "one: {agents: [carla]", 1)),
		)
		w.connect("talks", caller)
		w.must(w.answer("carla"))
		w.e.SetRules(loadRules(t, t.TempDir(), strings.Replace(both, ", carla: {capacity: 2}", "", 1)))
		leave()
		w.platform.spoil("hang-up", func() error { t.Error("an agent who was taken out is cut off"); return nil })
		pass(9*time.Minute + 50*time.Second)
		w.want("talks", engine.Active, "", "accept")
		w.platform.spoil("hang-up", nil)
	})
}

func TestCrashBetweenDecisionAndAction(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		crashed := false
		w.platform.spoil("reject", func() error {
			if !crashed {
				crashed = true
				panic("killed before the request")
			}
			return nil
		})
		w.connect("before", caller)
		w.want("before", engine.Rejecting, "")
		pass(5 * time.Second)
		w.want("before", engine.Ended, engine.Rejected, "reject")
	})
	inWorld(t, closing, func(w *world) {
		crashed := false
		w.platform.loseReply("reject", func() error {
			if !crashed {
				crashed = true
				panic("killed after the request")
			}
			return nil
		})
		w.connect("after", caller)
		pass(5 * time.Second)
		w.want("after", engine.Ended, engine.Rejected, "reject")
	})
}

func TestOrderOfAgents(t *testing.T) {
	for strategy, want := range map[string][]string{
		"in_order":     {"ana", "ana", "ana"},
		"round_robin":  {"ana", "bruno", "ana"},
		"longest_idle": {"bruno", "ana", "bruno"},
	} {
		t.Run(strategy, func(t *testing.T) {
			text := strings.Replace(
				header,
				"queues:",
				"queues:\n  team: {agents: [ana, bruno], strategy: "+strategy+"}",
				1,
			) +
				"rules: [{name: desk, then: {handoff: team}}]\ndefault: {accept: greeting}\n"
			inWorld(t, text, func(w *world) {
				w.present("bruno")
				pass(time.Second)
				w.present("ana")
				pass(time.Second)
				for i, agent := range want {
					id := fmt.Sprint("a", i)
					w.connect(id, caller)
					if got := w.call(id).Offers[0].Agent; got != agent {
						t.Fatalf("call %d rang at %s, want %s", i+1, got, agent)
					}
					if err := w.answer(agent); err != nil {
						t.Fatal(err)
					}
					pass(time.Second)
					w.terminate(id)
					pass(time.Minute)
				}
			})
		})
	}
}
