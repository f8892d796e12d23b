package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/positus/fake"
	"callrouter/store/storetest"
)

const (
	instances = 3
	// freedWithin is how long a slot may outlive its call: the lease of a dead instance, the sweep that follows it, and
	// a moment for the work itself.
	freedWithin = 10 * time.Second
	agentsN     = 12
	raceFrom    = 9 // agents from here on are rung all at once
)

// fleetPlan is what a fleet is made of; the zero value is a good start.
type fleetPlan struct {
	redis    []string // further lines of Redis' configuration
	env      map[string]string
	capacity int           // of each agent; 1 or 2 if zero
	ring     time.Duration // how long a phone rings, 3 s if zero
	maxCall  time.Duration // 1 h if zero
	stay     bool          // nobody is set away, however much is missed
}

// capacityOf is what the rules give an agent.
func (p fleetPlan) capacityOf(i int) int { return cmp.Or(p.capacity, 1+i%2) }

// rules have rules that need no store, and two queues: one agent after the other, and all at once.
func (p fleetPlan) rules(answerer string) string {
	var agents, line, race []string
	for i := range agentsN {
		agents = append(agents, fmt.Sprintf("  %s: {name: Agent, capacity: %d}", agentName(i), p.capacityOf(i)))
		if i < raceFrom {
			line = append(line, agentName(i))
		} else {
			race = append(race, agentName(i))
		}
	}
	ring, awayAfter := cmp.Or(p.ring, 3*time.Second).String(), "3"
	if p.stay {
		awayAfter = "0"
	}
	return `version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: ` + numberID + `}
agents:
` + strings.Join(agents, "\n") + `
queues:
  line: {agents: [` + strings.Join(line, ", ") + `], strategy: longest_idle, ring: ` + ring + `, away_after: ` + awayAfter + `}
  race: {agents: [` + strings.Join(race, ", ") + `], strategy: ring_all, ring: ` + ring + `, away_after: ` + awayAfter + `}
answers:
  bot: {url: "` + answerer + `", timeout: 2s}
limits: {answer_within: 20s, max_call: ` + cmp.Or(p.maxCall, time.Hour).String() + `}
rules:
  - {name: refused, when: payload == "reject", then: reject}
  - {name: robot, when: payload == "bot", then: {accept: bot}}
  - {name: race, when: payload == "race", then: {handoff: {queue: race, wait: 2s}}}
  - {name: line, when: payload == "line", then: {handoff: {queue: line, wait: 4s}}}
default: reject
on_error: reject
`
}

func agentName(i int) string { return fmt.Sprintf("a%02d", i) }

// fleet is three routers on one Redis behind a load balancer, with agents at work and callers who call.
type fleet struct {
	*world
	plan    fleetPlan
	redis   *storetest.Redis
	members [instances]*member
	seed    uint64
	began   time.Time
	turn    atomic.Int64
	balance http.Client
	work    sync.WaitGroup   // of agents and watchers
	talk    [2]time.Duration // how long agents talk
	slots   slotWatch

	resets, timeouts, nobody, kills atomic.Int64 // of webhooks at the load balancer, and of processes
	offers, answers, declines       atomic.Int64 // of the agents
	missed, taken409, other409      atomic.Int64
	asides, renewedTokens           atomic.Int64

	callsMu sync.Mutex
	byKey   map[string]*fake.Call
	placed  map[string]time.Time
	ways    map[string]string
	told    map[string][]int // agents who were told that they have the call

	silent atomic.Bool // no agent touches an offer
}

// member is one place for a router, with its own way to Redis.
type member struct {
	f     *fleet
	proxy *fleetProxy
	run   atomic.Pointer[process]

	leaving atomic.Bool // /readyz said so when the load balancer last looked
}

