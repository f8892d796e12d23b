package engine_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"callrouter/engine"
	"callrouter/rules"
)

// manyRules is a file of n rules that no call of the tests meets, then four that read the clock, a list, a queue, and
// the caller.
func manyRules(n int) string {
	var b strings.Builder
	b.WriteString(header + "rules:\n")
	for i := range n {
		fmt.Fprintf(
			&b,
			"  - {name: campaign %d, when: 'payload == \"c%d\" and open(\"office\")', then: reject}\n",
			i,
			i,
		)
	}
	b.WriteString(`
  - {name: after hours, when: 'not open("office")', then: reject}
  - {name: partners, when: 'listed("partners")', then: reject}
  - {name: nobody there, when: 'calls("1h") > 99 or free("sales") > 0', then: reject}
  - {name: abroad, when: 'caller.country != "BR"', then: reject}
default: reject
`)
	return b.String()
}

// wantTrace compares what Explain returns for a call with a dry run of the same call.
func (w *world) wantTrace(c *engine.Call, given rules.Given) {
	w.t.Helper()
	call := rules.Call{Caller: rules.NewCaller(c.From, c.UserID, c.Name), Number: c.Number, Payload: c.Payload}
	dry, err := w.file.Simulate(call, c.ReceivedAt, given)
	w.must(err)
	got := w.trace(c)
	if len(got) != len(dry.Trace) {
		w.t.Fatalf("%d rules are told of, the dry run looked at %d", len(got), len(dry.Trace))
	}
	for i, want := range dry.Trace {
		want.At, want.Evaluation = got[i].At, got[i].Evaluation
		if fmt.Sprint(got[i]) != fmt.Sprint(want) {
			w.t.Errorf("rule %d is told of as\n%+v\nand by the dry run as\n%+v", i, got[i], want)
		}
	}
}

// TestWhyIsWhatTheDryRunSays: of a call in the record it is told rule by rule what a dry run of that call says, with
// the rules that decided it, also once others are in force.
func TestWhyIsWhatTheDryRunSays(t *testing.T) {
	inWorld(t, manyRules(50), func(w *world) {
		w.connect("a", caller)
		first := w.want("a", engine.Ended, engine.Rejected, "reject")
		// six calls before: calls("1h") says so, and nobody is free
		for _, id := range []string{"b", "c", "d", "e", "f", "g"} {
			w.connect(id, caller)
			w.call(id)
		}
		w.connect("h", caller)
		later := w.want("h", engine.Ended, engine.Rejected, "reject")
		given := rules.Given{Free: map[string]int{"sales": 0}, Online: map[string]int{"sales": 0}}
		w.wantTrace(first, given)
		given.Calls = 7
		w.wantTrace(later, given)
		w.must(w.store.SetSwitch(w.t.Context(), "office", rules.Switch{
			Until: time.Date(2026, 11, 25, 0, 0, 0, 0, w.file.Location()), // as in a dry run
		}))
		w.must(w.e.RefreshOverrides(w.t.Context()))
		w.connect("s", caller)
		switched := w.want("s", engine.Ended, engine.Rejected, "reject")
		if switched.Rule != "after hours" {
			t.Errorf("decided by %q, want the switch to count", switched.Rule)
		}
		w.wantTrace(switched, rules.Given{Switches: map[string]bool{"office": false}})

		before := map[string]string{}
		for _, c := range []*engine.Call{first, later, switched} {
			before[c.ID] = fmt.Sprint(w.trace(c))
		}
		other := loadRules(t, t.TempDir(), header+"default: reject\n")
		for range 20 { // so many reloads that no process has the old version in memory any more
			w.e.SetRules(other)
		}
		for _, c := range []*engine.Call{first, later, switched} {
			if got := fmt.Sprint(w.trace(c)); got != before[c.ID] {
				t.Errorf("%s: after a reload it is told\n%s\nand before\n%s", c.ID, got, before[c.ID])
			}
		}
	})
}

