package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callrouter/console/client"
	"callrouter/engine"
	"callrouter/positus/fake"
	"callrouter/rules"
)

const (
	numberID = "5dbbbf01-2f92-4389-b512-45de86c4a66f"
	business = "551122361741" // its digits
)

// worldRules decide by the payload of the call button, so that each call says which way it goes.
const worldRules = `version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: ` + numberID + `}
agents:
  ana: {name: Ana Souza, capacity: 1}
  bruno: {name: Bruno Lima, capacity: 1}
  crowd: {name: Many, capacity: 1000}
queues:
  sales: {agents: [ana, bruno], strategy: in_order, ring: 10s, wrap_up: 2s}
  all: {agents: [ana, bruno], strategy: ring_all, ring: 10s}
  crowd: {agents: [crowd], ring: 10s}
answers:
  bot: {url: "ANSWERER", timeout: 2s}
  greeting: {play: greeting.ogg}
messages:
  closed: {text: "Estamos fechados."}
limits: {answer_within: 25s, max_call: 1h}
rules:
  - {name: refused, when: payload == "reject", then: reject}
  - {name: told, when: payload == "message", then: {reject: {message: closed}}}
  - {name: robot, when: payload == "bot", then: {accept: bot}}
  - {name: voice, when: payload == "play", then: {accept: greeting}}
  - {name: everybody, when: payload == "all", then: {handoff: all}}
  - {name: crowd, when: payload == "crowd", then: {handoff: {queue: crowd, wait: 8s}}}
  - {name: sales, when: payload == "sales", then: {handoff: {queue: sales, wait: 5s}}}
default: reject
`

// plan is what a world is made of; the zero value is a good start.
type plan struct {
	store string // address of the store; empty: embedded
	rules string // worldRules if empty
	args  []string
	env   map[string]string
	dials fake.Dials
	fake  func(*fake.Config)
	text  bool // logs as text
	audio int  // packets of 20 ms in greeting.ogg; 100 if zero
}

// world is a stand-in of Positus, an outside answerer, and the program with its files.
type world struct {
	t      *testing.T
	plan   plan
	fake   *fake.Server
	dir    string
	store  string
	rules  string // path of the rules file
	base   map[string]string
	logs   logs
	run    atomic.Pointer[process]
	client *http.Client
	gate   *httptest.Server

	secret, admin string
	answered      atomic.Int64 // what the outside answerer was asked

	mu      sync.Mutex
	private []string // what must be in no log and no metric
	metrics []string // what /metrics said
}

// newWorld makes a world without starting the program. At the end of the test everything is checked for what is
// private.
func newWorld(t *testing.T, p plan) *world {
	t.Helper()
	w := &world{t: t, plan: p, dir: t.TempDir(), client: &http.Client{Timeout: 30 * time.Second}}
	t.Cleanup(w.client.CloseIdleConnections)
	w.secret, w.admin = "canary-secret-"+rand.Text(), "canary-admin-"+rand.Text()
	token := "canary-positus-" + rand.Text()
	w.keep(w.secret, w.admin, token)
	cfg := fake.Config{Token: token, Numbers: map[string]string{numberID: business}, Dials: p.dials}
	if p.fake != nil {
		p.fake(&cfg)
	}
	w.fake = fake.New(cfg)
	if err := w.fake.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.fake.Close() })
	answerer := httptest.NewServer(http.HandlerFunc(w.answerer))
	t.Cleanup(answerer.Close)

	w.rules = filepath.Join(w.dir, "rules.yaml")
	text := p.rules
	if text == "" {
		text = worldRules
	}
	w.write(strings.ReplaceAll(text, "ANSWERER", answerer.URL+"/answer"))
	w.file("greeting.ogg", tone(t, max(p.audio, 100)))
	if w.store = p.store; w.store == "" {
		w.store = filepath.Join(w.dir, "callrouter.db")
	}
	w.base = map[string]string{
		envPositusToken: token, envWebhookSecret: w.secret, envAdminToken: w.admin, "CALLROUTER_RULES": w.rules,
		"CALLROUTER_STORE": w.store, "CALLROUTER_POSITUS_URL": w.fake.URL(), "CALLROUTER_LISTEN": "127.0.0.1:0",
		"CALLROUTER_INTERNAL_LISTEN": "127.0.0.1:0", "CALLROUTER_AUDIO_LOOPBACK": "true",
	}
	if p.text {
		w.base["CALLROUTER_LOG_FORMAT"] = "text"
	}
	t.Cleanup(w.checkPrivate)
	return w
}

// start is newWorld with the program running.
func start(t *testing.T, p plan) *world {
	t.Helper()
	w := newWorld(t, p)
	w.start()
	return w
}

// start starts the program, again after it ended, and lets webhooks go to it.
func (w *world) start() {
	w.t.Helper()
	p := launch(w.t, &w.logs, environ(w.base, w.plan.env), append([]string{"serve"}, w.plan.args...)...)
	p.serves(w.t, &w.logs)
	w.run.Store(p)
	if w.gate == nil {
		w.fake.SetWebhookURL(w.webhookURL())
	}
}

// putGate puts a gate in front of the router, as a load balancer would be: webhooks go to an address that stays the
// same whatever the router's is, and get 502 while it is gone.
func (w *world) putGate() {
	w.gate = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", w.proc().public },
		Transport:    &http.Transport{DisableKeepAlives: true},
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) },
	})
	w.t.Cleanup(w.gate.Close)
	w.fake.SetWebhookURL(w.gate.URL + "/webhooks/positus/" + w.secret)
}

// proc is the latest run of the program.
func (w *world) proc() *process { return w.run.Load() }

// restart kills the program and starts it again.
func (w *world) restart() {
	w.t.Helper()
	w.proc().kill()
	w.start()
}

