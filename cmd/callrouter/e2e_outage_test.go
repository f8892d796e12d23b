package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/positus/fake"
)

// Positus is down for a while: what was decided is done once it is back, inside the window and once.
func TestPositusComesBack(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	for _, k := range []fake.Kind{fake.KindReject, fake.KindAccept} {
		w.fake.FailNext(k, fake.Fault{Status: 503, Times: fake.Forever})
	}
	var calls []*fake.Call
	want := map[string]fake.Kind{"reject": fake.KindReject, "bot": fake.KindAccept}
	for range 5 {
		for payload := range want {
			calls = append(calls, w.call(phone(payload)))
		}
	}
	wait(4 * time.Second) // long enough for the circuit breakers to open
	for _, c := range calls {
		w.applied(c)
	}
	w.fake.ClearFaults()
	back := time.Now()
	for i, c := range calls {
		within(t, 10*time.Second, "the action arrives", func() bool { return len(w.fake.AppliedTo(c.ID)) > 0 })
		r := w.recorded(
			c.ID,
			5*time.Second,
			func(r record) bool { return r.State == engine.Active || r.State == engine.Ended },
		)
		if r.State == engine.Ended && r.Outcome != engine.Rejected {
			t.Errorf("call %d: outcome %s (%s)", i, r.Outcome, r.Why)
		}
	}
	t.Logf("all done %s after Positus was back", time.Since(back).Round(time.Millisecond))
}

// Positus stays down: nothing is sent after the window, and the record says that it was too late.
func TestPositusStaysDown(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	w.fake.FailNext(fake.KindReject, fake.Fault{Status: 503, Times: fake.Forever})
	p := phone("reject")
	p.Age, p.Window, p.NoTerminate = 20*time.Second, time.Hour, true // 5 s are left
	call := w.call(p)
	r := w.ended(call.ID, 8*time.Second, engine.TimedOut)
	n := len(w.fake.ActionsFor(call.ID))
	for _, a := range w.fake.ActionsFor(call.ID) {
		if a.Time.After(r.Deadline) {
			t.Errorf("a request %s after the window", a.Time.Sub(r.Deadline))
		}
	}
	if n < 3 || n > 30 {
		t.Errorf("%d attempts in 5 s", n)
	}
	w.fake.ClearFaults()
	wait(time.Second)
	if len(w.fake.ActionsFor(call.ID)) != n {
		t.Error("a request after the end of the call")
	}
}

// Retry-After is obeyed while it leaves room, and a reply that was lost leads to the same action once more, not
// another.
func TestBusyAndLostReplies(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	busy := phone("reject")
	busy.Faults = map[fake.Kind][]fake.Fault{fake.KindReject: {{Status: 429, RetryAfter: "2"}}}
	odd := phone("bot")
	odd.Faults = map[fake.Kind][]fake.Fault{fake.KindAccept: {{Status: 429, RetryAfter: "soon"}}}
	lostReject := phone("reject")
	lostReject.Faults = map[fake.Kind][]fake.Fault{fake.KindReject: {{LoseReply: true}}}
	lostAccept := phone("bot")
	lostAccept.Faults = map[fake.Kind][]fake.Fault{fake.KindAccept: {{LoseReply: true}}}
	slow := phone("bot")
	// carried out, and given up after 2 s
	slow.Faults = map[fake.Kind][]fake.Fault{fake.KindAccept: {{DelayReply: 3 * time.Second}}}
	gone := phone("reject")
	gone.Faults = map[fake.Kind][]fake.Fault{fake.KindReject: {{Code: 100, Status: 404}}}
	never := phone("reject")
	never.Age, never.Window, never.NoTerminate = 22*time.Second, time.Hour, true
	never.Faults = map[fake.Kind][]fake.Fault{fake.KindReject: {{Status: 429, RetryAfter: "3600", Times: fake.Forever}}}
	tests := map[string]struct {
		phone fake.Phone
		kind  fake.Kind
		state engine.State
		end   engine.Outcome
		asked int
	}{
		"busy":           {busy, fake.KindReject, engine.Ended, engine.Rejected, 2},
		"odd header":     {odd, fake.KindAccept, engine.Active, "", 2},
		"lost reject":    {lostReject, fake.KindReject, engine.Ended, engine.Rejected, 2},
		"lost accept":    {lostAccept, fake.KindAccept, engine.Active, "", 2},
		"slow accept":    {slow, fake.KindAccept, engine.Active, "", 2},
		"no such call":   {gone, "", engine.Ended, engine.Abandoned, 1},
		"busy too long":  {never, "", engine.Ended, engine.TimedOut, 1},
		"nothing at all": {phone("bot"), fake.KindAccept, engine.Active, "", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := w.call(test.phone)
			r := w.recorded(call.ID, 12*time.Second, func(r record) bool { return r.State == test.state })
			if r.Outcome != test.end {
				t.Errorf("outcome %q (%s), want %q", r.Outcome, r.Why, test.end)
			}
			if test.kind == "" {
				w.applied(call)
			} else {
				w.applied(call, test.kind)
			}
			actions := w.fake.ActionsFor(call.ID)
			if len(actions) != test.asked {
				t.Errorf("%s, want %d", requests(actions), test.asked)
			}
			if name == "busy" && actions[1].Time.Sub(actions[0].Time) < 2*time.Second {
				t.Errorf("asked again after %s", actions[1].Time.Sub(actions[0].Time))
			}
		})
	}
}

