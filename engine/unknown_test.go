package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/rules"
	"callrouter/store/storetest"
)

// errNoAnswer is what a request ends with that Positus may have carried out.
func errNoAnswer() error {
	return &engine.ProviderError{Kind: engine.Unavailable, Message: "no answer in time"}
}

const ringing = header + `
rules:
  - {name: vips, when: 'listed("vip")', then: {accept: greeting}}
  - {name: one, then: {handoff: {queue: one, ring: 15s}}}
default: reject
`

// Positus took the accept, its answer was lost, and it stays away for the hang-up as well: until it confirms that the
// call is over the agent is not free, and it is tried again.
func TestAcceptWithoutAnAnswer(t *testing.T) {
	inWorld(t, ringing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		w.platform.loseReply("accept", func() error { pass(10 * time.Second); return errNoAnswer() })
		w.platform.spoil("hang-up", func() error { pass(8 * time.Second); return errNoAnswer() })
		var pe *engine.ProviderError
		if err := w.answer("ana"); !errors.As(err, &pe) || pe.Kind != engine.Unavailable {
			t.Errorf("ana was told %v", err)
		}
		if w.free("ana") != 0 {
			t.Error("ana is free, and her call may be going on")
		}
		w.connect("b", caller)
		w.want("b", engine.Ended, engine.Rejected, "reject")
		pass(10 * time.Minute)
		if c := w.want("a", engine.Accepting, "", "accept"); c.HangUp == nil || c.HangUp.Attempts < 5 {
			t.Errorf("hang-up: %+v", c.HangUp)
		}
		w.platform.spoil("hang-up", nil)
		pass(engine.DefaultTiming().HangUpMax + 15*time.Second)
		w.want("a", engine.Ended, engine.TimedOut, "accept", "hang-up")
		if w.free("ana") != 1 {
			t.Error("ana is not free")
		}
	})
}

// The caller's end confirms it as well.
func TestAcceptWithoutAnAnswerThenTheCallersEnd(t *testing.T) {
	inWorld(t, ringing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		w.platform.loseReply("accept", errNoAnswer)
		w.platform.spoil("hang-up", errNoAnswer)
		_ = w.answer("ana")
		w.terminate("a")
		w.want("a", engine.Ended, engine.TimedOut, "accept")
		if w.free("ana") != 1 {
			t.Error("ana is not free")
		}
	})
}

// The first attempt had no answer, and was carried out; the second is refused. The call goes on all the same.
func TestAcceptThatIsRefusedWhenRepeated(t *testing.T) {
	inWorld(t, ringing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		w.platform.loseReply(
			"accept",
			func() error { return &engine.ProviderError{Kind: engine.Refused, Status: 400, Repeated: true} },
		)
		if err := w.answer("ana"); err == nil {
			t.Error("ana was told that she has the call")
		}
		w.want("a", engine.Ended, engine.Failed, "accept", "hang-up")
	})
}

// The same with audio of our own, where the second attempt says that the call is in progress: it is, with this very
// audio.
func TestEchoOfPlayedAudioIsNoDeadAudio(t *testing.T) {
	inWorld(t, ringing, func(w *world) {
		w.media.length = time.Minute
		w.platform.loseReply(
			"accept",
			func() error { return &engine.ProviderError{Kind: engine.InProgress, Repeated: true} },
		)
		w.connect("a", vip)
		pass(50 * time.Second)
		w.want("a", engine.Active, "", "accept")
		pass(15 * time.Second)
		w.want("a", engine.Ended, engine.Answered, "accept", "hang-up")
	})
}

// Nothing was sent: there is nothing to hang up.
func TestAcceptThatWasNeverSent(t *testing.T) {
	inWorld(t, ringing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		w.platform.spoil(
			"accept",
			func() error { return &engine.ProviderError{Kind: engine.Unavailable, Unsent: true} },
		)
		_ = w.answer("ana")
		w.want("a", engine.Ended, engine.TimedOut)
	})
}

// A process dies after Positus took its accept, and nobody looks before the answer window is over: the call is hung up.
func TestCrashInAcceptUntilTheWindowIsOver(t *testing.T) {
	for _, away := range []time.Duration{27 * time.Second, 32 * time.Second} {
		t.Run(away.String(), func(t *testing.T) { crashInAccept(t, away) })
	}
}

