package engine_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

const closing = header + `
rules:
  - {name: vip, when: 'listed("vip")', then: {accept: greeting}}
  - {name: bot, when: 'payload == "bot"', then: {accept: bot}}
  - {name: partners, when: 'listed("partners")', then: {accept: greeting}}
  - {name: everybody, then: {reject: {message: sorry}}}
default: {accept: greeting}
on_error: {accept: greeting}
`

func TestRejectThenMessageOnce(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.connect("a", caller)
		c := w.want("a", engine.Ended, engine.Rejected, "reject")
		if c.Rule != "everybody" || c.By != rules.ByRule || c.Message == nil || c.Message.At.IsZero() {
			t.Errorf("record: rule %q by %q message %+v", c.Rule, c.By, c.Message)
		}
		want := "+5521977776666: Sorry, Vera. We open qua 25/11, 09:00."
		want = strings.Replace(want, "qua 25/11", "Wed 25 Nov", 1)
		if len(w.platform.texts) != 1 || w.platform.texts[0] != want {
			t.Errorf("messages %q, want %q", w.platform.texts, want)
		}
		w.connect("b", caller)
		w.want("b", engine.Ended, engine.Rejected, "reject")
		if len(w.platform.texts) != 1 {
			t.Errorf("a second message within at_most_every: %q", w.platform.texts)
		}
		pass(13 * time.Hour)
		w.connect("c", caller)
		w.want("c", engine.Ended, engine.Rejected, "reject")
		if len(w.platform.texts) != 2 {
			t.Errorf("after at_most_every: %q", w.platform.texts)
		}
	})
}

func TestMessageOnlyIfTheRejectStood(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.platform.spoil("reject", func() error { return &engine.ProviderError{Kind: engine.Refused, Status: 400} })
		w.connect("a", caller)
		w.want("a", engine.Ended, engine.Failed)
		if len(w.platform.texts) != 0 {
			t.Errorf("sent %q although the reject did not stand", w.platform.texts)
		}
	})
}

func TestOneActionForFiveWebhooks(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { w.connect("a", caller) })
		}
		all.Wait()
		w.want("a", engine.Ended, engine.Rejected, "reject")
	})
}

func TestEndBeforeBeginning(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.terminate("a")
		w.connect("a", caller)
		w.want("a", engine.Ended, engine.Abandoned)
		pass(time.Minute)
		w.want("a", engine.Ended, engine.Abandoned)
	})
}

func TestStaleCallGetsNoAction(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.connectAt("a", caller, time.Now().Add(-10*time.Minute))
		w.want("a", engine.Ended, engine.TimedOut)
	})
}

func TestTerminateTwiceKeepsTheOutcome(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.connect("a", vip)
		pass(time.Second)
		w.terminate("a")
		w.terminate("a")
		w.want("a", engine.Ended, engine.Answered, "accept")
		if len(w.observed.ended) != 1 {
			t.Errorf("the end was told %d times", len(w.observed.ended))
		}
	})
}

func TestPlayedAnswerHangsUpAtItsEnd(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.connect("a", vip)
		c := w.want("a", engine.Active, "", "accept")
		if c.MediaUp.IsZero() {
			t.Error("the record does not say when the audio was up")
		}
		pass(4 * time.Second)
		w.want("a", engine.Ended, engine.Answered, "accept", "hang-up")
	})
}

func TestNoAudioIsAFailure(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.media.noUp = true
		w.connect("a", vip)
		pass(11 * time.Second)
		w.want("a", engine.Ended, engine.Failed, "accept", "hang-up")
	})
	inWorld(t, closing, func(w *world) {
		w.connect("b", vip)
		w.want("b", engine.Active, "", "accept")
		w.terminate("b", 138021)
		w.want("b", engine.Ended, engine.Failed, "accept")
	})
}

func TestAnswererThatFailsPassesOn(t *testing.T) {
	for name, set := range map[string]func(a *answerer){
		"error":        func(a *answerer) { a.err = errors.New("HTTP 500") },
		"late":         func(a *answerer) { a.delay, a.sdp = 4*time.Second, "answer" },
		"unusable SDP": func(a *answerer) { a.sdp = "bad" },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, closing, func(w *world) {
				set(w.answerer)
				w.platform.ring("a")
				err := w.e.Receive(w.t.Context(), []engine.Event{{Connect: &engine.Connect{
					CallID: "a", From: caller, To: "551122361741", Payload: "bot", SDP: "offer",
				}}})
				if err != nil {
					t.Fatal(err)
				}
				pass(4 * time.Second)
				c := w.want("a", engine.Ended, engine.Rejected, "reject")
				if c.Rule != "everybody" {
					t.Errorf("rule %q, want the next one that holds", c.Rule)
				}
				if r := w.trace(c)[1]; r.Rule != "bot" || r.Result != rules.PassedOn || r.Why == "" {
					t.Errorf("trace of the rule that failed: %+v", r)
				}
			})
		})
	}
}

