package positus

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
)

// script answers the first requests as told, and all others with the last one.
func script(steps ...http.HandlerFunc) http.HandlerFunc {
	next := make(chan http.HandlerFunc, len(steps))
	for _, s := range steps {
		next <- s
	}
	last := steps[len(steps)-1]
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s := <-next:
			s(w, r)
		default:
			last(w, r)
		}
	}
}

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// lost carries the request out and never answers.
func lost(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestRepeatsUntilItIsDone(t *testing.T) {
	for _, k := range []kind{accept, reject, hangUp} {
		for name, bad := range map[string]http.HandlerFunc{
			"500": status(500, ""), "429": status(429, ""), "lost": lost, "hangs": hang,
		} {
			t.Run(string(k)+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, done := newFixture(t, script(bad, bad, status(200, `{"success":true}`)))
					defer done()
					if err := run(lasting(t, 20*time.Second), f.Client, k); err != nil {
						t.Error(err)
					}
					if n := len(f.seen(string(k))); n != 3 {
						t.Errorf("%d attempts", n)
					}
				})
			})
		}
	}
}

func TestPausesGrowAndEndWithTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, done := newFixture(t, status(503, ""))
		defer done()
		const window = 20 * time.Second
		began := time.Now()
		p := providerError(t, run(lasting(t, window), f.Client, hangUp))
		if p.Kind != engine.Unavailable || !p.Repeated || !strings.Contains(p.Message, "no time left") {
			t.Errorf("%+v", *p)
		}
		if spent := time.Since(began); spent > window || spent < window/2 {
			t.Errorf("given up after %s of %s", spent, window)
		}
		at := f.seen("hang-up")
		for i := 1; i < breakerLeast; i++ { // then the breaker has its say
			most := min(firstPause<<(i-1), longestPause)
			if gap := at[i] - at[i-1]; gap < most/2 || gap > most {
				t.Errorf("pause %d was %s, want %s to %s", i, gap, most/2, most)
			}
		}
		if last := at[len(at)-1]; last > window-leastAttempt {
			t.Errorf("an attempt with no time left, at %s", last)
		}
	})
}

func TestEachAttemptHasTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, done := newFixture(t, hang)
		defer done()
		began := time.Now()
		p := providerError(t, run(t.Context(), f.Client, accept))
		if p.Kind != engine.Unavailable || p.Status != 0 || !p.Repeated {
			t.Errorf("%+v", *p)
		}
		if spent := time.Since(began); spent > withoutEnd {
			t.Errorf("a context without a deadline took %s", spent)
		}
		at := f.seen("accept")
		if len(at) < 4 || len(at) > 5 || at[1]-at[0] < attemptTimeout || at[1]-at[0] > attemptTimeout+firstPause {
			t.Errorf("attempts at %v", at)
		}
	})
}

func TestAnAnswerThatTricklesIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, done := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		defer done()
		began := time.Now()
		if p := providerError(t, run(within5s(t), f.Client, message)); p.Kind != engine.Unavailable {
			t.Error(p)
		}
		if spent := time.Since(began); spent != attemptTimeout {
			t.Errorf("it took %s", spent)
		}
	})
}

func TestWhatMayHaveHappenedIsNotSentTwice(t *testing.T) {
	for _, k := range []kind{message, makeCall} {
		for name, tc := range map[string]struct {
			bad      http.HandlerFunc
			refuse   int
			attempts int
			done     bool
		}{
			"lost":                            {bad: lost, attempts: 1},
			"hangs":                           {bad: hang, attempts: 1},
			"500":                             {bad: status(500, ""), attempts: 1},
			"502":                             {bad: status(502, "<html>"), attempts: 1},
			"429 without Retry-After":         {bad: status(429, ""), attempts: 1},
			"429 with a Retry-After":          {bad: status(429, "", "Retry-After", "1"), attempts: 2, done: true},
			"429 with a garbled Retry-After":  {bad: status(429, "", "Retry-After", "later"), attempts: 1},
			"connection refused":              {bad: status(200, ""), refuse: 2, attempts: 1, done: true},
			"200 with a page of another site": {bad: status(200, "<html>"), attempts: 1},
		} {
			t.Run(string(k)+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, done := newFixture(t, script(tc.bad, status(200, "{}")))
					defer done()
					f.network.refuse = tc.refuse
					err := run(within5s(t), f.Client, k)
					if (err == nil) != tc.done {
						t.Errorf("done: %v", err)
					}
					if n := len(f.seen(lastOfPath(k))); n != tc.attempts {
						t.Errorf("%d arrived, want %d", n, tc.attempts)
					}
				})
			})
		}
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for name, tc := range map[string]struct {
		header   string
		least    time.Duration
		most     time.Duration
		attempts int
	}{
		"seconds":          {"3", 3 * time.Second, 4 * time.Second, 2},
		"date":             {"date", 4 * time.Second, 6 * time.Second, 2},
		"garbage":          {"soon", 0, firstPause, 2},
		"negative":         {"-5", 0, firstPause, 2},
		"none":             {"", 0, firstPause, 2},
		"past the window":  {"3600", 0, 0, 1},
		"no number at all": {"99999999999999999999", 0, 0, 1},
	} {
		for _, code := range []int{429, 503} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					header := tc.header
					if header == "date" {
						header = time.Now().Add(5 * time.Second).UTC().Format(http.TimeFormat)
					}
					f, done := newFixture(t, script(status(code, "", "Retry-After", header), status(200, "")))
					defer done()
					began := time.Now()
					err := run(lasting(t, 20*time.Second), f.Client, accept)
					spent := time.Since(began)
					if (err == nil) != (tc.attempts == 2) || len(f.seen("accept")) != tc.attempts {
						t.Errorf("%d attempts, %v", len(f.seen("accept")), err)
					}
					if spent < tc.least || spent > tc.most {
						t.Errorf("it took %s, want %s to %s", spent, tc.least, tc.most)
					}
					if err == nil {
						return
					}
					if p := providerError(t, err); p.Kind != engine.Unavailable ||
						!strings.Contains(p.Message, "the next attempt may be in") {
						t.Error(p)
					}
				})
			})
		}
	}
}

