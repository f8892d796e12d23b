package engine_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
	"callrouter/engine/testrun"
)

const monthRules = `
version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: n-1}
agents: {ana: {capacity: 4}, bruno: {capacity: 4}, carla: {capacity: 4}}
queues:
  desk: {agents: [ana, bruno, carla], ring: 6s, wrap_up: 20s, away_after: 0}
answers:
  greeting: {play: greeting.ogg}
  bot: {url: "https://bot.example/answer", timeout: 3s}
rules:
  - {name: closed, when: 'payload == "closed"', then: reject}
  - {name: greet, when: 'payload == "greet"', then: {accept: greeting}}
  - {name: bot, when: 'payload == "bot"', then: {accept: bot}}
  - {name: desk, then: {handoff: {queue: desk, wait: 8s}}}
default: reject
limits: {answer_within: 25s, max_call: 10m}
`

const (
	maxCall = 10 * time.Minute
	healed  = time.Minute + 8*time.Second + sweepEvery // one longest pause after an attempt that was under way
)

// callsPerHour are those from 8 to 20 o'clock: 12,960 calls in 30 days, and twice as many where the long proofs are
// asked for.
func callsPerHour() int {
	return testrun.Pick(36, 36, 72)
}

// monthDays is how long the month is. The last of nine days shows what was given back since the first week.
func monthDays() int { return testrun.Pick(9, wholeMonth, wholeMonth) }

// monthCall is what the platform and the caller know of one call.
type monthCall struct {
	state           string // ringing, accepted, over
	accepted, told  time.Time
	firstTry, tried time.Time // when a hang-up was first begun, and when the last one was over
	trying          bool
	ended           int
	changed         chan struct{} // the platform did something; nil once the caller is gone
}

// month is thirty days of callers, agents, and a platform that is away on one day of seven. It is the platform.
type month struct {
	t       *testing.T
	p       *proof
	callers sync.WaitGroup
	over    chan struct{} // nobody waits any longer

	mu       sync.Mutex
	calls    []monthCall
	random   *rand.Rand
	down     map[string]bool // actions that fail
	outcomes map[engine.Outcome]int
	tries    int
	overrun  time.Duration // the longest from max_call to the first hang-up
}

// TestMonth: no call lives past max_call without a hang-up, hang-ups are tried until one is confirmed, and every call
// has one outcome, whatever becomes of webhooks and of Positus.
func TestMonth(t *testing.T) {
	began := time.Now()
	file := loadRules(t, t.TempDir(), monthRules)
	m := &month{
		calls: make([]monthCall, 0, monthDays()*12*callsPerHour()), random: rand.New(rand.NewPCG(1, 2)),
		down: map[string]bool{}, outcomes: map[engine.Outcome]int{},
	}
	synctest.Test(t, func(t *testing.T) {
		m.t, m.p, m.over = t, newProof(t, file, m), make(chan struct{})
		m.p.told.onEnd = m.ended
		m.live()
		m.judge()
	})
	t.Logf("%d days, %d calls %v, %d hang-ups tried, the first at most %v after max_call; %v real",
		monthDays(), len(m.calls), m.outcomes, m.tries, m.overrun, time.Since(began).Round(time.Millisecond))
}

// live lets the month pass, hour by hour.
func (m *month) live() {
	start := time.Now()
	var held uint64
	for hour := range 24 * monthDays() {
		pass(time.Until(start.Add(time.Duration(hour) * time.Hour)))
		if m.t.Failed() { // a month of calls that nobody ends takes long
			break
		}
		day, clock := hour/24, hour%24
		switch {
		case clock == 0 && day%7 == 5:
			m.outage("hang-up", day%2 == 0) // every other time only hang-ups fail
		case clock == 0 && day%7 == 6:
			m.heal()
		case clock == 4 && day == 7:
			held = m.heap()
		case clock == 12:
			m.shift()
		}
		if clock >= 8 && clock < 20 {
			m.rush()
		}
		if _, err := m.p.store.Purge(context.Background(), time.Now().Add(-24*time.Hour)); err != nil {
			m.t.Fatal(err)
		}
	}
	pass(2 * time.Hour)
	close(m.over)
	m.callers.Wait()
	if grown := int64(m.heap()) - int64(held); grown > 256<<10 {
		m.t.Errorf("%d kB of memory were not given back since the first week", grown>>10)
	} else {
		m.t.Logf("memory after the last day less that after the first week: %d kB", grown>>10)
	}
}

// heap is the memory in use once all is forgotten that may be forgotten.
func (m *month) heap() uint64 {
	if _, err := m.p.store.Purge(context.Background(), time.Now()); err != nil {
		m.t.Fatal(err)
	}
	var s runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one only marked as unused
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func (m *month) outage(action string, all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down[action] = true
	m.down["accept"], m.down["reject"] = all, all
}

// heal ends an outage. One longest pause later every call that was to be hung up is over.
func (m *month) heal() {
	m.mu.Lock()
	clear(m.down)
	m.mu.Unlock()
	at := time.Now()
	pass(healed)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, c := range m.calls {
		if c.ended == 0 && !c.firstTry.IsZero() && c.firstTry.Before(at) {
			m.t.Errorf("call %d: not ended %v after Positus came back", i, healed)
		}
	}
}

// shift lets the agents work for four hours.
func (m *month) shift() {
	for _, name := range []string{"ana", "bruno", "carla"} {
		leave, err := m.p.agent(name, func(o engine.OfferedCall) { m.work(name, o) })
		if err != nil {
			m.t.Fatal(err)
		}
		time.AfterFunc(4*time.Hour, leave)
	}
}

// draw returns a number below n.
func (m *month) draw(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.IntN(n)
}

// seconds is a random duration.
func (m *month) seconds(from, to int) time.Duration {
	return time.Duration(1000*from+m.draw(1000*(to-from))) * time.Millisecond
}

// work is what an agent does with an offer. It may be too late; then the engine says so.
func (m *month) work(agent string, o engine.OfferedCall) {
	pass(m.seconds(1, 5))
	ctx := context.Background()
	switch what := m.draw(10); {
	case what < 7:
		if m.p.e.Answer(ctx, agent, o.Offer.ID, "answer of "+agent) == nil && m.draw(3) == 0 {
			pass(m.seconds(10, 200))
			_ = m.p.e.HangUpOwn(ctx, agent, o.Call.ID, "")
		}
	case what < 9:
		_ = m.p.e.Decline(ctx, agent, o.Offer.ID)
	}
}

// rush lets an hour's calls come.
func (m *month) rush() {
	for range callsPerHour() {
		pass(m.seconds(0, 2*3600/callsPerHour()-2))
		m.mu.Lock()
		i := len(m.calls)
		m.calls = append(m.calls, monthCall{state: "ringing", changed: make(chan struct{}, 1)})
		m.mu.Unlock()
		m.callers.Go(func() { m.caller(i) })
	}
}
