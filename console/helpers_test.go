package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/rules"
	"callrouter/store"
)

const (
	adminToken = "tok_CANARY_of_the_administrator"
	caller     = "5511977776666" // as a webhook has it
	callerKey  = "+5511977776666"
	ourNumber  = "551122361741"
	offerSDP   = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\na=fingerprint:CANARY<>&\r\n"
	answerSDP  = "v=0\r\no=- 2 2 IN IP4 192.0.2.2\r\n\r\ns=\u00e9 <&>\r\n"
)

// rig is a whole internal side: rules, engine, embedded store and HTTP, with a Positus that records.
type rig struct {
	*testing.T
	engine  *engine.Engine
	store   engine.Store
	positus *positus
	rules   *control
	log     *lockedBuffer
	api     *api
	handler http.Handler
	url     string
	client  *http.Client
	stop    context.CancelFunc // of the server's base context
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newEngine makes everything behind the HTTP server.
func newEngine(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, positus: &positus{refuses: map[string]error{}}, log: &lockedBuffer{}}
	dir := t.TempDir()
	text, err := os.ReadFile("testdata/rules.yaml")
	r.must(err)
	path := filepath.Join(dir, "rules.yaml")
	r.must(os.WriteFile(path, text, 0o600))
	f, problems := rules.Load(path)
	r.must(problems.Err())
	r.store, err = store.Open(t.Context(), filepath.Join(dir, "callrouter.db"), store.Config{})
	r.must(err)
	timing := engine.DefaultTiming()
	timing.Poll = 50 * time.Millisecond
	log := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.engine = engine.New(engine.Config{
		Store: r.store, Provider: r.positus, Media: media{}, Answerer: bot{}, Rules: f, Log: log, Observer: nobody{},
		Timing: timing,
	})
	r.must(r.engine.Start(t.Context()))
	r.rules = &control{engine: r.engine, path: path, status: RulesStatus{Version: f.Version(), LoadedAt: time.Now()}}
	cfg := Config{
		Engine: r.engine, Store: r.store, Rules: r.rules, AdminToken: adminToken, Logger: log, Now: time.Now,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "callrouter_up 1") }),
		Ready:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "{}") }),
	}
	r.handler, r.api = New(cfg), newAPI(cfg)
	return r
}

// close ends what newEngine began.
func (r *rig) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r.must(r.engine.Stop(ctx))
	r.must(r.store.Close())
}

// newRig serves on loopback. The server's timeouts are short, so that what must outlive them proves that it does.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := newEngine(t)
	base, stop := context.WithCancel(context.Background())
	r.stop = stop
	s := httptest.NewUnstartedServer(r.handler)
	s.Config.BaseContext = func(net.Listener) context.Context { return base }
	s.Config.ReadTimeout, s.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	s.Start()
	r.url, r.client = s.URL, s.Client()
	t.Cleanup(func() {
		stop()
		s.Close()
		r.close()
		for _, secret := range []string{adminToken, "fingerprint:CANARY", caller, callerKey} {
			if strings.Contains(r.log.String(), secret) {
				t.Errorf("the log has %q in it", secret)
			}
		}
	})
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// send makes a request; body is JSON text, or "".
func (r *rig) send(token, method, path, body string, headers ...string) answer {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, r.url+path, strings.NewReader(body))
	r.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := r.client.Do(req)
	r.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	r.must(err)
	a := answer{status: res.StatusCode, header: res.Header, text: string(text)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		r.must(json.Unmarshal(text, &a.body))
	}
	return a
}

// want sends and checks the status, and the code of an error if one is given.
func (r *rig) want(status int, code, token, method, path, body string) answer {
	r.Helper()
	a := r.send(token, method, path, body)
	if a.status != status || code != "" && a.body["error"] != code {
		r.Fatalf("%s %s: got %d %s, want %d %s", method, path, a.status, a.text, status, code)
	}
	if status >= 400 && a.body["message"] == "" {
		r.Errorf("%s %s: the error says nothing: %s", method, path, a.text)
	}
	return a
}

// token gives an agent a new token.
func (r *rig) token(agent string) string {
	r.Helper()
	a := r.want(200, "", adminToken, "POST", "/api/v1/agents/"+agent+"/token", "")
	return a.body["token"].(string)
}

// call lets a caller ring.
func (r *rig) call(id, from string) {
	r.Helper()
	r.must(r.engine.Receive(r.Context(), []engine.Event{{Connect: &engine.Connect{
		CallID: id, From: from, Name: "Maria", To: ourNumber, Timestamp: time.Now(), SDP: offerSDP,
	}}}))
}

// leave lets the caller hang up.
func (r *rig) leave(id string) {
	r.Helper()
	r.must(r.engine.Receive(r.Context(), []engine.Event{{Terminate: &engine.Terminate{
		CallID: id, From: caller, To: ourNumber, Timestamp: time.Now(), Status: "COMPLETED",
	}}}))
}

// on puts the caller on a list, which chooses the rule.
func (r *rig) on(list string) {
	r.Helper()
	r.want(200, "", adminToken, "PUT", "/api/v1/lists/"+list+"/"+callerKey, "")
}

// until waits for something to become true.
func (r *rig) until(what string, is func() bool) {
	r.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			r.Fatalf("it never came true that %s", what)
		}
	}
}

// ended waits until a call has ended and answers its record.
func (r *rig) ended(id string) map[string]any {
	r.Helper()
	var a answer
	r.until("call "+id+" has ended", func() bool {
		a = r.send(adminToken, "GET", "/api/v1/calls/"+url.PathEscape(id), "")
		return a.status == 200 && a.body["state"] == "ended"
	})
	return a.body
}

// record sends a request to a handler without a server.
func record(h http.Handler, method, target, body, cookie string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}
