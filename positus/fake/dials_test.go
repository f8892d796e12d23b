package fake_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"callrouter/positus/fake"
)

func TestFaultsSpoilTheNextRequestsOfTheirKindOnly(t *testing.T) {
	g := overHTTP(t)
	c := g.place(fake.Phone{})
	g.FailNext(fake.KindAccept,
		fake.Fault{Times: 2, Status: 503, Body: "busy"},
		fake.Fault{Status: 429, RetryAfter: "7", Code: 138005},
		fake.Fault{Status: 401, Body: `{"message":"Unauthenticated."}`})
	if r := g.post(fake.KindReject, map[string]any{"call_id": "wacid.other"}); r.status != 400 {
		t.Errorf("another kind: %d", r.status)
	}
	var statuses []int
	for range 4 {
		r := g.accept(c)
		statuses = append(statuses, r.status)
		if r.status == 429 && (r.header.Get("Retry-After") != "7" || r.code() != 138005) {
			t.Errorf("429 with %v %s", r.header, r.body)
		}
	}
	if !slices.Equal(statuses, []int{503, 503, 429, 401}) || c.State() != fake.Ringing {
		t.Errorf("statuses %v, the call is %s", statuses, c.State())
	}
	if r := g.accept(c); r.status != 200 {
		t.Errorf("afterwards: %d %s", r.status, r.body)
	}
	var effects []fake.Effect
	for _, r := range g.ActionsFor(c.ID) {
		effects = append(effects, r.Effect)
	}
	want := []fake.Effect{fake.Spoiled, fake.Spoiled, fake.Spoiled, fake.Spoiled, fake.Applied}
	if !slices.Equal(effects, want) {
		t.Errorf("effects %v", effects)
	}
}

func TestForeverLastsUntilCleared(t *testing.T) {
	g := overHTTP(t)
	c := g.place(fake.Phone{})
	g.FailNext(fake.KindHangUp, fake.Fault{Times: fake.Forever, Status: 500})
	for range 5 {
		if r := g.post(fake.KindHangUp, idBody(c)); r.status != 500 {
			t.Fatalf("%d", r.status)
		}
	}
	g.ClearFaults()
	if r := g.post(fake.KindHangUp, idBody(c)); r.status != 200 {
		t.Errorf("%d", r.status)
	}
}

func TestReplyIsLostAfterProcessing(t *testing.T) {
	g := overHTTP(t)
	c := g.place(fake.Phone{})
	g.FailNext(fake.KindAccept, fake.Fault{LoseReply: true})
	_, err := g.try(t.Context(), fake.KindAccept, acceptBody(c))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if c.State() != fake.Accepted {
		t.Errorf("the call is %s", c.State())
	}
	log := g.ActionsFor(c.ID)[0]
	if !log.Applied() || !log.Lost || log.Status != 0 {
		t.Errorf("log %+v", log)
	}
	if r := g.accept(c); r.status != 400 || r.code() != 100 {
		t.Errorf("repeated: %d %s", r.status, r.body)
	}
}

func TestHangLastsUntilTheClientGivesUp(t *testing.T) {
	g := overHTTP(t)
	c := g.place(fake.Phone{})
	g.FailNext(fake.KindReject, fake.Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := g.try(ctx, fake.KindReject, idBody(c))
		failed <- err
	}()
	r, err := g.WaitRequest(soon(t), func(r fake.Request) bool { return r.Kind == fake.KindReject })
	if err != nil || r.Effect != fake.Spoiled || !r.Lost {
		t.Errorf("%+v, %v", r, err)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if c.State() != fake.Ringing {
		t.Errorf("the call is %s", c.State())
	}
}

func TestCloseFreesRequestsThatHang(t *testing.T) {
	g := overHTTP(t)
	c := g.place(fake.Phone{})
	g.FailNext(fake.KindReject, fake.Fault{Hang: true})
	failed := make(chan error, 1)
	go func() {
		_, err := g.try(context.Background(), fake.KindReject, idBody(c))
		failed <- err
	}()
	if _, err := g.WaitRequest(soon(t), func(fake.Request) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("replied")
	}
	if _, err := g.Call(fake.Phone{Number: caller}); err == nil {
		t.Error("a closed server takes calls")
	}
}

func TestLatencyAndDelayedReplies(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		g.Adjust(func(d *fake.Dials) { d.Latency[fake.KindAccept] = 3 * time.Second })
		c := g.place(fake.Phone{})
		start := time.Now()
		if r := g.accept(c); r.status != 200 || time.Since(start) != 3*time.Second {
			t.Errorf("%d after %v", r.status, time.Since(start))
		}
		if at := c.Events()[1].At.Sub(start); at != 3*time.Second {
			t.Errorf("latency comes before the accept, which came after %v", at)
		}
		g.FailNext(fake.KindHangUp, fake.Fault{DelayReply: 5 * time.Second})
		start = time.Now()
		if r := g.post(fake.KindHangUp, idBody(c)); r.status != 200 || time.Since(start) != 5*time.Second {
			t.Errorf("%d after %v", r.status, time.Since(start))
		}
		if end, _ := c.End(); !end.At.Equal(start) {
			t.Errorf("the hang-up came %v before its reply, want 5s", time.Since(end.At))
		}
	})
}

func TestAClientThatLeavesDuringTheLatencyChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		g.Adjust(func(d *fake.Dials) { d.Latency[fake.KindReject] = time.Hour })
		c := g.place(fake.Phone{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		defer func() {
			if recover() == nil {
				t.Error("there was a reply")
			}
			if c.State() != fake.Ringing || len(g.AppliedTo(c.ID)) != 0 {
				t.Errorf("the call is %s", c.State())
			}
		}()
		_, _ = g.try(ctx, fake.KindReject, idBody(c))
	})
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	taken := overHTTP(t)
	for name, tc := range map[string]struct {
		cfg  fake.Config
		want string
	}{
		"no token":   {fake.Config{Numbers: map[string]string{"a": "1"}}, "Token"},
		"no numbers": {fake.Config{Token: "t"}, "Numbers"},
		"port taken": {
			fake.Config{
				Token: "t", Numbers: map[string]string{"a": "1"},
				Addr: strings.TrimSuffix(strings.TrimPrefix(taken.URL(), "http://"), "/v2"),
			},
			"address already in use",
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := fake.New(tc.cfg)
			defer srv.Close()
			if err := srv.Start(); err == nil || !strings.Contains(err.Error(), tc.want) || srv.URL() != "" {
				t.Errorf("%v, %q", err, srv.URL())
			}
		})
	}
}

func TestNoPhoneNumberInTheLog(t *testing.T) {
	var out bytes.Buffer
	inBubble(t, func(t *testing.T, g *rig) {
		c := g.place(fake.Phone{Name: "Ana Canary"})
		g.accept(c)
		g.post(fake.KindReject, idBody(c))
		g.post(fake.KindMake, map[string]any{"to": "5543988887777", "session": map[string]any{"sdp": "v=0"}})
		elapse(2 * time.Minute)
	}, func(c *fake.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	for _, secret := range []string{caller, "5543988887777", business, token, "Canary", "router.test"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, out.String())
		}
	}
	if !strings.Contains(out.String(), `"kind":"accept"`) || !strings.Contains(out.String(), `"event":"terminate"`) {
		t.Errorf("log:\n%s", out.String())
	}
}