// TestWhyOfACallThatWentOnWithOtherRules: a router that starts with an edited file finds a call that waits. Why each rule
// held is told by the rules of each evaluation.
func TestWhyOfACallThatWentOnWithOtherRules(t *testing.T) {
	const before = header + `
rules:
  - {name: nobody there, when: 'online("sales") > 5', then: reject}
  - {name: people, then: {handoff: {queue: sales, wait: 15s}}}
default: reject
`
	const after = header + `
rules:
  - {name: closed for good, when: 'calls("1h") > 5', then: reject}
default: reject
`
	inWorld(t, before, func(w *world) {
		w.connect("a", caller)
		first := w.trace(w.want("a", engine.Waiting, "", ""))
		w.stopJobs()
		w.must(w.e.Stop(w.t.Context()))
		w.file = loadRules(t, t.TempDir(), after)
		w.e = w.newEngine()
		w.start(w.e)
		pass(10 * time.Second)
		ended := w.want("a", engine.Ended, engine.Rejected, "reject")
		if ended.RulesVersion != w.file.Version() {
			t.Fatalf("it ended with the rules %s, want those in force now", ended.RulesVersion)
		}
		got := w.trace(ended)
		if len(got) < len(first) {
			t.Fatalf("told: %+v, want at first %+v", got, first)
		}
		for i, want := range first {
			if got[i].Rule != want.Rule || got[i].Evaluation != 1 || fmt.Sprint(got[i].Values) != fmt.Sprint(want.Values) {
				t.Errorf("rule %d is told of as\n%+v\nand before the start as\n%+v", i, got[i], want)
			}
		}
	})
}

// TestVersionThatNobodyCanRead: what the record itself says is told when its version is gone, or damaged, which is
// reported once and not with each call.
func TestVersionThatNobodyCanRead(t *testing.T) {
	const gone, damaged = "0000000000000000", "1111111111111111"
	inWorld(t, manyRules(5), func(w *world) {
		w.connect("a", "15551234567")
		c := *w.want("a", engine.Ended, engine.Rejected, "reject")
		w.must(w.store.PutVersion(w.t.Context(), damaged, []byte("no rules")))
		for _, c.RulesVersion = range []string{gone, damaged, damaged} {
			trace := w.trace(&c)
			if len(trace) == 0 || trace[len(trace)-1].Rule != "abroad" || trace[len(trace)-1].Result != rules.Decided ||
				trace[0].Values == nil {
				t.Errorf("%s: told: %+v", c.RulesVersion, trace)
			}
		}
		if fmt.Sprint(w.observed.errors) != "[versions]" {
			t.Errorf("reported: %v, want the damaged version once", w.observed.errors)
		}
	})
}

// TestRecordIsSmallAtAnyNumberOfRules: what a call writes does not grow with the rules.
func TestRecordIsSmallAtAnyNumberOfRules(t *testing.T) {
	sizes := map[int]int{}
	for _, n := range []int{10, 1_000} {
		inWorld(t, manyRules(n), func(w *world) {
			w.connect("a", caller)
			doc, err := json.Marshal(w.want("a", engine.Ended, engine.Rejected, "reject"))
			w.must(err)
			sizes[n] = len(doc)
		})
	}
	t.Logf("bytes of a record by rules: %v", sizes)
	if sizes[1_000] > 4_000 || sizes[1_000] > sizes[10]+100 {
		t.Errorf("bytes of a record by rules: %v, want at most 4,000, and the same", sizes)
	}
}

// TestOldVersionsAreFreed: rules that were replaced stay as long as a call that began with them, and no longer.
func TestOldVersionsAreFreed(t *testing.T) {
	const hears = header + "default: {accept: greeting}\n"
	inWorld(t, hears, func(w *world) {
		w.media.length = 5 * time.Minute
		reload := func(i int) weak.Pointer[rules.File] {
			f := loadRules(t, t.TempDir(), strings.Replace(hears, "sales:", fmt.Sprintf("sales%d:", i), 1))
			w.e.SetRules(f)
			return weak.Make(f)
		}
		old := reload(0)
		w.connect("a", caller)
		for i := range 4 {
			reload(1 + i)
		}
		freed := func() bool {
			for range 4 { // pools give up what they hold only at the second one
				runtime.GC()
			}
			return old.Value() == nil
		}
		pass(3 * time.Minute)
		if freed() {
			t.Error("the rules of a call that goes on were freed")
		}
		pass(5 * time.Minute)
		if !freed() {
			t.Error("rules that no call has are still in memory")
		}
	})
}
