package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
	"callrouter/rules"
	"callrouter/store"
)

// world is an engine on the embedded store, with a platform that refuses what the real one refuses, in the time of a
// synctest bubble.
type world struct {
	t        *testing.T
	file     *rules.File
	store    *breakableStore
	platform *platform
	media    *audio
	answerer *answerer
	observed *observer
	e        *engine.Engine
	clock    *engine.Clock
	set      atomic.Int64 // by how much the machine's clock was set, ns
	stopJobs func()
}

// inWorld runs a scenario in a bubble.
func inWorld(t *testing.T, rulesText string, scenario func(w *world)) {
	t.Helper()
	dir := t.TempDir()
	file := loadRules(t, dir, rulesText)
	synctest.Test(t, func(t *testing.T) {
		// A Tuesday morning in São Paulo, when the office of the tests is open.
		pass(time.Until(time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC)))
		w := &world{
			t:        t,
			file:     file,
			platform: newPlatform(),
			media:    &audio{length: 3 * time.Second},
			answerer: &answerer{},
			observed: &observer{},
		}
		w.clock = engine.NewClock(func() time.Time { return time.Now().Add(time.Duration(w.set.Load())) })
		s, err := store.Open(t.Context(), filepath.Join(dir, "calls.db"), store.Config{Now: w.clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		w.store = &breakableStore{Store: s}
		w.e = w.newEngine()
		w.start(w.e)
		defer func() {
			w.stopJobs()
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			if err := w.e.Stop(ctx); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		scenario(w)
	})
}

// pass lets time pass; in a bubble nobody waits for it.
func pass(d time.Duration) { <-time.After(d) }

func loadRules(t *testing.T, dir, text string) *rules.File {
	t.Helper()
	ogg, err := os.ReadFile("../examples/audio/greeting.ogg")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "greeting.ogg"), ogg, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fmt.Sprintf("rules-%d.yaml", len(text)))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, problems := rules.Load(path)
	if problems.HasErrors() {
		t.Fatalf("the rules of the test: %v", problems)
	}
	return f
}

const header = `
version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: n-1}
hours:
  office: {weekly: {mon-fri: 09:00-18:00}}
lists:
  vip: ["+55 11 98888-7777"]
  partners: {store: true}
agents: {ana: {}, bruno: {}, carla: {capacity: 2}}
queues:
  sales: {agents: [ana, bruno], ring: 6s, wrap_up: 15s, away_after: 2, strategy: in_order}
  one: {agents: [ana], ring: 6s}
  all: {agents: [ana, bruno], ring: 8s, strategy: ring_all}
answers:
  greeting: {play: greeting.ogg}
  bot: {url: "https://bot.example/answer", timeout: 3s}
messages:
  sorry: {text: "Sorry, ${caller.name}. We open ${opens('office')}.", at_most_every: 12h}
limits: {answer_within: 25s, max_call: 10m}
`

func (w *world) newEngine() *engine.Engine { return w.engineOn(w.store) }

func (w *world) engineOn(s engine.Store) *engine.Engine {
	return engine.New(engine.Config{
		Store: s, Provider: w.platform, Media: w.media, Answerer: w.answerer, Rules: w.file,
		Log: slog.New(slog.DiscardHandler), Observer: w.observed, Clock: w.clock,
	})
}

// start runs an engine with the job table's intervals, until stopJobs.
func (w *world) start(e *engine.Engine) {
	w.t.Helper()
	if err := e.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait() // what it does in the background at its start
	ctx, cancel := context.WithCancel(context.Background())
	var jobs sync.WaitGroup
	jobs.Go(func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for _, job := range []func(context.Context) error{e.Beat, e.RefreshOverrides, e.FlushKept, e.Sweep} {
					_ = job(ctx) // the next tick tries again, as the scheduler does
				}
			case <-ctx.Done():
				return
			}
		}
	})
	w.stopJobs = func() { cancel(); jobs.Wait() }
}

const (
	caller = "5521977776666"
	vip    = "5511988887777"
)

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) connect(id, from string) { w.connectAt(id, from, time.Time{}) }

func (w *world) connectAt(id, from string, timestamp time.Time) {
	w.t.Helper()
	w.platform.ring(id)
	err := w.e.Receive(w.t.Context(), []engine.Event{{Connect: &engine.Connect{
		CallID: id, From: from, Name: "Vera", To: "551122361741", Timestamp: timestamp, SDP: "offer of " + id,
	}}})
	if err != nil {
		w.t.Fatalf("connect %s: %v", id, err)
	}
}

