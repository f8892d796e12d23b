package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"callrouter/console"
	"callrouter/engine"
	"callrouter/positus/fake"
)

// A graceful stop in the middle of everything: a call rings at an agent, another plays audio, and webhooks keep coming.
// Nothing that was taken is lost, and the next start goes on with what rings.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	inBothStores(t, func(t *testing.T, store string) {
		w := start(t, plan{store: store, audio: aMinute})
		ana := w.agent("ana", false)
		ringing := w.call(phone("sales"))
		first := next[console.OfferEvent](ana, 5*time.Second)
		p := phone("play")
		p.Media = true
		playing := w.call(p)
		if _, err := playing.WaitHeard(w.ctx(15*time.Second), 10); err != nil {
			t.Fatal(err)
		}
		var coming []*fake.Call
		for i := range 40 {
			p := phone([]string{"reject", "bot"}[i%2])
			p.ConnectDelay = time.Duration(i) * 5 * time.Millisecond
			coming = append(coming, w.call(p))
		}
		wait(100 * time.Millisecond) // in the middle of them
		began := time.Now()
		w.proc().signal(t, syscall.SIGTERM)
		if code := w.proc().exit(t, 10*time.Second); code != 0 {
			t.Errorf("exit code %d\n%s", code, excerpt(&w.logs))
		}
		t.Logf("stopped in %s", time.Since(began).Round(time.Millisecond))
		w.applied(playing, fake.KindAccept, fake.KindHangUp) // nobody is left in silence
		if strings.Contains(w.logs.String(), "call taken over") {
			t.Error("the router took over, while it stopped, what it had left for the next start")
		}
		if got := w.fake.AppliedTo(ringing.ID); len(got) != 0 {
			t.Errorf("the stop did %v to a call that rings", got)
		}
		w.start()
		if again := next[console.OfferEvent](ana, 12*time.Second); again.Offer != first.Offer {
			t.Errorf("offered after the start: %+v", again)
		} else if status, code := ana.answer(again.Offer, fake.TextAnswer(again.SDP)); status != http.StatusOK {
			t.Errorf("answer: %d %s", status, code)
		}
		taken := 0
		for _, c := range coming {
			if w.taken(c.ID) == 0 {
				continue
			}
			taken++
			if r := w.action(c, 10*time.Second); !r.Applied() || len(w.fake.ActionsFor(c.ID)) != 1 {
				t.Errorf("%s", requests(w.fake.ActionsFor(c.ID)))
			}
		}
		if taken == 0 || taken == len(coming) {
			t.Logf("%d of %d webhooks were taken: the stop did not come in between", taken, len(coming))
		}
	})
}

// A stop waits for a request that is under way, however slow Positus is.
func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	w := start(t, plan{dials: fake.Dials{Latency: map[fake.Kind]time.Duration{fake.KindReject: time.Second}}})
	call := w.call(phone("reject"))
	w.recorded(call.ID, 5*time.Second, func(r record) bool { return r.State == engine.Rejecting })
	w.proc().signal(t, syscall.SIGTERM)
	if code := w.proc().exit(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	w.applied(call, fake.KindReject)
	w.start()
	w.ended(call.ID, time.Second, engine.Rejected)
	if n := len(w.fake.ActionsFor(call.ID)); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// A stop is graceful even if Positus takes no hang-up: it ends in time, and the next start goes on trying.
func TestStopWhilePositusIsDown(t *testing.T) {
	t.Parallel()
	w := start(t, plan{audio: aMinute})
	p := phone("play")
	p.Media = true
	call := w.call(p)
	if _, err := call.WaitHeard(w.ctx(15*time.Second), 10); err != nil {
		t.Fatal(err)
	}
	w.fake.FailNext(fake.KindHangUp, fake.Fault{Status: 503, Times: fake.Forever})
	w.proc().signal(t, syscall.SIGTERM)
	if code := w.proc().exit(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d\n%s", code, excerpt(&w.logs))
	}
	w.fake.ClearFaults()
	w.start()
	w.recorded(call.ID, 15*time.Second, func(r record) bool { return r.State == engine.Ended })
	w.applied(call, fake.KindAccept, fake.KindHangUp)
}

// A second signal ends the program at once.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, plan{audio: aMinute})
	p := phone("play")
	p.Media = true
	call := w.call(p)
	if _, err := call.WaitHeard(w.ctx(15*time.Second), 10); err != nil {
		t.Fatal(err)
	}
	w.proc().signal(t, syscall.SIGTERM)
	within(
		t,
		5*time.Second,
		"it says that it stops",
		func() bool { return strings.Contains(w.logs.String(), "stopping") },
	)
	began := time.Now()
	w.proc().signal(t, syscall.SIGTERM)
	w.proc().exit(t, 5*time.Second)
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s after the second signal", took)
	}
	w.start()
	w.ended(call.ID, 5*time.Second, engine.Reaped)
	w.applied(call, fake.KindAccept, fake.KindHangUp)
}

func (w *world) rulesStatus() console.Rules {
	w.t.Helper()
	r, err := w.admins().Rules(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// SIGHUP reads the rules again; a bad file leaves the old one in force, and everybody can see it.
func TestReload(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	before := w.rulesStatus()
	if before.Version == "" || before.LastRefusal != nil {
		t.Errorf("rules: %+v", before)
	}
	ana := w.agent("ana", false)
	old := w.call(phone("sales")) // begins under the first version
	next[console.OfferEvent](ana, 5*time.Second)

	w.write("version: 1\nsurprise: [\n")
	w.proc().signal(t, syscall.SIGHUP)
	within(t, 5*time.Second, "the refusal is seen", func() bool { return w.rulesStatus().LastRefusal != nil })
	if s := w.rulesStatus(); s.Version != before.Version || len(s.LastRefusal.Problems) == 0 {
		t.Errorf("rules: %+v", s)
	}
	m := w.seeMetrics()
	for _, line := range []string{"callrouter_rules_last_reload_successful 0", `callrouter_rules_info{version="` + before.Version + `"} 1`} {
		if !strings.Contains(m, line) {
			t.Errorf("/metrics has no %s", line)
		}
	}
	refused, err := w.admins().Reload(t.Context())
	if status, _, _ := outcome(err); status != http.StatusUnprocessableEntity || len(refused.Problems) == 0 ||
		!strings.Contains(refused.Problems[0].File, "rules.yaml") {
		t.Errorf("reload: %v %+v", err, refused)
	}
	if r := w.action(w.call(phone("reject")), 5*time.Second); r.Kind != fake.KindReject {
		t.Errorf("after a bad file: %s", r.Kind)
	}

	changed := strings.Replace(
		worldRules,
		`payload == "reject", then: reject`,
		`payload == "reject", then: {handoff: all}`,
		1,
	)
	w.write(strings.ReplaceAll(changed, "ANSWERER", "http://127.0.0.1:1"))
	w.proc().signal(t, syscall.SIGHUP)
	within(
		t,
		5*time.Second,
		"the new version is in force",
		func() bool { return w.rulesStatus().Version != before.Version },
	)
	if m := w.seeMetrics(); !strings.Contains(m, "callrouter_rules_last_reload_successful 1") {
		t.Error("/metrics still shows the refusal")
	}
	bruno := w.agent("bruno", false)
	fresh := w.call(phone("reject"))
	if o := next[console.OfferEvent](bruno, 5*time.Second); o.Call.ID != fresh.ID {
		t.Errorf("offer: %+v", o)
	}
	if r, _ := w.record(old.ID); r.Version != before.Version {
		t.Error("a call in hand has changed its version of the rules")
	}
}
