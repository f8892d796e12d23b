package router

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
	"callrouter/positus/fake"
)

// get reads a page.
func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadinessIsCheapAndSaysNoAddress: whoever asks, and however often, costs the store one look a second; the public
// side has no address in it.
func TestReadinessIsCheapAndSaysNoAddress(t *testing.T) {
	r, _ := run(t, handsOff, fake.Dials{}, nil)
	defer func() { _ = r.Stop() }()
	synctest.Test(t, func(t *testing.T) {
		pings := 0
		d := &readiness{
			engine:   r.Engine(),
			notFound: func() []string { return nil },
			ping: func(context.Context) error {
				pings++
				return errors.New("dial tcp 10.1.2.3:6379: connection refused")
			},
		}
		ask := func(h http.Handler) string {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("%d while the store is away", w.Code)
			}
			return w.Body.String()
		}
		for range 100 {
			if s := ask(d.public()); strings.Contains(s, "10.1") || !strings.Contains(s, "cannot be reached") {
				t.Fatalf("the public side: %s", s)
			}
		}
		if s := ask(d.internal()); !strings.Contains(s, "10.1.2.3") {
			t.Errorf("the internal side: %s", s)
		}
		if pings != 1 {
			t.Errorf("%d looks at the store within a second", pings)
		}
		<-time.After(readyFor)
		if ask(d.public()); pings != 2 {
			t.Errorf("%d looks at the store after a second", pings)
		}
	})
}

// TestAWrongAddressIsNoCallerWhoHangsUp: with a wrong positus_id or a wrong URL of the API every request gets 404. The
// calls failed, which is counted, logged and, once it repeats, an alarm.
func TestAWrongAddressIsNoCallerWhoHangsUp(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		shape  fake.ErrorShape
	}{
		"positus_id":       {func(*Config) {}, fake.ErrorsArray},
		"positus_id, text": {func(*Config) {}, fake.ErrorText},
		"URL, a page":      {func(cfg *Config) { cfg.PositusURL += "/v1/v2" }, fake.ErrorHTML},
		"URL of others":    {func(cfg *Config) { cfg.PositusURL += "/wrong" }, fake.ErrorEmpty},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(handsOff, "{handoff: sales}", "reject", 1)
			if strings.HasPrefix(name, "positus_id") {
				text = strings.Replace(text, "positus_id: "+numberID, "positus_id: other", 1)
			}
			var log logLines
			r, positus := run(t, text, fake.Dials{Errors: tc.shape}, func(cfg *Config) {
				tc.change(cfg)
				cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			})
			defer func() { _ = r.Stop() }()
			for i, number := range []string{"5521977776666", "5521977776667"} {
				call, err := positus.Call(fake.Phone{Number: number})
				if err != nil {
					t.Fatal(err)
				}
				until(t, "the call has ended", func() bool {
					c, err := r.Store().Get(t.Context(), engine.Key(call.ID))
					if err == nil && c.State == engine.Ended &&
						(c.Outcome != engine.Failed || !strings.Contains(c.Why, "positus_id")) {
						t.Fatalf("the call is %s: %s", c.Outcome, c.Why)
					}
					return err == nil && c.State == engine.Ended
				})
				ready := get(t, "http://"+r.PublicAddr()+"/readyz")
				if alarm := strings.Contains(ready, "does not find a number"); alarm != (i == 1) {
					t.Errorf("after %d calls: %s", i+1, ready)
				}
			}
			if inside := get(t, "http://"+r.InternalAddr()+"/readyz"); !strings.Contains(inside, "with positus_id ") {
				t.Errorf("inside: %s", inside)
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "kind=not_found") {
				t.Errorf("the log:\n%s", &log)
			}
			if m := get(t, "http://"+r.InternalAddr()+"/metrics"); !strings.Contains(
				m,
				`callrouter_errors_total{kind="not_found"} 2`,
			) {
				t.Error("the errors are not counted")
			}
		})
	}
}