func (w *world) terminate(id string, codes ...int) {
	w.t.Helper()
	picked := w.platform.end(id)
	err := w.e.Receive(w.t.Context(), []engine.Event{{Terminate: &engine.Terminate{
		CallID: id, From: caller, To: "551122361741", Status: "COMPLETED", PickedUp: picked, Codes: codes,
	}}})
	if err != nil {
		w.t.Fatalf("terminate %s: %v", id, err)
	}
}

func (w *world) call(id string) *engine.Call {
	w.t.Helper()
	synctest.Wait()
	c, err := w.store.Get(w.t.Context(), engine.Key(id))
	if err != nil {
		w.t.Fatalf("the record of %s: %v", id, err)
	}
	return c
}

// want checks how a call stands, and all that the platform was asked to do about it.
func (w *world) want(id string, state engine.State, outcome engine.Outcome, actions ...string) *engine.Call {
	w.t.Helper()
	c := w.call(id)
	if c.State != state || c.Outcome != outcome {
		w.t.Errorf("%s is %s %s (%s), want %s %s", id, c.State, c.Outcome, c.Why, state, outcome)
	}
	if got := w.platform.actions(id); strings.Join(got, " ") != strings.Join(actions, " ") {
		w.t.Errorf("%s: the platform was asked for %v, want %v", id, got, actions)
	}
	return c
}

// trace returns why each rule did or did not hold for a call.
func (w *world) trace(c *engine.Call) []rules.Trace {
	w.t.Helper()
	trace, err := w.e.Explain(w.t.Context(), c)
	w.must(err)
	return trace
}

// present lets an agent be connected until the returned function is called.
func (w *world) present(agent string) (leave func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if err := w.e.Present(ctx, agent, "tab of "+agent); err != nil {
		w.t.Fatal(err)
	}
	return cancel
}

// offer is the agent's pending offer.
func (w *world) offer(agent string) engine.Offer {
	w.t.Helper()
	if offers := w.offers(agent); len(offers) == 1 {
		return offers[0].Offer
	} else {
		w.t.Fatalf("%s has %d pending offers, want 1", agent, len(offers))
		return engine.Offer{}
	}
}

func (w *world) offers(agent string) []engine.OfferedCall {
	w.t.Helper()
	synctest.Wait()
	v, err := w.e.View(w.t.Context(), agent)
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Offers
}

func (w *world) answer(agent string) error {
	w.t.Helper()
	return w.e.Answer(w.t.Context(), agent, w.offer(agent).ID, "answer of "+agent)
}

// answerAt answers the offer that rings at an agent, at an instance.
func (w *world) answerAt(e *engine.Engine, agent string) error {
	w.t.Helper()
	return e.Answer(w.t.Context(), agent, w.offer(agent).ID, "answer of "+agent)
}

// free counts the slots an agent has left, as the store sees it.
func (w *world) free(agent string) int {
	w.t.Helper()
	synctest.Wait()
	s, err := w.store.Snapshot(w.t.Context(), engine.Query{Agents: []string{agent}})
	if err != nil {
		w.t.Fatal(err)
	}
	a, _ := w.file.Agent(agent)
	return a.Capacity - len(s.Agents[agent].Slots)
}

// platform is the calling API: of each call it keeps the state, and refuses what does not fit it.
type platform struct {
	mu    sync.Mutex
	calls map[string]string // ringing, accepted, over
	log   map[string][]string
	texts []string
	fault map[string]func() error // by action; an error it returns has no effect on the call
	after map[string]func() error // the same, after the action had its effect: a lost reply

	slowTexts atomic.Bool
}

func newPlatform() *platform {
	return &platform{
		calls: map[string]string{},
		log:   map[string][]string{},
		fault: map[string]func() error{},
		after: map[string]func() error{},
	}
}

func (p *platform) ring(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls[id] == "" {
		p.calls[id] = "ringing"
	}
}

func (p *platform) end(id string) (pickedUp bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pickedUp = p.calls[id] == "accepted"
	p.calls[id] = "over"
	return pickedUp
}

func (p *platform) actions(id string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.log[id]...)
}

func (p *platform) act(ctx context.Context, action, id string, allowed map[string]string) error {
	if ctx.Err() != nil {
		return &engine.ProviderError{Kind: engine.Unavailable, Message: "no time left", Unsent: true}
	}
	p.mu.Lock()
	fault, after := p.fault[action], p.after[action]
	p.mu.Unlock()
	if fault != nil {
		if err := fault(); err != nil {
			return err
		}
	}
	p.mu.Lock()
	state := p.calls[id]
	next, ok := allowed[state]
	if ok {
		p.calls[id] = next
		p.log[id] = append(p.log[id], action)
	}
	p.mu.Unlock()
	switch {
	case ok && after != nil:
		return after()
	case ok:
		return nil
	case state == "accepted":
		return &engine.ProviderError{Kind: engine.InProgress, Status: 400, Message: "already in progress"}
	}
	return &engine.ProviderError{Kind: engine.Gone, Status: 404, Message: "no such call"}
}