// Accepts that fail never block hang-ups.
func TestHangUpsGoOnWhileAcceptsFail(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	live := w.call(phone("bot"))
	w.active(live.ID, 5*time.Second)
	w.fake.FailNext(fake.KindAccept, fake.Fault{Status: 500, Times: fake.Forever})
	for range 15 {
		w.call(phone("bot"))
	}
	within(t, 10*time.Second, "the circuit breaker of accepts is open", func() bool {
		return strings.Contains(w.logs.String(), `"request":"accept","state":"open"`)
	})
	a := &agent{w: w, token: w.admin}
	began := time.Now()
	if status := a.hangUp(live.ID); status != http.StatusOK {
		t.Errorf("hang-up: %d", status)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the hang-up took %s", took)
	}
	w.ended(live.ID, 5*time.Second, engine.Answered)
	w.applied(live, fake.KindAccept, fake.KindHangUp)
}

// A hang-up that Positus does not take is tried until it does; until then the call is shown as going on.
func TestHangUpIsTriedUntilItIsTaken(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	call := w.call(phone("bot"))
	w.active(call.ID, 5*time.Second)
	w.fake.FailNext(fake.KindHangUp, fake.Fault{Status: 503, Times: fake.Forever})
	a := &agent{w: w, token: w.admin}
	if status := a.hangUp(call.ID); status != http.StatusBadGateway {
		t.Errorf("hang-up: %d", status)
	}
	if r, _ := w.record(call.ID); r.State != engine.Active || r.HangUp == nil || r.HangUp.Error == "" {
		t.Errorf("record: %+v", r)
	}
	w.fake.ClearFaults()
	w.ended(call.ID, 10*time.Second, engine.Answered)
	w.applied(call, fake.KindAccept, fake.KindHangUp)
}

// A token that Positus does not take: each call is tried once and has failed, the log says what to look at, and it is
// counted apart from all else.
func TestTokenThatPositusDoesNotTake(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	for _, kind := range []fake.Kind{fake.KindAccept, fake.KindReject} {
		w.fake.FailNext(kind, fake.Fault{Status: http.StatusUnauthorized, Times: fake.Forever})
	}
	for _, way := range []string{"reject", "bot"} {
		call := w.call(phone(way))
		w.ended(call.ID, 5*time.Second, engine.Failed)
		if n := len(w.fake.ActionsFor(call.ID)); n != 1 {
			t.Errorf("%s: %d requests", way, n)
		}
	}
	if !strings.Contains(w.logs.String(), "check POSITUS_TOKEN") {
		t.Errorf("the log does not say what to do:\n%s", excerpt(&w.logs))
	}
	if n := w.gauge(`callrouter_errors_total{kind="unauthorized"}`); n != 2 {
		t.Errorf("counted %v times", n)
	}
}

// Hang-ups that Positus does not take hold up neither a start nor calls that ring.
func TestStuckHangUpsHoldUpNothing(t *testing.T) {
	t.Parallel()
	w := start(t, plan{audio: aMinute})
	var playing []*fake.Call
	for range 3 {
		p := phone("play")
		p.Media = true
		playing = append(playing, w.call(p))
	}
	for _, c := range playing {
		if _, err := c.WaitHeard(w.ctx(15*time.Second), 2); err != nil {
			t.Fatal(err)
		}
	}
	ringing := phone("reject")
	ringing.Faults = map[fake.Kind][]fake.Fault{fake.KindReject: {{Hang: true}}}
	call := w.call(ringing)
	w.recorded(call.ID, 5*time.Second, func(r record) bool { return r.State == engine.Rejecting })
	w.fake.FailNext(fake.KindHangUp, fake.Fault{Status: 503, Times: fake.Forever})
	began := time.Now()
	w.restart()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the start took %s", took)
	}
	w.ended(call.ID, 3*time.Second, engine.Rejected)
	w.fake.ClearFaults()
	for _, c := range playing {
		w.ended(c.ID, 20*time.Second, engine.Reaped)
	}
}
