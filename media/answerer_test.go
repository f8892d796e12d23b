package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"callrouter/engine"
)

var request = engine.AnswerRequest{
	CallID: "wacid.HBgMNTU0", Number: "main", From: "5511987654321", Name: "Ana", Payload: "p", SDP: "v=0\r\n",
	HangUp: "http://127.0.0.1:8081/hang-up/SECRETSECRETSECRETSECRET",
}

// ask serves one handler on this machine and asks it.
func ask(t *testing.T, ctx context.Context, handler http.HandlerFunc) (string, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	a := NewAnswerer(nil)
	t.Cleanup(a.Close)
	return a.Answer(ctx, server.URL+"/answer?key=URLSECRET", request)
}

func respond(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestAnAnswererIsToldOfTheCallAndItsAnswerIsKeptByteForByte(t *testing.T) {
	var got map[string]string
	sdp, err := ask(t, t.Context(), func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s of %s", r.Method, r.Header.Get("Content-Type"))
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, `{"sdp": "v=0\r\nx=\n ", "more": 1}`)
	})
	must(t, err)
	if want := "v=0\r\nx=\n "; sdp != want {
		t.Errorf("got %q, want %q", sdp, want)
	}
	for key, want := range map[string]string{
		"call_id": request.CallID, "number": "main", "from": request.From, "name": "Ana", "payload": "p",
		"sdp": request.SDP, "hang_up": request.HangUp,
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	if len(got) != 7 {
		t.Errorf("it was told %d things, want 7", len(got))
	}
}

func TestAnswersThatAreFailures(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"500", respond(500, "out of\x00 order\n"), "HTTP 500, want 200: out of  order"},
		{"201", respond(201, `{"sdp":"v=0"}`), "HTTP 201"},
		{"204", respond(204, ""), "HTTP 204, want 200: (empty)"},
		{"HTML", respond(200, "<html>"), "is not JSON"},
		{"a list", respond(200, `[]`), "is not JSON of the form"},
		{"no sdp", respond(200, `{"answer":"v=0"}`), `has no "sdp"`},
		{"blank sdp", respond(200, `{"sdp":" "}`), `has no "sdp"`},
		{"sdp of another type", respond(200, `{"sdp":{}}`), "is not JSON of the form"},
		{"two values", respond(200, `{"sdp":"v=0"}{"sdp":"v=1"}`), "is not JSON"},
		{"endless", respond(200, `{"sdp":"`+strings.Repeat("x", answerLimit)+`"}`), "longer than 262144 bytes"},
		{"long error", respond(500, strings.Repeat("no ", 1000)), strings.Repeat("no ", 60)},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ask(t, t.Context(), c.handler)
			wants(t, err, c.want)
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	visited := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited = true }))
	defer elsewhere.Close()
	_, err := ask(t, t.Context(), func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	wants(t, err, "HTTP 307: redirects are not followed")
	if visited {
		t.Error("it was followed")
	}
}

func TestALateAnswererIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	defer close(release)
	_, err := ask(t, ctx, func(http.ResponseWriter, *http.Request) { <-release })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTheEnvironmentsProxyIsNotAsked(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	a := NewAnswerer(nil)
	t.Cleanup(a.Close)
	if transport, ok := a.client.Transport.(*http.Transport); !ok || transport.Proxy != nil {
		t.Error("a proxy is used")
	}
}

func TestErrorsAndLogsHoldNoSecretAndNoNumber(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		_, _ = io.WriteString(w, "bad call from "+request.From+" +55 11 98765-4321 see "+request.HangUp)
	}
	_, answered := ask(t, t.Context(), echo)
	a := NewAnswerer(nil)
	defer a.Close()
	_, refused := a.Answer(t.Context(), "http://127.0.0.1:1/answer?key=URLSECRET", request)
	_, unreadable := a.Answer(t.Context(), "http://[::1/URLSECRET", request)

	var logged bytes.Buffer
	server := httptest.NewServer(respond(200, `{"sdp":"v=0"}`))
	defer server.Close()
	b := NewAnswerer(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer b.Close()
	_, err := b.Answer(t.Context(), server.URL+"/?key=URLSECRET", request)
	must(t, err)

	for _, e := range []error{answered, refused, unreadable, errors.New(logged.String())} {
		if e == nil || e.Error() == "" {
			t.Fatal("want an error and a log")
		}
		for _, secret := range []string{"987654321", "98765", "SECRET"} {
			if strings.Contains(e.Error(), secret) {
				t.Errorf("%q is in %q", secret, e)
			}
		}
	}
}