func TestAnEchoIsKnownAsOne(t *testing.T) {
	over := status(404, "")
	several := status(400, `{"errors":[{"code":100,"details":"Accept an already In Progress/Completed/Failed call"}]}`)
	progress := status(400, `{"error":{"code":100,"error_data":{"details":"Accept an already In Progress call"}}}`)
	for name, tc := range map[string]struct {
		kind     kind
		steps    []http.HandlerFunc
		want     engine.ProviderErrorKind
		repeated bool
	}{
		"accepted, reply lost":           {accept, []http.HandlerFunc{lost, progress}, engine.InProgress, true},
		"accepted, reply late":           {accept, []http.HandlerFunc{hang, progress}, engine.InProgress, true},
		"accepted by somebody else":      {accept, []http.HandlerFunc{progress}, engine.InProgress, false},
		"accepted, reply lost, unclear":  {accept, []http.HandlerFunc{lost, several}, engine.InProgress, true},
		"over, unclear":                  {accept, []http.HandlerFunc{several}, engine.Gone, false},
		"over, after being throttled":    {accept, []http.HandlerFunc{status(429, ""), several}, engine.Gone, false},
		"rejected, reply lost, unclear":  {reject, []http.HandlerFunc{lost, several}, engine.Gone, true},
		"hung up, gateway timed out":     {hangUp, []http.HandlerFunc{status(504, ""), over}, engine.Gone, true},
		"hung up, already over":          {hangUp, []http.HandlerFunc{over}, engine.Gone, false},
		"hung up, after being throttled": {hangUp, []http.HandlerFunc{status(429, ""), over}, engine.Gone, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, done := newFixture(t, script(tc.steps...))
				defer done()
				p := providerError(t, run(within5s(t), f.Client, tc.kind))
				if p.Kind != tc.want || p.Repeated != tc.repeated {
					t.Errorf("%+v", *p)
				}
			})
		})
	}
}

func TestABreakerIsForOneKindOfRequestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		f, done := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
			if down && strings.HasSuffix(r.URL.Path, "/accept") {
				w.WriteHeader(503)
			}
		})
		defer done()
		for range breakerLeast {
			_ = run(lasting(t, leastAttempt), f.Client, accept)
		}
		before := len(f.seen("accept"))
		p := providerError(t, run(lasting(t, time.Second), f.Client, accept))
		if p.Kind != engine.Unavailable || !strings.Contains(p.Message, "circuit breaker is open") || p.Repeated {
			t.Errorf("%+v", *p)
		}
		if n := len(f.seen("accept")); n != before {
			t.Errorf("%d requests in spite of the breaker", n-before)
		}
		for _, k := range []kind{reject, hangUp, message, makeCall} {
			if err := run(lasting(t, time.Second), f.Client, k); err != nil {
				t.Errorf("%s is blocked: %v", k, err)
			}
		}
		down = false
		began := time.Now()
		if err := run(lasting(t, 10*time.Second), f.Client, accept); err != nil {
			t.Errorf("it did not wait for the breaker: %v", err)
		}
		if spent := time.Since(began); spent > 2*breakerPause {
			t.Errorf("it took %s", spent)
		}
	})
}

func TestRefusalsDoNotOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, done := newFixture(t, script(append(repeat(5*breakerLeast, status(400, "")), status(200, ""))...))
		defer done()
		for range 5 * breakerLeast {
			_ = run(lasting(t, time.Second), f.Client, accept)
		}
		if err := run(lasting(t, time.Second), f.Client, accept); err != nil {
			t.Error(err)
		}
	})
}

func repeat(n int, h http.HandlerFunc) []http.HandlerFunc {
	list := make([]http.HandlerFunc, n)
	for i := range list {
		list[i] = h
	}
	return list
}

func TestGivingUpEndsItAtOnce(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"in an attempt": hang, "in a pause": status(503, "", "Retry-After", "5"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, done := newFixture(t, h)
				defer done()
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				time.AfterFunc(time.Second, cancel)
				began := time.Now()
				if p := providerError(t, run(ctx, f.Client, accept)); p.Kind != engine.Unavailable {
					t.Error(p)
				}
				if spent := time.Since(began); spent != time.Second {
					t.Errorf("it took %s", spent)
				}
				p := providerError(t, run(ctx, f.Client, hangUp))
				if p.Kind != engine.Unavailable || !errors.Is(p, context.Canceled) || len(f.seen("hang-up")) != 0 {
					t.Errorf("it was sent without time: %v", p)
				}
			})
		})
	}
}

func TestNetworkErrorsSayWhatToDo(t *testing.T) {
	for want, err := range map[string]error{
		"DNS":                       &net.DNSError{Err: "no such host", Name: "positus.example"},
		"check the network":         errors.New("connect: connection refused"),
		"no response from Positus ": context.DeadlineExceeded,
	} {
		synctest.Test(t, func(t *testing.T) {
			c, e := New(
				Config{URL: "http://positus.example", Token: testToken, HTTP: &http.Client{Transport: &http.Transport{
					DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err },
				}}},
			)
			if e != nil {
				t.Fatal(e)
			}
			p := providerError(t, run(within5s(t), c, permissions))
			if p.Kind != engine.Unavailable || !strings.Contains(p.Message, want) ||
				strings.Contains(p.Error(), testPhone) {
				t.Error(p)
			}
		})
	}
}