func TestAnswererConnects(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.answerer.sdp = "their answer"
		w.platform.ring("a")
		if err := w.e.Receive(w.t.Context(), []engine.Event{{Connect: &engine.Connect{
			CallID: "a", From: "554399951234", To: "551122361741", Payload: "bot", SDP: "offer",
		}}}); err != nil {
			t.Fatal(err)
		}
		w.want("a", engine.Active, "", "accept")
		if got := w.answerer.asked[0]; got.From != "+5543999951234" || got.Number != "main" || got.SDP != "offer" {
			t.Errorf("the answerer was told %+v", got)
		}
		w.terminate("a")
		w.want("a", engine.Ended, engine.Answered, "accept")
	})
}

func TestAcceptAndTerminateCross(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		entered, leave := make(chan struct{}), make(chan struct{})
		w.platform.loseReply("accept", func() error { close(entered); <-leave; return nil })
		w.connect("a", vip)
		<-entered
		w.platform.ring("a")
		if err := w.e.Receive(w.t.Context(), []engine.Event{{Terminate: &engine.Terminate{CallID: "a", From: vip, Status: "COMPLETED"}}}); err != nil {
			t.Fatal(err)
		}
		close(leave)
		w.want("a", engine.Ended, engine.Abandoned, "accept", "hang-up")
	})
}

// The end of a call that an agent has just picked up overtakes the answer of Positus: it was answered, and has a
// wrap-up.
func TestAgentTalkedBeforePositusSaidSo(t *testing.T) {
	inWorld(t, handing, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		o := w.offer("ana")
		entered, leave := make(chan struct{}), make(chan struct{})
		w.platform.loseReply("accept", func() error { close(entered); <-leave; return nil })
		answered := make(chan error, 1)
		go func() { answered <- w.e.Answer(w.t.Context(), "ana", o.ID, "answer of ana") }()
		<-entered
		w.terminate("a")
		close(leave)
		if err := <-answered; !errors.Is(err, engine.ErrEnded) {
			t.Errorf("ana was told %v", err)
		}
		c := w.want("a", engine.Ended, engine.Answered, "accept")
		if c.Agent != "ana" || c.ActiveAt.IsZero() || w.free("ana") != 0 {
			t.Errorf("agent %q, active since %s, %d slots free", c.Agent, c.ActiveAt, w.free("ana"))
		}
		pass(16 * time.Second)
		if w.free("ana") != 1 {
			t.Error("the slot is not free after the wrap-up")
		}
	})
}

func TestPositusAwayUntilTheWindowEnds(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.platform.spoil("reject", func() error {
			pass(25 * time.Second)
			return &engine.ProviderError{Kind: engine.Unavailable, Status: 503, Repeated: true}
		})
		w.connect("a", caller)
		pass(26 * time.Second)
		w.want("a", engine.Ended, engine.TimedOut)
	})
}

func TestEchoOfALostReplyIsSuccess(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.platform.loseReply("reject", func() error {
			return &engine.ProviderError{Kind: engine.Gone, Status: 404, Repeated: true}
		})
		w.connect("a", caller)
		w.want("a", engine.Ended, engine.Rejected, "reject")
	})
	inWorld(t, closing, func(w *world) {
		w.platform.spoil("reject", func() error { return &engine.ProviderError{Kind: engine.Gone, Status: 404} })
		w.connect("b", caller)
		w.want("b", engine.Ended, engine.Abandoned)
	})
}

func TestStoreDownDecidesInMemoryAndRecordsLater(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.store.setAway(true)
		w.connect("static", vip)   // a rule that needs no store
		w.connect("store", caller) // listed("partners") cannot be known
		w.connect("static", vip)   // the same webhook again
		synctest.Wait()
		if got := w.platform.actions("static"); len(got) != 1 || got[0] != "accept" {
			t.Errorf("a rule without the store: %v", got)
		}
		if got := w.platform.actions("store"); len(got) != 1 || got[0] != "accept" {
			t.Errorf("on_error: %v", got)
		}
		pass(5 * time.Second)
		w.store.setAway(false)
		pass(5 * time.Second)
		c := w.want("static", engine.Ended, engine.Answered, "accept", "hang-up")
		if c.By != rules.ByRule || c.Rule != "vip" {
			t.Errorf("decided by %q %q", c.By, c.Rule)
		}
		c = w.want("store", engine.Ended, engine.Answered, "accept", "hang-up")
		if c.By != rules.ByOnError {
			t.Errorf("decided by %q, want on_error", c.By)
		}
		trace := w.trace(c)
		last := trace[len(trace)-1]
		if last.Result != rules.Errored || !strings.Contains(last.Why, "partners") {
			t.Errorf("the trace does not say which condition failed: %+v", last)
		}
	})
}