// newFleet starts everything, and returns once every agent is at work.
func newFleet(t *testing.T, plan fleetPlan) *fleet {
	t.Helper()
	testrun.OnlyFull(t, "three routers under load take minutes")
	t.Parallel()
	seed := testrun.Seed(t)
	f := &fleet{
		world: &world{
			t:      t,
			dir:    t.TempDir(),
			client: &http.Client{Timeout: 2500 * time.Millisecond, Transport: &http.Transport{MaxIdleConnsPerHost: 50}},
		},
		plan: plan, redis: storetest.NewRedisWithClock(t, plan.redis...), seed: seed, began: time.Now(),
		talk:  [2]time.Duration{100 * time.Millisecond, 900 * time.Millisecond},
		byKey: map[string]*fake.Call{}, placed: map[string]time.Time{}, ways: map[string]string{}, told: map[string][]int{},
		balance: http.Client{Timeout: 2500 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	f.redis.OpenGate()
	f.secret, f.admin = "canary-secret-"+rand.Text(), "canary-admin-"+rand.Text()
	token := "canary-positus-" + rand.Text()
	f.fake = fake.New(
		fake.Config{Token: token, Numbers: map[string]string{numberID: business}, Seed: seed, Dials: fake.Dials{
			Latency: map[fake.Kind]time.Duration{
				fake.KindAccept: 20 * time.Millisecond,
				fake.KindReject: 20 * time.Millisecond,
			},
			Delivery: fake.DeliveryDials{Retries: 100, RetryEvery: 300 * time.Millisecond},
		}},
	)
	if err := f.fake.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.fake.Close() })
	answerer := httptest.NewServer(http.HandlerFunc(f.robot))
	t.Cleanup(answerer.Close)
	f.file("rules.yaml", []byte(plan.rules(answerer.URL)))
	f.base = map[string]string{
		envPositusToken: token, envWebhookSecret: f.secret, envAdminToken: f.admin, "CALLROUTER_RULES": f.dir + "/rules.yaml",
		"CALLROUTER_POSITUS_URL": f.fake.URL(), "CALLROUTER_LISTEN": "127.0.0.1:0",
		"CALLROUTER_INTERNAL_LISTEN": "127.0.0.1:0", "CALLROUTER_AUDIO_LOOPBACK": "true",
	}
	t.Cleanup(f.checkLogs)
	for i := range f.members {
		f.members[i] = &member{f: f, proxy: newFleetProxy(t, f.redis.Addr)}
		f.members[i].start()
	}
	balancer := httptest.NewServer(http.HandlerFunc(f.forward))
	t.Cleanup(balancer.Close)
	f.fake.SetWebhookURL(balancer.URL + "/webhooks/positus/" + f.secret)
	f.crew()
	return f
}

// start starts the router of a member, again after it ended.
func (m *member) start() {
	m.f.t.Helper()
	url := strings.Replace(m.f.redis.URL, m.f.redis.Addr, m.proxy.Addr, 1)
	p := launch(m.f.t, &m.f.logs, environ(m.f.base, m.f.env(url)), "serve")
	p.serves(m.f.t, &m.f.logs)
	m.run.Store(p)
	m.leaving.Store(false)
}

// look asks an instance whether it takes webhooks, as a load balancer does. One that does not answer is left to itself.
func (m *member) look() {
	resp, err := m.f.balance.Get("http://" + m.run.Load().public + "/readyz")
	if err != nil {
		return
	}
	defer resp.Body.Close()
	var reply struct{ Stops bool }
	if json.NewDecoder(resp.Body).Decode(&reply) == nil && reply.Stops {
		m.leaving.Store(true)
	}
}

// env is the environment of one router.
func (f *fleet) env(store string) map[string]string {
	env := map[string]string{"CALLROUTER_STORE": store}
	maps.Copy(env, f.plan.env)
	return env
}

// forward is the load balancer: webhooks go round, and one that nobody takes at an address goes on to the next.
func (f *fleet) forward(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	first := int(f.turn.Add(1))
	for i := range instances {
		m := f.members[(first+i)%instances]
		if m.leaving.Load() {
			continue
		}
		url := "http://" + m.run.Load().public + r.URL.Path
		resp, err := f.balance.Post(url, "application/json", bytes.NewReader(body))
		if err == nil {
			_ = resp.Body.Close()
			rw.WriteHeader(resp.StatusCode)
			return
		}
		var slow interface{ Timeout() bool }
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			continue
		case errors.As(err, &slow) && slow.Timeout():
			f.timeouts.Add(1)
			continue
		}
		f.resets.Add(1)
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	f.nobody.Add(1)
	rw.WriteHeader(http.StatusServiceUnavailable)
}

