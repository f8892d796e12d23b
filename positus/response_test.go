package positus

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
)

// situation is one answer of Positus, and what it means. Attempts is -1 for "until there is no time left".
type situation struct {
	Request kind
	Status  int
	Header  map[string]string
	Body    string
	Want    struct {
		Kind     engine.ProviderErrorKind // empty: it was done
		Code     int
		Says     string
		Attempts int
	}
}

func TestAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/responses/*.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d situations: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var s situation
			if err := json.Unmarshal(raw, &s); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { checkAnswer(t, s) })
		})
	}
}

func checkAnswer(t *testing.T, s situation) {
	f, done := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range s.Header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(s.Status)
		_, _ = io.WriteString(w, s.Body)
	})
	defer done()
	err := run(within5s(t), f.Client, s.Request)
	attempts := len(f.seen(lastOfPath(s.Request)))
	if s.Want.Attempts < 0 && attempts < 4 || s.Want.Attempts >= 0 && attempts != s.Want.Attempts {
		t.Errorf("%d attempts, want %d", attempts, s.Want.Attempts)
	}
	if s.Want.Kind == "" {
		if err != nil {
			t.Errorf("it was done, and yet: %v", err)
		}
		return
	}
	p := providerError(t, err)
	if p.Kind != s.Want.Kind || p.Code != s.Want.Code || p.Status != s.Status ||
		!strings.Contains(p.Message, s.Want.Says) {
		t.Errorf("got %+v\nwant %+v", *p, s.Want)
	}
	if !strings.HasPrefix(p.Message, string(s.Request)+": ") {
		t.Errorf("it does not say where: %q", p.Message)
	}
	for _, secret := range []string{testToken, testPhone, "wacid", "\n"} {
		if strings.Contains(p.Error(), secret) {
			t.Errorf("the error holds %q: %s", secret, p)
		}
	}
	for _, secret := range []string{testToken, testPhone, "wacid"} {
		if strings.Contains(f.logs.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, f.logs)
		}
	}
}

func lastOfPath(k kind) string {
	if k == message {
		return "messages"
	}
	return string(k)
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	for _, status := range []int{200, 400} {
		synctest.Test(t, func(t *testing.T) {
			chunk := []byte(strings.Repeat("x", 64<<10))
			written := make(chan int, 100)
			f, done := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(status)
				n := 0
				for range 1 << 14 { // 1 GiB
					if _, err := w.Write(chunk); err != nil {
						break
					}
					n += len(chunk)
				}
				written <- n
			})
			defer done()
			p := providerError(t, run(within5s(t), f.Client, message))
			want := map[int]engine.ProviderErrorKind{200: engine.Unavailable, 400: engine.Refused}[status]
			if p.Kind != want {
				t.Errorf("%d: %v", status, p)
			}
			if n := <-written; n > 2*maxResponse {
				t.Errorf("%d bytes were read", n)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		synctest.Test(t, func(t *testing.T) {
			f, done := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://other.example/stolen")
				w.WriteHeader(status)
			})
			defer done()
			for _, k := range []kind{accept, permissions} {
				if p := providerError(t, run(within5s(t), f.Client, k)); p.Kind != engine.Refused {
					t.Errorf("%d: %v", status, p)
				}
			}
			if n := len(f.seen("stolen")); n != 0 {
				t.Errorf("%d: %d requests went elsewhere", status, n)
			}
		})
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"0": 0, "2": 2 * time.Second, " 3 ": 3 * time.Second, "3600": time.Hour,
		"Sun, 22 Nov 2026 12:00:05 GMT": 5 * time.Second, "Sun, 22 Nov 2026 11:00:00 GMT": 0,
		"": -1, "soon": -1, "-1": -1, "1.5": -1, "99999999999999999999": (1<<31 - 1) * time.Second,
	} {
		if got := retryAfter(http.Header{"Retry-After": {header}}, now); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}