// admins makes a client of the API for the administrator; api one with any token.
func (w *world) admins() *client.Client { return w.api(w.admin) }

func (w *world) api(token string) *client.Client {
	w.t.Helper()
	c, err := client.New(client.Config{URL: "http://" + w.proc().internal, Token: token})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) webhookURL() string {
	return "http://" + w.proc().public + "/webhooks/positus/" + w.secret
}

func (w *world) write(rulesText string) { w.file("rules.yaml", []byte(rulesText)) }

func (w *world) file(name string, data []byte) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// answerer is the outside answerer: each answer is another one, so that a repeated accept can be told from a new one.
func (w *world) answerer(rw http.ResponseWriter, r *http.Request) {
	var req engine.AnswerRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.keep(req.HangUp)
	sdp := anotherAnswer(req.SDP, w.answered.Add(1))
	_ = json.NewEncoder(rw).Encode(map[string]string{"sdp": sdp})
}

var origin = regexp.MustCompile(`(?m)^o=- \d+`)

// anotherAnswer is a usable answer that is the n-th of its kind.
func anotherAnswer(offer string, n int64) string {
	return origin.ReplaceAllString(fake.TextAnswer(offer), fmt.Sprintf("o=- 77%d", n))
}

var lastCaller atomic.Int64

// phone is a caller of whom there is no other, whose call takes the way that the payload names.
func phone(payload string) fake.Phone {
	return fake.Phone{
		Number:     fmt.Sprintf("55119%08d", 87_654_321-lastCaller.Add(1)),
		Name:       "Canária",
		CTAPayload: payload,
	}
}

// call places a call.
func (w *world) call(p fake.Phone) *fake.Call {
	w.t.Helper()
	c, err := w.fake.Call(p)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) ctx(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	w.t.Cleanup(cancel)
	return ctx
}

// action waits for the first request about a call.
func (w *world) action(c *fake.Call, d time.Duration) fake.Request {
	w.t.Helper()
	r, err := w.fake.WaitRequest(w.ctx(d), func(r fake.Request) bool { return r.CallID == c.ID })
	if err != nil {
		w.t.Fatalf("no request about the call within %s: %v\n%s", d, err, excerpt(&w.logs))
	}
	return r
}

// applied fails unless exactly these requests about a call were carried out.
func (w *world) applied(c *fake.Call, want ...fake.Kind) {
	w.t.Helper()
	if got := w.fake.AppliedTo(c.ID); !slices.Equal(got, want) {
		w.t.Errorf("carried out on the call: %v, want %v", got, want)
	}
}

// record is a call as the API shows it.
type record struct {
	ID          string
	State       engine.State
	Outcome     engine.Outcome
	Why         string
	Action      rules.Action
	Rule        string
	By          rules.By
	From        string
	UserID      string `json:"user_id"`
	Number      string
	Agent       string
	Timestamp   time.Time
	Deadline    time.Time
	Version     string `json:"rules_version"`
	Trace       []rules.Trace
	Transitions []engine.Transition
	Message     *engine.MessageState
	HangUp      *engine.HangUp `json:"hang_up"`
}

func (r record) path() []engine.State {
	var states []engine.State
	for _, t := range r.Transitions {
		states = append(states, t.State)
	}
	return states
}

// record reads a call; false if there is none.
func (w *world) record(id string) (record, bool) {
	w.t.Helper()
	var status int
	var body []byte
	soon(5*time.Second, func() bool { // a store that is busy for a moment says so
		status, body = w.ask(http.MethodGet, "/api/v1/calls/"+url.PathEscape(id), w.admin, nil)
		return status != http.StatusServiceUnavailable
	})
	var r record
	if status == http.StatusNotFound {
		return r, false
	}
	w.decode(status, body, &r)
	return r, true
}

// recorded waits until the record of a call is as it should be.
func (w *world) recorded(id string, d time.Duration, is func(record) bool) record {
	w.t.Helper()
	var r record
	if !soon(d, func() (ok bool) { r, ok = w.record(id); return ok && is(r) }) {
		w.t.Fatalf("the record did not get there within %s: it is %s, outcome %q (%s), action %q\n%s",
			d, r.State, r.Outcome, r.Why, r.Action, excerpt(&w.logs))
	}
	return r
}

// ended waits for the end of a call and checks its outcome.
func (w *world) ended(id string, d time.Duration, want engine.Outcome) record {
	w.t.Helper()
	r := w.recorded(id, d, func(r record) bool { return r.State == engine.Ended })
	if r.Outcome != want {
		w.t.Errorf("outcome %q (%s), want %q", r.Outcome, r.Why, want)
	}
	return r
}

// active waits until a call is answered.
func (w *world) active(id string, d time.Duration) record {
	w.t.Helper()
	return w.recorded(id, d, func(r record) bool { return r.State == engine.Active })
}

// ask makes a request of the internal side.
func (w *world) ask(method, path, token string, body any) (int, []byte) {
	w.t.Helper()
	status, reply, err := w.try(method, path, token, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return status, reply
}

// try is ask for a router that may be gone.
func (w *world) try(method, path, token string, body any) (int, []byte, error) {
	var in io.Reader
	if body != nil {
		doc, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		in = bytes.NewReader(doc)
	}
	req, err := http.NewRequest(method, "http://"+w.proc().internal+path, in)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	return resp.StatusCode, reply, err
}

func (w *world) decode(status int, body []byte, v any) {
	w.t.Helper()
	if status != http.StatusOK {
		w.t.Fatalf("status %d: %s", status, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		w.t.Fatalf("%v: %s", err, body)
	}
}

// get reads a page of the public side.
func (w *world) get(path string) (int, string) {
	w.t.Helper()
	resp, err := w.client.Get("http://" + w.proc().public + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
