package engine_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callrouter/engine"
	"callrouter/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const stopRules = `
version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: n-1}
agents: {ana: {capacity: 200}, bruno: {}}
queues:
  desk: {agents: [ana], ring: 20s}
  nobody: {agents: [bruno], ring: 3s}
answers:
  greeting: {play: greeting.ogg}
  bot: {url: "https://bot.example/answer", timeout: 3s}
rules:
  - {name: greet, when: 'payload == "greet"', then: {accept: greeting}}
  - {name: bot, when: 'payload == "bot"', then: {accept: bot}}
  - {name: wait, when: 'payload == "wait"', then: {handoff: {queue: nobody, wait: 15s}}}
  - {name: desk, then: {handoff: desk}}
default: reject
limits: {answer_within: 25s, max_call: 10m}
`

// TestStopLeavesNothingRunning: engines that are stopped with calls in every state leave no goroutine behind, and the
// next one ends the calls, each once.
func TestStopLeavesNothingRunning(t *testing.T) {
	const engines = 50
	file := loadRules(t, t.TempDir(), stopRules)
	synctest.Test(t, func(t *testing.T) {
		store, platform, ended := storetest.NewMemory(time.Now), newPlatform(), map[string]int{}
		before := running()
		for i := range engines {
			platform.spoil("hang-up", func() error {
				pass(3 * time.Second)
				return &engine.ProviderError{Kind: engine.Unavailable, Status: 503}
			})
			p := newProofOn(t, store, file, platform)
			handful(t, p, platform, fmt.Sprint("engine ", i, ", "))
			p.stop()
			p.stop()
			synctest.Wait()
			if now := running(); strings.Count(now, "\ngoroutine ") > strings.Count(before, "\ngoroutine ") {
				t.Fatalf("engine %d left goroutines running:\n%s", i, now)
			}
			for id, n := range p.told.ends() {
				ended[id] += n
			}
		}
		platform.spoil("hang-up", nil)
		p := newProofOn(t, store, file, platform)
		pass(20 * time.Minute)
		for id, n := range p.told.ends() {
			ended[id] += n
		}
		calls, err := store.List(t.Context(), engine.Filter{Limit: 10 * engines})
		if err != nil || len(calls) != 7*engines {
			t.Errorf("%d calls, want %d; %v", len(calls), 7*engines, err)
		}
		for _, c := range calls {
			if problem := incomplete(c); problem != "" || ended[c.ID] != 1 {
				t.Errorf("%s, %s (%s): its end was told %d times. %s", c.ID, c.Outcome, c.Why, ended[c.ID], problem)
			}
		}
	})
}

// running is the stacks of all goroutines. Unlike their number it leaves out those that are just ending.
func running() string {
	stacks := make([]byte, 256<<10)
	return "\n" + string(stacks[:runtime.Stack(stacks, true)])
}

// handful gives an engine a call in every state in which work is under way.
func handful(t *testing.T, p *proof, platform *platform, prefix string) {
	t.Helper()
	ctx := t.Context()
	if err := p.e.Present(ctx, "ana", "tab of ana"); err != nil {
		t.Fatal(err)
	}
	p.media.length = time.Minute
	for _, call := range []struct {
		id, payload string
		state       engine.State
	}{
		{"waits", "wait", engine.Waiting}, {"rings", "desk", engine.Offered}, {"talks", "desk", engine.Offered},
		{"is with an answerer", "bot", engine.Active}, {"hears audio", "greet", engine.Active},
		{"is hung up in vain", "bot", engine.Active}, {"is being accepted", "bot", engine.Accepting},
	} {
		id := prefix + call.id
		if call.state == engine.Accepting {
			platform.spoil("accept", func() error { pass(2 * time.Second); return nil })
		}
		platform.ring(id)
		if err := p.connect(id, caller, call.payload); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c, err := p.store.Get(ctx, engine.Key(id))
		if err != nil || c.State != call.state {
			t.Fatalf("%s: %+v, %v; want it %s", id, c, err, call.state)
		}
		switch call.id {
		case "talks":
			if err := p.e.Answer(ctx, "ana", c.Offers[0].ID, "answer of ana"); err != nil {
				t.Fatal(err)
			}
		case "is hung up in vain":
			if err := p.e.HangUp(ctx, id, "the test"); err == nil {
				t.Fatal("the hang-up was confirmed")
			}
		}
	}
	platform.spoil("accept", nil)
}