func TestStoreDownRefuses(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.e.StoreDown = engine.Refuse
		w.store.setAway(true)
		w.platform.ring("a")
		err := w.e.Receive(
			w.t.Context(),
			[]engine.Event{{Connect: &engine.Connect{CallID: "a", From: caller, To: "551122361741"}}},
		)
		if err == nil {
			t.Error("the webhook was taken")
		}
		synctest.Wait()
		if got := w.platform.actions("a"); len(got) != 0 {
			t.Errorf("acted on a refused webhook: %v", got)
		}
		w.store.setAway(false)
		w.connect("a", caller)
		w.want("a", engine.Ended, engine.Rejected, "reject")
	})
}

func TestTerminateWhileTheStoreIsDown(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.store.setAway(true)
		w.terminate("a")
		w.connect("a", caller)
		synctest.Wait()
		if got := w.platform.actions("a"); len(got) != 0 {
			t.Errorf("acted on a call that was over: %v", got)
		}
		w.store.setAway(false)
		pass(3 * time.Second)
		w.want("a", engine.Ended, engine.Abandoned)
	})
}

func TestMaxCallIsHungUpUntilConfirmed(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.media.length = time.Hour
		w.connect("a", vip)
		tries := 0
		w.platform.spoil("hang-up", func() error {
			if tries++; tries < 4 {
				return &engine.ProviderError{Kind: engine.Unavailable, Status: 503}
			}
			return nil
		})
		pass(10*time.Minute - time.Second)
		w.want("a", engine.Active, "", "accept")
		pass(5 * time.Second)
		c := w.want("a", engine.Active, "", "accept")
		if c.HangUp == nil {
			t.Fatal("a hang-up that failed is not visible")
		}
		pass(time.Minute)
		w.want("a", engine.Ended, engine.Reaped, "accept", "hang-up")
	})
}

// While nothing is sent to a Positus that fails, nothing is counted as an attempt: after the outage a call does not
// wait as one does that was tried many times.
func TestHangUpThatWasNeverSentIsNoAttempt(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.media.length = time.Hour
		w.connect("a", vip)
		w.platform.spoil("hang-up", func() error {
			return &engine.ProviderError{Kind: engine.Unavailable, Unsent: true}
		})
		pass(20*time.Minute + 43*time.Second)
		w.want("a", engine.Active, "", "accept")
		w.platform.spoil("hang-up", nil)
		pass(5 * time.Second)
		w.want("a", engine.Ended, engine.Reaped, "accept", "hang-up")
	})
}

func TestUnknownNumberIsIgnored(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		err := w.e.Receive(w.t.Context(), []engine.Event{
			{Connect: &engine.Connect{CallID: "a", From: caller, To: "551100000000"}},
			{Unknown: "surprise"},
			{Terminate: &engine.Terminate{CallID: "a", From: caller, To: "551100000000", Status: "FAILED"}},
			{Connect: &engine.Connect{CallID: "b", From: caller, To: "551122361741", Outbound: true}},
			{Alarm: &engine.Alarm{Code: 131044, Message: "no payment method"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a", "b"} {
			if _, err := w.store.Get(w.t.Context(), engine.Key(id)); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("%s was taken: %v", id, err)
			}
		}
		w.must(
			w.e.Receive(w.t.Context(), []engine.Event{{Alarm: &engine.Alarm{Code: 131026, Message: "not delivered"}}}),
		)
		if a := w.e.Alarms(); len(a) != 2 || a[0].Code != 131026 || a[1].Code != 131044 {
			t.Errorf("alarms: %v", a)
		}
		w.connect("c", caller)
		if a := w.e.Alarms(); len(a) != 1 || a[0].Code != 131026 {
			t.Errorf("alarms after a call has come: %v", a)
		}
	})
}

