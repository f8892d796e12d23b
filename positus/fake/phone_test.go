package fake_test

import (
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/positus/fake"
)

func TestOrdinaryCall(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		c := g.place(fake.Phone{Name: "Ana", CTAPayload: "sales", DeeplinkPayload: "site"})
		start := time.Now()
		elapse(4 * time.Second)
		if r := g.accept(c); r.status != 200 || string(r.body) != `{"success":true}` {
			t.Fatalf("accept: %d %s", r.status, r.body)
		}
		elapse(59 * time.Second)
		if r := g.post(fake.KindHangUp, idBody(c)); r.status != 200 {
			t.Fatalf("hang up: %s", r.body)
		}
		synctest.Wait()
		connect, terminate := g.receiver.call(0, 0), g.receiver.call(1, 0)
		if connect["id"] != c.ID || connect["from"] != caller || connect["to"] != business ||
			connect["cta_payload"] != "sales" ||
			connect["deeplink_payload"] != "site" ||
			connect["timestamp"] != strconv.FormatInt(start.Unix(), 10) {
			t.Errorf("connect %v", connect)
		}
		if contacts := parse(g.receiver.bodies[0]).Contacts; contacts[0]["profile"].(map[string]any)["name"] != "Ana" ||
			contacts[0]["wa_id"] != caller {
			t.Errorf("contacts %v", contacts)
		}
		if terminate["status"] != "COMPLETED" || terminate["duration"] != 59.0 ||
			terminate["start_time"] != strconv.FormatInt(start.Add(4*time.Second).Unix(), 10) ||
			terminate["end_time"] != strconv.FormatInt(start.Add(63*time.Second).Unix(), 10) {
			t.Errorf("terminate %v", terminate)
		}
		var states []fake.State
		for _, e := range c.Events() {
			states = append(states, e.State)
		}
		if !slices.Equal(states, []fake.State{fake.Ringing, fake.Accepted, fake.Ended}) {
			t.Errorf("states %v", states)
		}
		if end, over := c.End(); !over || end.By != fake.Business || end.Duration != 59*time.Second {
			t.Errorf("end %+v", end)
		}
	})
}

// script is a phone left alone, or accepted after a while, and the webhooks and the end that must come of it.
type script struct {
	phone    fake.Phone
	acceptAt time.Duration // 0: not
	config   func(*fake.Config)
	events   []string
	end      fake.End // At and Duration are not compared
	endedAt  time.Duration
	status   int // of the accept
}