func (p *platform) Accept(ctx context.Context, _, id, _ string) error {
	return p.act(ctx, "accept", id, map[string]string{"ringing": "accepted"})
}

func (p *platform) Reject(ctx context.Context, _, id string) error {
	return p.act(ctx, "reject", id, map[string]string{"ringing": "over"})
}

func (p *platform) HangUp(ctx context.Context, _, id string) error {
	return p.act(ctx, "hang-up", id, map[string]string{"accepted": "over"})
}

func (p *platform) SendText(_ context.Context, _, to, text string) error {
	if p.slowTexts.Load() {
		pass(3 * time.Second)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts = append(p.texts, to+": "+text)
	return nil
}

func (p *platform) spoil(action string, fault func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault[action] = fault
}

func (p *platform) loseReply(action string, after func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after[action] = after
}

// audio plays for a while without a sound.
type audio struct {
	length time.Duration
	noUp   bool
	fail   error
}

func (a *audio) CheckAnswer(_, answer string) error {
	if strings.HasPrefix(answer, "bad") {
		return errors.New("no m=audio line")
	}
	return nil
}

func (a *audio) Answer(_ context.Context, offer, _ string) (engine.Playback, error) {
	if a.fail != nil {
		return nil, a.fail
	}
	return &playback{a, "answer to " + offer}, nil
}

type playback struct {
	a   *audio
	sdp string
}

func (p *playback) SDP() string  { return p.sdp }
func (p *playback) Close() error { return nil }

func (p *playback) Run(ctx context.Context, up func()) error {
	wait := p.a.length
	if p.a.noUp {
		wait = 10 * time.Second
	} else {
		up()
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.a.noUp {
		return engine.ErrNoMedia
	}
	return nil
}

// answerer is an outside answerer.
type answerer struct {
	delay time.Duration
	sdp   string
	err   error
	asked []engine.AnswerRequest
}

func (a *answerer) Answer(ctx context.Context, _ string, r engine.AnswerRequest) (string, error) {
	a.asked = append(a.asked, r)
	select {
	case <-time.After(a.delay):
		return a.sdp, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// observer counts what happens.
type observer struct {
	mu     sync.Mutex
	ended  []engine.Outcome
	errors []string
}

func (o *observer) Decided(*engine.Call, time.Duration) {}
func (o *observer) Acted(*engine.Call, time.Duration)   {}
func (o *observer) Ended(c *engine.Call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = append(o.ended, c.Outcome)
}
func (o *observer) Error(kind string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errors = append(o.errors, kind)
}

// breakableStore is a store that can be away, and whose clock can be set.
type breakableStore struct {
	engine.Store
	set  atomic.Int64 // by how much, ns
	full atomic.Bool  // it takes no write
	mu   sync.Mutex
	away bool

	writes atomic.Int64 // of records, successful or not
}

var errAway = errors.New("connection refused")

func (s *breakableStore) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *breakableStore) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return errAway
	}
	return nil
}

func (s *breakableStore) Insert(ctx context.Context, c *engine.Call) (*engine.Call, error) {
	s.writes.Add(1)
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.Insert(ctx, c)
}

func (s *breakableStore) Get(ctx context.Context, key string) (*engine.Call, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func (s *breakableStore) refuseWrites(full bool) { s.full.Store(full) }

func (s *breakableStore) Update(ctx context.Context, old, next *engine.Call) (*engine.Call, error) {
	s.writes.Add(1)
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.full.Load() {
		return nil, errors.New("OOM")
	}
	return s.Store.Update(ctx, old, next)
}

func (s *breakableStore) Snapshot(ctx context.Context, q engine.Query) (engine.Snapshot, error) {
	if err := s.check(); err != nil {
		return engine.Snapshot{}, err
	}
	return s.Store.Snapshot(ctx, q)
}

func (s *breakableStore) Beat(ctx context.Context, instance string, lease time.Duration) (string, time.Time, error) {
	if err := s.check(); err != nil {
		return "", time.Time{}, err
	}
	epoch, _, err := s.Store.Beat(ctx, instance, lease)
	return epoch, time.Now().Add(time.Duration(s.set.Load())), err
}

func (s *breakableStore) Alive(ctx context.Context) ([]string, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.Alive(ctx)
}

func (s *breakableStore) Due(ctx context.Context, at time.Time, alive []string, limit int) ([]string, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.Due(ctx, at, alive, limit)
}