func crashInAccept(t *testing.T, away time.Duration) {
	inWorld(t, ringing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		o := w.offer("ana")
		dies := make(chan struct{})
		w.platform.loseReply("accept", func() error { <-dies; return errNoAnswer() })
		w.stopJobs()
		dead, told := w.e, make(chan error, 1)
		go func() { told <- dead.Answer(context.Background(), "ana", o.ID, "answer of ana") }()
		pass(away)
		w.platform.loseReply("accept", nil)
		w.e = w.newEngine()
		w.start(w.e)
		pass(3 * time.Second)
		w.want("a", engine.Ended, engine.TimedOut, "accept", "hang-up")
		close(dies)
		<-told
		if err := dead.Stop(w.t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A process sleeps in its accept, and another takes the call over and has it answered. The one that wakes, for whom the
// request has failed, leaves the call alone.
func TestWokenInAcceptItHangsUpNobodysCall(t *testing.T) {
	inWorld(t, ringing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		o := w.offer("ana")
		var slept atomic.Bool
		w.platform.loseReply("accept", func() error {
			if slept.CompareAndSwap(false, true) {
				pass(40 * time.Second)
				return errNoAnswer()
			}
			return nil
		})
		w.stopJobs()
		asleep, told := w.e, make(chan error, 1)
		go func() { told <- asleep.Answer(context.Background(), "ana", o.ID, "answer of ana") }()
		pass(7 * time.Second)
		w.e = w.newEngine()
		w.start(w.e)
		pass(13 * time.Second)
		w.want("a", engine.Active, "", "accept")
		pass(30 * time.Second)
		w.want("a", engine.Active, "", "accept")
		if err := <-told; err != nil {
			t.Errorf("ana was told %v, and talks", err)
		}
		if err := asleep.Stop(w.t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Positus never takes the hang-up, nor says that the call is over: after a day the router gives up and reports it.
func TestHangUpIsGivenUpAfterADay(t *testing.T) {
	testrun.NotShort(t, "a day has 40,000 beats; TestMonth has hang-ups that fail")
	inWorld(t, ringing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		if err := w.answer("ana"); err != nil {
			t.Fatal(err)
		}
		w.platform.spoil(
			"hang-up",
			func() error { return &engine.ProviderError{Kind: engine.Refused, Status: 400, Message: "no"} },
		)
		pass(24 * time.Hour)
		w.want("a", engine.Active, "", "accept")
		if w.free("ana") != 0 {
			t.Error("ana is free, and her call may be going on")
		}
		pass(12 * time.Minute)
		w.want("a", engine.Ended, engine.Reaped, "accept")
		pass(time.Minute)
		if w.free("ana") != 1 {
			t.Error("ana is not free")
		}
	})
}

// The store is away when a call has become too long: it is hung up all the same, and recorded later.
func TestCallsAreEndedWhileTheStoreIsAway(t *testing.T) {
	inWorld(t, ringing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		if err := w.answer("ana"); err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int64
		w.platform.spoil("hang-up", func() error {
			if asked.Add(1) == 1 {
				return errNoAnswer()
			}
			return nil
		})
		pass(9 * time.Minute)
		w.store.setAway(true)
		pass(58 * time.Second)
		if n := asked.Load(); n != 0 {
			t.Errorf("it was hung up %d times before max_call", n)
		}
		pass(16 * time.Second)
		if got := w.platform.actions("a"); len(got) != 2 || asked.Load() != 2 {
			t.Errorf("Positus was asked for %v, hung up %d times", got, asked.Load())
		}
		pass(10 * time.Minute)
		if n := asked.Load(); n != 2 {
			t.Errorf("a call that is over was hung up %d times more", n-2)
		}
		w.store.setAway(false)
		pass(5 * time.Second)
		w.want("a", engine.Ended, engine.Reaped, "accept", "hang-up")
	})
}

// A call that was accepted in memory is too long before the store is back: its end is told, once.
func TestCallsInMemoryAreEndedToo(t *testing.T) {
	const text = `
rules:
  - {name: bot, then: {accept: bot}}
default: reject
`
	inWorld(t, header+text, func(w *world) {
		w.answerer.sdp = "answer of bot"
		w.store.setAway(true)
		w.connect("a", caller)
		pass(11 * time.Minute)
		w.store.setAway(false)
		pass(20 * time.Second)
		w.want("a", engine.Ended, engine.Reaped, "accept", "hang-up")
		if len(w.observed.ended) != 1 {
			t.Errorf("its end was told %d times", len(w.observed.ended))
		}
	})
}

// The store comes back while the text to a caller who was rejected in memory is being sent.
func TestTextIsSentAsTheStoreComesBack(t *testing.T) {
	const text = `
rules:
  - {name: closed, then: {reject: {message: short}}}
default: reject
`
	rulesText := strings.Replace(header, "messages:\n", "messages:\n  short: {text: closed}\n", 1) + text
	inWorld(t, rulesText, func(w *world) {
		w.platform.slowTexts.Store(true)
		w.store.setAway(true)
		w.connect("a", caller)
		pass(1100 * time.Millisecond)
		w.store.setAway(false)
		pass(10 * time.Second)
		if c := w.want("a", engine.Ended, engine.Rejected, "reject"); c.Message == nil || c.Message.At.IsZero() {
			t.Errorf("message: %+v", c.Message)
		}
	})
}

// The store goes away around the moment at which the default must be taken, and an offer rings until then: the default
// is sent in time.
func TestDefaultIsTakenThoughTheStoreIsAway(t *testing.T) {
	const text = `
rules:
  - {name: desk, then: {handoff: {queue: sales, ring: 22s}}}
default: reject
`
	for _, before := range []time.Duration{200 * time.Millisecond, time.Second, 1500 * time.Millisecond} {
		inWorld(t, header+text, func(w *world) {
			w.present("ana")
			w.connectAt("a", caller, time.Now().Add(-1500*time.Millisecond))
			pass(time.Until(w.call("a").Deadline) - 2*time.Second - before)
			w.store.setAway(true)
			pass(10 * time.Second)
			w.store.setAway(false)
			pass(10 * time.Second)
			w.want("a", engine.Ended, engine.Rejected, "reject")
		})
	}
}

// The store is away when an agent is to be reserved: the record says which rules were looked at, and at which of them
// it failed.
func TestRecordSaysWhatTheStoreKeptFromHappening(t *testing.T) {
	const text = `
rules:
  - {name: vips, when: 'listed("vip")', then: {accept: greeting}}
  - {name: desk, then: {handoff: sales}}
default: {accept: greeting}
on_error: reject
`
	for what, trouble := range map[string]func(w *world, on bool){
		"away": func(w *world, on bool) { w.store.setAway(on) }, "takes no write": func(w *world, on bool) { w.store.refuseWrites(on) },
	} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, header+text, func(w *world) {
				w.present("ana")
				trouble(w, true)
				w.connect("a", caller)
				pass(5 * time.Second)
				trouble(w, false)
				pass(5 * time.Second)
				c := w.want("a", engine.Ended, engine.Rejected, "reject")
				trace := w.trace(c)
				if c.By != rules.ByOnError || len(trace) != 2 || trace[0].Rule != "vips" || trace[0].Result != rules.NoMatch ||
					trace[1].Rule != "desk" ||
					trace[1].Result != rules.Errored ||
					trace[1].Line == 0 {
					t.Errorf("by %q: %+v", c.By, trace)
				}
			})
		})
	}
}

