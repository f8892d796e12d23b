package fake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/positus/fake"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	numberID = "5dbbbf01-2f92-4389-b512-45de86c4a66f"
	business = "551131361234"
	token    = "a token"
	caller   = "5511999998888"
)

// rig is a server with a receiver of webhooks and a client, either over HTTP on loopback or, in a synctest bubble, in
// memory.
type rig struct {
	*fake.Server
	t        *testing.T
	receiver *receiver
	do       func(*http.Request) (*http.Response, error)
}

// receiver takes webhooks and remembers them.
type receiver struct {
	mu      sync.Mutex
	answers []int // statuses to give first, then 200
	headers []http.Header
	bodies  [][]byte
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.headers, rc.bodies = append(rc.headers, r.Header), append(rc.bodies, body)
	status := http.StatusOK
	if len(rc.answers) > 0 {
		status, rc.answers = rc.answers[0], rc.answers[1:]
	}
	w.WriteHeader(status)
}

// events are the events of the calls received so far, in order.
func (rc *receiver) events() []string {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	var events []string
	for _, body := range rc.bodies {
		for _, call := range parse(body).Calls {
			events = append(events, call["event"].(string))
		}
		for _, status := range parse(body).Statuses {
			events = append(events, status["status"].(string))
		}
	}
	return events
}

// call returns call i of webhook n.
func (rc *receiver) call(n, i int) map[string]any {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return parse(rc.bodies[n]).Calls[i]
}

type flat struct {
	Calls    []map[string]any `json:"calls"`
	Statuses []map[string]any `json:"statuses"`
	Contacts []map[string]any `json:"contacts"`
	Errors   []map[string]any `json:"errors"`
}

func parse(body []byte) (f flat) {
	_ = json.Unmarshal(body, &f)
	return f
}

// overHTTP is a rig on loopback.
func overHTTP(t *testing.T, change ...func(*fake.Config)) *rig {
	t.Helper()
	rc := &receiver{}
	hooks := httptest.NewServer(rc)
	t.Cleanup(hooks.Close)
	cfg := config(change)
	cfg.WebhookURL = hooks.URL
	srv := fake.New(cfg)
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{srv, t, rc, client.Do}
}

// inBubble runs f with a rig whose time is the bubble's and whose messages take no network.
func inBubble(t *testing.T, f func(*testing.T, *rig), change ...func(*fake.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rc := &receiver{}
		cfg := config(change)
		cfg.WebhookURL = "http://router.test/"
		cfg.WebhookClient = &http.Client{Transport: inMemory{rc}}
		srv := fake.New(cfg)
		defer srv.Close()
		f(t, &rig{srv, t, rc, inMemory{srv}.RoundTrip})
	})
}

func config(change []func(*fake.Config)) fake.Config {
	cfg := fake.Config{Token: token, Numbers: map[string]string{numberID: business}, Seed: 7}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

type inMemory struct{ http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w.Result(), nil
}

// reply is what the API said.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// code is the WhatsApp code in a body of the default shape.
func (r reply) code() int {
	if errs := parse(r.body).Errors; len(errs) > 0 {
		return int(errs[0]["code"].(float64))
	}
	return 0
}

// post calls an action and fails the test when there is no reply.
func (g *rig) post(kind fake.Kind, body any) reply {
	g.t.Helper()
	r, err := g.try(context.Background(), kind, body)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

func (g *rig) try(ctx context.Context, kind fake.Kind, body any) (reply, error) {
	path := "/whatsapp/numbers/" + numberID + "/calls/" + string(kind)
	if kind == fake.KindMessage {
		path = "/whatsapp/numbers/" + numberID + "/messages"
	}
	raw, ok := body.(string)
	if !ok {
		encoded, _ := json.Marshal(body)
		raw = string(encoded)
	}
	return g.request(ctx, http.MethodPost, path, token, raw)
}

func (g *rig) request(ctx context.Context, method, path, bearer, body string) (reply, error) {
	base := g.URL()
	if base == "" {
		base = "http://positus.test/v2"
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := g.do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, read}, err
}

func (g *rig) place(p fake.Phone) *fake.Call {
	g.t.Helper()
	if p.Number == "" && p.UserID == "" {
		p.Number = caller
	}
	c, err := g.Call(p)
	if err != nil {
		g.t.Fatal(err)
	}
	return c
}

func (g *rig) accept(c *fake.Call) reply {
	g.t.Helper()
	return g.post(fake.KindAccept, acceptBody(c))
}

func acceptBody(c *fake.Call) map[string]any {
	return map[string]any{"call_id": c.ID, "sdp": fake.TextAnswer(c.Offer)}
}

func idBody(c *fake.Call) map[string]any { return map[string]any{"call_id": c.ID} }

// elapse lets the bubble's clock run for d, and everything due by then happen.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