func TestPhonesPlayTheirScripts(t *testing.T) {
	ok := []string{"connect", "terminate"}
	for name, tc := range map[string]script{
		"hangs up while ringing": {
			phone: fake.Phone{HangUpAfter: 3 * time.Second}, events: ok,
			end: fake.End{By: fake.Caller, Status: "COMPLETED"}, endedAt: 3 * time.Second,
		},
		"terminate overtakes connect": {
			phone: fake.Phone{TerminateFirst: true}, events: []string{"terminate", "connect"},
			end: fake.End{By: fake.Caller, Status: "COMPLETED"},
		},
		"connect three times": {
			phone:  fake.Phone{ConnectRepeat: []time.Duration{0, 25 * time.Second}, Window: 40 * time.Second},
			events: []string{"connect", "connect", "connect", "terminate"},
			end:    fake.End{By: fake.Network, Status: "COMPLETED"}, endedAt: 40 * time.Second,
		},
		"connect again after terminate": {
			phone:  fake.Phone{HangUpAfter: time.Second, ConnectAfterEnd: 5 * time.Second},
			events: []string{"connect", "terminate", "connect"},
			end:    fake.End{By: fake.Caller, Status: "COMPLETED"}, endedAt: time.Second,
		},
		"nobody answers": {
			phone: fake.Phone{Window: 37 * time.Second}, events: ok,
			end: fake.End{By: fake.Network, Status: "COMPLETED"}, endedAt: 37 * time.Second,
		},
		"missed with another status": {
			phone: fake.Phone{Window: 37 * time.Second, Form: &fake.Form{MissedStatus: "FAILED"}}, events: ok,
			end: fake.End{By: fake.Network, Status: "FAILED"}, endedAt: 37 * time.Second,
		},
		"accept after the window": {
			phone: fake.Phone{Window: 31 * time.Second}, acceptAt: 32 * time.Second, status: 500, events: ok,
			end: fake.End{By: fake.Network, Status: "COMPLETED"}, endedAt: 31 * time.Second,
		},
		"accepted without media": {
			phone: fake.Phone{NoMedia: true}, acceptAt: 5 * time.Second, status: 200, events: ok,
			end: fake.End{By: fake.Network, Status: "FAILED", Code: 138021}, endedAt: 25 * time.Second,
		},
		"media stops in mid-call": {
			phone: fake.Phone{MediaStopsAfter: 20 * time.Second}, acceptAt: 5 * time.Second, status: 200, events: ok,
			end: fake.End{By: fake.Network, Status: "FAILED", Code: 138021}, endedAt: 55 * time.Second,
		},
		"hangs up in mid-call": {
			phone: fake.Phone{TalkFor: 50 * time.Second}, acceptAt: 5 * time.Second, status: 200, events: ok,
			end: fake.End{By: fake.Caller, Status: "COMPLETED"}, endedAt: 55 * time.Second,
		},
		"terminate never comes": {
			phone: fake.Phone{HangUpAfter: time.Second, NoTerminate: true}, events: []string{"connect"},
			end: fake.End{By: fake.Caller, Status: "COMPLETED"}, endedAt: time.Second,
		},
		"a connect that is stale": {
			phone: fake.Phone{Age: 10 * time.Minute, NoTerminate: true}, acceptAt: time.Second, status: 500,
			events: []string{"connect"},
			end:    fake.End{By: fake.Network, Status: "COMPLETED"},
		},
		"two seconds of the window are gone": {
			phone: fake.Phone{Age: 2 * time.Second, Window: 30 * time.Second}, events: ok,
			end: fake.End{By: fake.Network, Status: "COMPLETED"}, endedAt: 28 * time.Second,
		},
		"the connect comes late": {
			phone: fake.Phone{ConnectDelay: 10 * time.Second, HangUpAfter: time.Second}, events: ok,
			end: fake.End{By: fake.Caller, Status: "COMPLETED"}, endedAt: time.Second,
		},
		"hangs up as it is accepted": {
			phone: fake.Phone{HangUpOnAccept: true}, acceptAt: time.Second, status: 200, events: ok,
			end: fake.End{By: fake.Caller, Status: "COMPLETED"}, endedAt: time.Second,
		},
		"every webhook twice": {
			phone:  fake.Phone{HangUpAfter: time.Second},
			config: func(c *fake.Config) { c.Dials.Delivery.Repeat = []time.Duration{2 * time.Second} },
			events: []string{"connect", "terminate", "connect", "terminate"},
			end:    fake.End{By: fake.Caller, Status: "COMPLETED"}, endedAt: time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) { play(t, tc) })
	}
}

func play(t *testing.T, tc script) {
	change := func(*fake.Config) {}
	if tc.config != nil {
		change = tc.config
	}
	inBubble(t, func(t *testing.T, g *rig) {
		start := time.Now()
		c := g.place(tc.phone)
		if tc.acceptAt > 0 {
			elapse(tc.acceptAt)
			if r := g.accept(c); r.status != tc.status || (r.status == 500 && r.code() != 138007) {
				t.Errorf("accept: %d %s, want %d", r.status, r.body, tc.status)
			}
		}
		elapse(2 * time.Minute)
		if got := g.receiver.events(); !slices.Equal(got, tc.events) {
			t.Errorf("webhooks %v, want %v", got, tc.events)
		}
		end, over := c.End()
		if !over || end.At.Sub(start) != tc.endedAt {
			t.Errorf("ended %v, %v after it was placed, want %v", over, end.At.Sub(start), tc.endedAt)
		}
		end.At, end.Duration = time.Time{}, 0
		if end != tc.end {
			t.Errorf("end %+v, want %+v", end, tc.end)
		}
	}, change)
}