// forgetful is a store that can go back to what it knew, as when a replica that lags is made master.
type forgetful struct {
	*storetest.Memory
	epoch atomic.Int64
}

func (s *forgetful) Beat(ctx context.Context, instance string, lease time.Duration) (string, time.Time, error) {
	_, at, err := s.Memory.Beat(ctx, instance, lease)
	return fmt.Sprint(s.epoch.Load()), at, err
}

// back makes a record what it was.
func (s *forgetful) back(c *engine.Call) {
	s.Rewind(c)
	s.epoch.Add(1)
}

// The store forgets that an agent has answered, while Positus is asked: what is known here is newer, and stands.
func TestStoreForgetsTheAnswer(t *testing.T) {
	file := loadRules(t, t.TempDir(), ringing)
	synctest.Test(t, func(t *testing.T) {
		s, p := &forgetful{Memory: storetest.NewMemory(time.Now)}, newPlatform()
		w := &world{t: t, platform: p}
		w.e = engine.New(engine.Config{
			Store: s, Provider: p, Media: &audio{}, Answerer: &answerer{}, Rules: file, Log: slog.New(slog.DiscardHandler), Observer: &observer{},
		})
		w.start(w.e)
		ctx, leave := context.WithCancel(t.Context())
		w.must(w.e.Present(ctx, "ana", "tab"))
		w.connect("a", caller)
		synctest.Wait()
		offered, err := s.Get(t.Context(), engine.Key("a"))
		w.must(err)
		p.loseReply("accept", func() error { pass(100 * time.Millisecond); s.back(offered); return nil })
		if err := w.e.Answer(t.Context(), "ana", offered.Offers[0].ID, "answer of ana"); err != nil {
			t.Errorf("ana was told %v", err)
		}
		pass(5 * time.Second)
		c, err := s.Get(t.Context(), engine.Key("a"))
		w.must(err)
		snap, err := s.Snapshot(t.Context(), engine.Query{Agents: []string{"ana"}})
		w.must(err)
		if c.State != engine.Active || len(snap.Agents["ana"].Slots) != 1 {
			t.Errorf("%s %s (%s), %d slots taken", c.State, c.Outcome, c.Why, len(snap.Agents["ana"].Slots))
		}
		if got := p.actions("a"); len(got) != 1 {
			t.Errorf("Positus was asked for %v", got)
		}
		leave()
		w.stopJobs()
		w.must(w.e.Stop(t.Context()))
	})
}