// robot is the outside answerer.
func (f *fleet) robot(rw http.ResponseWriter, r *http.Request) {
	var req engine.AnswerRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(rw).Encode(map[string]string{"sdp": anotherAnswer(req.SDP, nobodysAnswer+f.answered.Add(1))})
}

// load places calls at an even pace for a while.
func (f *fleet) load(every, d time.Duration, stream uint64, caller func(*mathrand.Rand) fake.Phone) {
	rnd := mathrand.New(mathrand.NewPCG(f.seed, stream))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		p := caller(rnd)
		at := time.Now()
		c, err := f.fake.Call(p)
		if err != nil {
			f.t.Errorf("placing a call: %v", err)
			return
		}
		f.callsMu.Lock()
		f.byKey[engine.Key(c.ID)], f.placed[c.ID], f.ways[c.ID] = c, at, p.CTAPayload
		f.callsMu.Unlock()
	}
}

// underLoad runs a test's faults while callers call.
func (f *fleet) underLoad(every, d time.Duration, caller func(*mathrand.Rand) fake.Phone, faults func()) {
	f.t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { f.load(every, d, 1, caller) })
	faults()
}

// caller makes people who call: which way, how patient, and how often the platform repeats itself.
func (f *fleet) caller(repeats float64) func(*mathrand.Rand) fake.Phone {
	return func(rnd *mathrand.Rand) fake.Phone {
		way := pick(rnd, "reject", 30, "bot", 20, "line", 38, "race", 12)
		p := phone(way)
		p.TalkFor = f.talk[1] + 500*time.Millisecond
		if rnd.Float64() < repeats {
			p.ConnectRepeat = []time.Duration{0, time.Duration(rnd.IntN(1000)) * time.Millisecond}
		}
		switch human := way == "line" || way == "race"; {
		case human && rnd.Float64() < 0.3:
			p.HangUpAfter = 50*time.Millisecond + time.Duration(rnd.IntN(3000))*time.Millisecond
		case !human && rnd.Float64() < 0.1:
			p.HangUpAfter = time.Millisecond + time.Duration(rnd.IntN(40))*time.Millisecond
		}
		return p
	}
}

// pick draws one of several words by weight.
func pick(rnd *mathrand.Rand, words ...any) string {
	total := 0
	for i := 1; i < len(words); i += 2 {
		total += words[i].(int)
	}
	n := rnd.IntN(total)
	for i := 0; ; i += 2 {
		if n -= words[i+1].(int); n < 0 {
			return words[i].(string)
		}
	}
}

// callerNumber is the number of one of the callers as a word of its own: the keys of thousands of calls hold many
// digits.
var callerNumber = regexp.MustCompile(`\b(?:55)?11987\d{6}\b`)

// checkLogs ends the routers, and looks for what must not be in their logs.
func (f *fleet) checkLogs() {
	for _, m := range f.members {
		if m != nil && m.run.Load() != nil {
			m.run.Load().kill()
		}
	}
	text := f.logs.String()
	for _, line := range strings.Split(text, "\n") {
		private := callerNumber.FindString(line)
		for _, secret := range []string{f.secret, f.admin, f.base[envPositusToken]} {
			if strings.Contains(line, secret) {
				private = secret
			}
		}
		if private != "" {
			f.t.Errorf("a log line has %q in it: %s", private, line)
		}
	}
	for _, word := range []string{"DATA RACE", "panic:", "goroutine 1 ["} {
		if strings.Contains(text, word) {
			f.t.Errorf("a router says %q", word)
		}
	}
	if f.t.Failed() {
		path := strings.ReplaceAll(f.t.Name(), "/", "-") + ".log"
		if dir := os.Getenv("CALLROUTER_TEST_LOGS"); dir != "" {
			if err := os.WriteFile(dir+"/"+path, []byte(text), 0o600); err != nil {
				f.t.Error(err)
			}
		}
		f.t.Logf("the routers' logs:\n%s", excerpt(&f.logs))
	}
}