func TestOneWindowDiffersFromAnotherAndStaysInBounds(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		start, windows := time.Now(), map[time.Duration]bool{}
		var calls []*fake.Call
		for range 30 {
			calls = append(calls, g.place(fake.Phone{}))
		}
		elapse(61 * time.Second)
		for _, c := range calls {
			end, over := c.End()
			rang := end.At.Sub(start)
			if !over || rang < 30*time.Second || rang > 60*time.Second {
				t.Errorf("rang for %v", rang)
			}
			windows[rang] = true
		}
		if len(windows) < 25 {
			t.Errorf("%d different windows in 30 calls", len(windows))
		}
	})
}

func TestWallClockAloneEndsTheWindow(t *testing.T) {
	var step atomic.Int64
	inBubble(t, func(t *testing.T, g *rig) {
		c := g.place(fake.Phone{})
		step.Store(int64(time.Hour))
		if r := g.accept(c); r.status != 500 || r.code() != 138007 {
			t.Errorf("accept an hour later: %d %s", r.status, r.body)
		}
	}, func(c *fake.Config) { c.Now = func() time.Time { return time.Now().Add(time.Duration(step.Load())) } })
}

func TestHangUpFailsAndTerminateArrivesAnyway(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		c := g.place(fake.Phone{Faults: map[fake.Kind][]fake.Fault{fake.KindHangUp: {{Status: 500, Process: true}}}})
		g.accept(c)
		if r := g.post(fake.KindHangUp, idBody(c)); r.status != 500 {
			t.Errorf("hang up: %d", r.status)
		}
		synctest.Wait()
		if got := g.receiver.events(); !slices.Equal(got, []string{"connect", "terminate"}) {
			t.Errorf("webhooks %v", got)
		}
		if got := g.AppliedTo(c.ID); !slices.Equal(got, []fake.Kind{"accept", "hang-up"}) {
			t.Errorf("applied %v", got)
		}
	})
}

func TestHangUpOnAcceptPostsTerminateBeforeTheReply(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		c := g.place(fake.Phone{HangUpOnAccept: true})
		r := g.accept(c)
		if got := g.receiver.events(); r.status != 200 || !slices.Equal(got, []string{"connect", "terminate"}) {
			t.Errorf("reply %d with webhooks %v", r.status, got)
		}
	})
}

func TestCallerWithoutANumber(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		g.place(fake.Phone{UserID: "BR.1234", ParentUserID: "BR.12", Username: "ana"})
		synctest.Wait()
		connect := g.receiver.call(0, 0)
		if _, has := connect["from"]; has || connect["from_user_id"] != "BR.1234" ||
			connect["from_parent_user_id"] != "BR.12" {
			t.Errorf("connect %v", connect)
		}
		contact := parse(g.receiver.bodies[0]).Contacts[0]
		if _, has := contact["wa_id"]; has || contact["user_id"] != "BR.1234" ||
			contact["profile"].(map[string]any)["username"] != "ana" {
			t.Errorf("contact %v", contact)
		}
	})
}

func TestWhoCanBeCalled(t *testing.T) {
	g := overHTTP(t, func(c *fake.Config) { c.Numbers["other"] = "5543999990000" })
	for name, tc := range map[string]struct {
		phone  fake.Phone
		id     string
		failed bool
	}{
		"by id":                 {fake.Phone{Number: caller, To: "other"}, "other", false},
		"by digits":             {fake.Phone{Number: caller, To: business}, numberID, false},
		"a number of no id":     {fake.Phone{Number: caller, To: "551140000000"}, "", false},
		"not clear which":       {fake.Phone{Number: caller}, "", true},
		"neither id nor digits": {fake.Phone{Number: caller, To: "othr"}, "", true},
		"nobody calls":          {fake.Phone{To: business}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := g.Call(tc.phone)
			if (err != nil) != tc.failed || (c != nil && c.NumberID != tc.id) {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

func TestWaitSaysWhyItWillNeverCome(t *testing.T) {
	g := overHTTP(t)
	c := g.place(fake.Phone{})
	if !c.HangUp() || c.HangUp() || c.Expire() || c.Fail(138020) || c.PickUp() {
		t.Error("a call ends once")
	}
	if err := c.Wait(soon(t), fake.Accepted); err == nil {
		t.Error("waited for an accept that cannot come")
	}
	if err := c.Wait(soon(t), fake.Ringing); err != nil {
		t.Error(err)
	}
}
