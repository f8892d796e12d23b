package router

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/console"
	"callrouter/console/client"
	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/positus/fake"
	"callrouter/store/storetest"
)

// handsOff is a rules file that offers each call to ana.
const handsOff = `version: 1
timezone: UTC
numbers: {main: {phone: "+` + business + `", positus_id: ` + numberID + `}}
agents: {ana: {name: Ana}}
queues: {sales: {agents: [ana], ring: 20s}}
rules: [{name: all, when: "true", then: {handoff: sales}}]
default: reject
`

// run starts a router and a stand-in of Positus. The test stops the router.
func run(t *testing.T, text string, dials fake.Dials, change func(*Config)) (*Router, *fake.Server) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "rules.yaml")
	write(t, path, text)
	file, problems := LoadRules(path)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	positus := fake.New(fake.Config{Token: token, Numbers: map[string]string{numberID: business}, Dials: dials})
	if err := positus.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = positus.Close() })
	cfg := Config{
		Rules: file, Store: filepath.Join(dir, "calls.db"), Retention: time.Hour,
		Listen: "127.0.0.1:0", InternalListen: "127.0.0.1:0", AdminToken: token, WebhookSecrets: []string{secret},
		PositusURL: positus.URL(), PositusToken: token, AudioLoopback: true, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	r, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	positus.SetWebhookURL("http://" + r.PublicAddr() + "/webhooks/positus/" + secret)
	return r, positus
}

// api makes a client of a router's API.
func api(t *testing.T, r *Router, token string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: "http://" + r.InternalAddr(), Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// logLines is a log that a test reads.
type logLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// until waits for something to become true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.After(10 * time.Second)
	for !is() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("it never came true that %s", what)
		}
	}
}

// TestStopLetsAnAnswerFinish: an answer that waits for Positus when the stop begins gets its 200, the agent's stream
// ends at once, and what comes later is refused so that the agent's program sends it to another instance.
func TestStopLetsAnAnswerFinish(t *testing.T) {
	slow := map[fake.Kind]time.Duration{fake.KindAccept: 1500 * time.Millisecond}
	r, positus := run(t, handsOff, fake.Dials{Latency: slow}, nil)
	anas, err := api(t, r, token).NewToken(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	ana := api(t, r, anas)
	offers := make(chan console.OfferEvent, 10)
	online, streamEnded := make(chan struct{}, 10), make(chan struct{})
	go func() {
		defer close(streamEnded)
		for e, err := range ana.Events(context.Background()) {
			if err != nil {
				return
			}
			switch e := e.(type) {
			case console.StatusEvent:
				online <- struct{}{}
			case console.OfferEvent:
				offers <- e
			}
		}
	}()
	<-online
	call, err := positus.Call(fake.Phone{Number: "5521977776666"})
	if err != nil {
		t.Fatal(err)
	}
	offer := <-offers
	answered := make(chan error, 1)
	go func() { answered <- ana.Answer(context.Background(), offer.Offer, fake.TextAnswer(offer.SDP)) }()
	until(t, "the accept is under way", func() bool {
		c, err := r.Store().Get(t.Context(), engine.Key(call.ID))
		return err == nil && c.State == engine.Accepting
	})

	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop() }()
	<-streamEnded
	var refused *client.Error
	if err := ana.Decline(t.Context(), offer.Offer); !errors.As(err, &refused) || refused.Code != "stopping" ||
		refused.Status != http.StatusServiceUnavailable {
		t.Errorf("a request during the stop: %v", err)
	}
	if err := <-answered; err != nil {
		t.Errorf("the answer that waited for Positus: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if a := positus.AppliedTo(call.ID); len(a) != 1 || a[0] != fake.KindAccept {
		t.Errorf("Positus took %v, want one accept", a)
	}
}

// TestAStopHasOneBudget: whatever hangs, all steps of a stop together take no more than is promised, and an answer that
// cannot be waited for is told where to go on.
func TestAStopHasOneBudget(t *testing.T) {
	testrun.NotShort(t, "it takes as long as the longest stop")
	t.Parallel()
	slow := map[fake.Kind]time.Duration{fake.KindReject: 20 * time.Second}
	text := strings.Replace(handsOff, "{handoff: sales}", "reject", 1)
	r, positus := run(t, text, fake.Dials{Latency: slow}, func(cfg *Config) { cfg.Drain = MaxDrain })
	call, err := positus.Call(fake.Phone{Number: "5521977776666"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the reject is under way", func() bool {
		c, err := r.Store().Get(t.Context(), engine.Key(call.ID))
		return err == nil && c.State == engine.Rejecting
	})
	began := time.Now()
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > StopTimeout {
		t.Errorf("the stop took %s, promised are %s", took, StopTimeout)
	}
}

// TestStopWhileRedisIsAway: a store that cannot note the departure is a line in the log, not a failure of the program.
func TestStopWhileRedisIsAway(t *testing.T) {
	redis := storetest.NewRedis(t)
	var log logLines
	r, _ := run(t, handsOff, fake.Dials{}, func(cfg *Config) {
		cfg.Store, cfg.Log = redis.URL, slog.New(slog.NewTextHandler(&log, nil))
	})
	redis.Kill()
	if err := r.Stop(); err != nil {
		t.Errorf("the stop ended with %v", err)
	}
	if !strings.Contains(log.String(), "the stop did not finish everything") {
		t.Errorf("the log does not tell that the store was away:\n%s", &log)
	}
}
