package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"callrouter/engine"
	"callrouter/rules"
)

const webhookRules = `
version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: n-1}
agents: {ana: {capacity: 10}}
queues:
  desk: {agents: [ana], ring: 8s, away_after: 0}
answers:
  greeting: {play: greeting.ogg}
  bot: {url: "https://bot.example/answer", timeout: 3s}
rules:
  - {name: closed, when: 'payload == "closed"', then: reject}
  - {name: greet, when: 'payload == "greet"', then: {accept: greeting}}
  - {name: bot, when: 'payload == "bot"', then: {accept: bot}}
  - {name: desk, then: {handoff: desk}}
default: reject
limits: {answer_within: 25s, max_call: 1m}
`

// script is one call as it truly was, and what became of its webhooks on their way. Times count from the beginning of
// the case.
type script struct {
	id       string
	payload  string
	begins   time.Duration
	ends     time.Duration // when the caller leaves, if the call is not over by then
	pickUp   time.Duration // how long the agent lets it ring; over 8 s: until it stops
	declines bool
	connects []time.Duration // when copies of the connect webhook arrive, in order
	// how long after the end copies of the terminate webhook arrive, in order; none: it is lost
	ended    []time.Duration
	impostor time.Duration // when a connect with the same id and another caller arrives; 0: never
}

func (s script) String() string {
	return fmt.Sprintf("%s %q from %v to %v, agent %v decline=%v; connects %v, terminates after %v, impostor %v",
		s.id, s.payload, s.begins, s.ends, s.pickUp, s.declines, s.connects, s.ended, s.impostor)
}

// canonical is the same call with webhooks as they should be: once each, and the end told at once.
func (s script) canonical() script {
	s.connects, s.ended, s.impostor = []time.Duration{s.first()}, []time.Duration{time.Millisecond}, 0
	return s
}

// first is when the call is first heard of.
func (s script) first() time.Duration {
	if s.impostor > 0 {
		return min(s.impostor, s.connects[0])
	}
	return s.connects[0]
}

// drawScript makes up a call. Connects arrive on multiples of 100 ms, impostors 1 ms later and terminates 7 ms later,
// so that what comes first is never left to chance, while copies may well come at once.
func drawScript(t *rapid.T, i int) script {
	tenths := func(label string, from, to int) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, label)) * 100 * time.Millisecond
	}
	s := script{
		id:       fmt.Sprint("call ", i),
		payload:  rapid.SampledFrom([]string{"closed", "greet", "bot", "desk", "desk"}).Draw(t, "payload"),
		begins:   tenths("begins", 1, 50),
		pickUp:   tenths("the agent picks up after", 1, 100) + 50*time.Millisecond,
		declines: rapid.Bool().Draw(t, "the agent declines"),
	}
	s.ends = s.begins + tenths("the caller stays", 1, 200) + 3*time.Millisecond
	for range rapid.IntRange(1, 5).Draw(t, "connects") {
		s.connects = append(s.connects, s.begins+tenths("connect is late by", 0, 60))
	}
	slices.Sort(s.connects)
	for range rapid.IntRange(0, 5).Draw(t, "terminates") {
		s.ended = append(s.ended, tenths("terminate is late by", 0, 60)+4*time.Millisecond)
	}
	slices.Sort(s.ended)
	if rapid.IntRange(0, 3).Draw(t, "impostor") == 0 {
		s.impostor = s.begins + tenths("impostor is late by", 0, 60) + time.Millisecond
	}
	return s
}

// TestWebhooksInAnyOrder: webhooks that come twice, late, out of order or never change nothing: the record and what the
// platform was asked to do are as if each had come once and in time, and nothing is done about a call that is over.
func TestWebhooksInAnyOrder(t *testing.T) {
	file := loadRules(t, t.TempDir(), webhookRules)
	for range 3 { // 300 cases
		rapid.Check(t, func(t *rapid.T) {
			var scripts, canonical []script
			for i := range rapid.IntRange(1, 6).Draw(t, "calls") {
				s := drawScript(t, i)
				scripts, canonical = append(scripts, s), append(canonical, s.canonical())
			}
			var want, got *webhooks
			rapid.SyncTest(t, func(t *rapid.T) { want = deliver(t, file, canonical) })
			rapid.SyncTest(t, func(t *rapid.T) { got = deliver(t, file, scripts) })
			for i, s := range scripts {
				if problem := s.judge(want.results[i], got.results[i]); problem != "" {
					t.Fatalf("%v: %s\ncanonical: %v\n      got: %v", s, problem, want.results[i], got.results[i])
				}
			}
			if len(got.late) > 0 {
				t.Fatalf("after the end was told of, the platform was asked for the %v", got.late)
			}
			impostors := 0
			for i, s := range scripts {
				impostors += s.differing(got.results[i])
			}
			if told := got.p.told.count("duplicate_differs"); told != impostors {
				t.Fatalf(
					"%d impostors called while the call they took the id of was in hand, and %d were told of",
					impostors,
					told,
				)
			}
		})
	}
}

// webhooks is one run of a case: it is the platform, which ends calls at their true time.
type webhooks struct {
	*platform
	p       *proof
	start   time.Time
	scripts []script
	mu      sync.Mutex
	tried   map[string][]string      // all that the platform was asked for, also in vain
	late    []string                 // what it was asked for after a terminate was received
	heard   map[string]time.Duration // when a terminate was first received
	results []result
}

// result is what became of a call.
type result struct {
	*engine.Call
	done  string // what the platform did
	tried string // what it was asked for
	began time.Time
	heard time.Duration // when the terminate was first received; 0: never
}