// The end of a call to a number that is not ours leaves no record, also while the store is away. One that began before
// a reload took its number out of the rules still ends.
func TestEndOfACallToAnUnknownNumber(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		end := func(id, to string) {
			w.must(w.e.Receive(w.t.Context(), []engine.Event{{Terminate: &engine.Terminate{
				CallID: id, From: caller, To: to, Status: "COMPLETED",
			}}}))
		}
		w.store.setAway(true)
		end("theirs", "551100000000")
		w.store.setAway(false)
		pass(3 * time.Second)
		if _, err := w.store.Get(w.t.Context(), engine.Key("theirs")); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("the end was recorded: %v", err)
		}
		w.media.length = time.Hour
		w.connect("ours", vip)
		w.want("ours", engine.Active, "", "accept")
		moved := strings.Replace(closing, "2236-1741", "2236-1742", 1)
		if moved == closing {
			t.Fatal("the rules have no such number")
		}
		w.e.SetRules(loadRules(t, t.TempDir(), moved))
		end("ours", "551122361741")
		w.want("ours", engine.Ended, engine.Answered, "accept")
	})
}

// What was set at run time, and so decided with the file, is in the record.
func TestRecordHasWhatWasSetAtRunTime(t *testing.T) {
	inWorld(t, clockRules, func(w *world) {
		ctx := w.t.Context()
		w.must(w.store.SetSwitch(ctx, "office", rules.Switch{Until: time.Now().Add(time.Hour)}))
		w.must(w.store.PutEntry(ctx, "vip", rules.Entry{Key: "+" + caller}))
		w.must(w.e.RefreshOverrides(ctx))
		w.connect("a", caller)
		c := w.want("a", engine.Ended, engine.Rejected, "reject")
		if len(c.Facts) != 1 || c.Facts[0].Switches["office"] != "closed" ||
			c.Facts[0].Switched["office"].Until.IsZero() ||
			!c.Facts[0].Listed["vip"] {
			t.Errorf("facts: %+v", c.Facts)
		}
		w.must(w.store.ClearSwitch(ctx, "office"))
		w.must(w.store.DeleteEntry(ctx, "vip", "+"+caller))
		w.must(w.e.RefreshOverrides(ctx))
		w.connect("b", vip)
		if c := w.want("b", engine.Active, "", "accept"); len(c.Facts) != 1 ||
			len(c.Facts[0].Switches)+len(c.Facts[0].Listed) != 0 {
			t.Errorf("facts: %+v", c.Facts)
		}
	})
}

// A caller who is known by user id is the same one when the number is shown: on the lists, and in the history.
func TestACallerWhoShowsTheNumberIsKnownByUserIDToo(t *testing.T) {
	inWorld(t, header+`
rules:
  - {name: partner, when: listed("partners"), then: reject}
  - {name: often, when: calls("1h") >= 2, then: reject}
default: {accept: greeting}
`, func(w *world) {
		ctx := w.t.Context()
		connect := func(id, from, userID string) *engine.Call {
			w.platform.ring(id)
			w.must(w.e.Receive(ctx, []engine.Event{{Connect: &engine.Connect{
				CallID: id, From: from, UserID: userID, To: "551122361741", SDP: "offer of " + id,
			}}}))
			return w.call(id)
		}
		connect("a", "", "BR.1")
		connect("b", caller, "BR.1")
		if c := connect("c", caller, "BR.1"); c.Rule != "often" {
			t.Errorf("the third call was decided by %q", c.Rule)
		}
		if c := connect("d", caller, "BR.2"); c.Rule != "often" {
			t.Errorf("the fourth call from the number was decided by %q", c.Rule)
		}
		connect("f", vip, "BR.4")
		connect("g", vip, "BR.4")
		if c := connect("h", "", "BR.4"); c.Rule != "often" {
			t.Errorf("the third call, with the number hidden, was decided by %q", c.Rule)
		}
		w.must(w.store.PutEntry(ctx, "partners", rules.Entry{Key: "id:BR.3"}))
		for i, from := range []string{"", vip} {
			if c := connect("e"+from, from, "BR.3"); c.Rule != "partner" {
				t.Errorf("call %d of one on the list by id was decided by %q", i, c.Rule)
			}
		}
	})
}

func TestCallKeepsItsRules(t *testing.T) {
	inWorld(t, header+`
rules:
  - {name: desk, then: {handoff: one}}
  - {name: old, then: reject}
default: {accept: greeting}
`, func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		w.offer("ana")
		other := loadRules(
			t,
			t.TempDir(),
			header+"\nrules:\n  - {name: new, then: {accept: greeting}}\ndefault: reject\n",
		)
		w.e.SetRules(other)
		pass(7 * time.Second)
		if c := w.want("a", engine.Ended, engine.Rejected, "reject"); c.Rule != "old" {
			t.Errorf("decided by %q of the new file", c.Rule)
		}
		w.connect("b", caller)
		if c := w.want("b", engine.Active, "", "accept"); c.Rule != "new" || c.RulesVersion != other.Version() {
			t.Errorf("the next call: rule %q, version %s", c.Rule, c.RulesVersion)
		}
	})
}