func (r result) String() string {
	return fmt.Sprintf("%s %s by %q of %s (%s); the platform did [%s] of [%s]",
		r.State, r.Outcome, r.Action, r.From, r.Why, r.done, r.tried)
}

// judge says what is wrong with what became of a call, compared with what became of it in good order.
func (s script) judge(want, got result) string {
	from, outcome := caller, want.Outcome
	if s.impostor > 0 && s.impostor < s.connects[0] {
		from = vip
	}
	overtaken := got.heard > 0 && got.heard < s.first()
	if got.heard == 0 && want.Outcome == engine.Answered && want.Why == "" && s.payload != "greet" {
		outcome = engine.Reaped // nobody told that it was over
	}
	switch {
	case incomplete(got.Call) != "":
		return incomplete(got.Call)
	case overtaken && (got.tried != "" || got.Outcome != engine.Abandoned):
		return "its end came before its beginning, and something was done about it"
	case !overtaken && got.From != from:
		return "the second connect won"
	case got.Outcome != outcome:
		return fmt.Sprintf("the outcome is not %s", outcome)
	case got.Outcome != engine.Abandoned && got.Action != want.Action:
		return "the action differs"
	case got.done != want.done:
		return "the platform did something else"
	case got.CallerEnd != nil && got.CallerEnd.At.Sub(got.began) != got.heard:
		return fmt.Sprintf("a repeated terminate changed the end, to %v", got.CallerEnd.At.Sub(got.began))
	}
	return ""
}

// differing counts the connects that came with another caller while the call was in hand.
func (s script) differing(r result) int {
	if r.Action == "" { // only its end was received
		return 0
	}
	n, end := 0, r.EndedAt.Sub(r.began)
	if s.impostor > s.connects[0] && s.impostor < end {
		n++
	}
	if 0 < s.impostor && s.impostor < s.connects[0] {
		for _, at := range s.connects {
			if at < end {
				n++
			}
		}
	}
	return n
}

// deliver lets calls happen and their webhooks arrive, and reads what became of them two minutes later.
func deliver(t *rapid.T, file *rules.File, scripts []script) *webhooks {
	w := &webhooks{
		platform: newPlatform(), scripts: scripts, tried: map[string][]string{},
		heard: map[string]time.Duration{},
	}
	w.p, w.start = newProof(t, file, w), time.Now()
	if _, err := w.p.agent("ana", w.work); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, s := range scripts {
		w.play(t, s, &all)
	}
	all.Wait()
	pass(2 * time.Minute) // the sweep ends whose terminate was lost
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range scripts {
		c, err := w.p.store.Get(context.Background(), engine.Key(s.id))
		if err != nil {
			t.Fatalf("the record of %v: %v", s, err)
		}
		w.results = append(w.results, result{
			Call: c, done: strings.Join(w.actions(s.id), " "), tried: strings.Join(w.tried[s.id], " "),
			heard: w.heard[s.id], began: w.start,
		})
	}
	return w
}

// play lets one call begin and end, and its webhooks arrive.
func (w *webhooks) play(t *rapid.T, s script, all *sync.WaitGroup) {
	at := func(when time.Duration, what func()) {
		all.Go(func() {
			pass(when - time.Since(w.start))
			what()
		})
	}
	receive := func(err error) {
		if err != nil {
			t.Errorf("a webhook of %v: %v", s, err)
		}
	}
	at(s.begins-time.Millisecond, func() { w.ring(s.id) })
	for _, when := range s.connects {
		at(when, func() { receive(w.p.connect(s.id, caller, s.payload)) })
	}
	if s.impostor > 0 {
		at(s.impostor, func() { receive(w.p.connect(s.id, vip, s.payload)) })
	}
	at(s.ends, func() {
		picked := w.leave(s.id)
		for i, late := range s.ended {
			all.Go(func() {
				pass(late)
				if i == 0 {
					w.mu.Lock()
					w.heard[s.id] = time.Since(w.start)
					w.mu.Unlock()
				}
				receive(w.p.terminate(s.id, picked))
			})
		}
	})
}

// leave ends a call on the caller's side, unless it is over, and reports whether it was picked up.
func (w *webhooks) leave(id string) (picked bool) {
	picked = slices.Contains(w.actions(id), "accept")
	w.end(id)
	return picked
}

// work is what the agent does with an offer, as the script says.
func (w *webhooks) work(o engine.OfferedCall) {
	s := w.scripts[slices.IndexFunc(w.scripts, func(s script) bool { return s.id == o.Call.ID })]
	pass(s.pickUp)
	ctx := context.Background()
	if s.declines {
		_ = w.p.e.Decline(ctx, "ana", o.Offer.ID) // it may have rung out
	} else {
		_ = w.p.e.Answer(ctx, "ana", o.Offer.ID, "answer of ana")
	}
}

// ask notes what the platform is asked for.
func (w *webhooks) ask(action, id string, do func() error) error {
	w.mu.Lock()
	w.tried[id] = append(w.tried[id], action)
	if heard, ok := w.heard[id]; ok && heard < time.Since(w.start) {
		w.late = append(w.late, action+" of "+id)
	}
	w.mu.Unlock()
	return do()
}

func (w *webhooks) Accept(ctx context.Context, number, id, sdp string) error {
	return w.ask("accept", id, func() error { return w.platform.Accept(ctx, number, id, sdp) })
}

func (w *webhooks) Reject(ctx context.Context, number, id string) error {
	return w.ask("reject", id, func() error { return w.platform.Reject(ctx, number, id) })
}

func (w *webhooks) HangUp(ctx context.Context, number, id string) error {
	return w.ask("hang-up", id, func() error { return w.platform.HangUp(ctx, number, id) })
}
