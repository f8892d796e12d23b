package router

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callrouter/cmd/callrouter/internal/metrics"
	"callrouter/console"
	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/media"
	"callrouter/rules"
	"callrouter/store"
)

// takes is a platform that takes everything.
type takes struct{}

func (takes) Accept(context.Context, string, string, string) error   { return nil }
func (takes) Reject(context.Context, string, string) error           { return nil }
func (takes) HangUp(context.Context, string, string) error           { return nil }
func (takes) SendText(context.Context, string, string, string) error { return nil }

const ruleText = `version: 1
timezone: America/Sao_Paulo
numbers: {main: {phone: "+55 11 2236-1741", positus_id: n-1}}
lists: {known: {file: known.txt}}
rules:
  - {name: %s, when: 'caller.country == "BR" or listed("known")', then: reject}
default: reject
tests:
  - {name: decides, call: {from: "+55 21 97777-6666", at: "2026-11-24 10:00"}, expect: {rule: %s}}
`

func goodRules(n int) string { return strings.ReplaceAll(ruleText, "%s", fmt.Sprintf("rule %d", n)) }

// keeperInFolder is a keeper over a rules file in a folder of its own, with an engine behind it.
func keeperInFolder(t *testing.T) (*keeper, *metrics.Metrics, *engine.Engine, engine.Store) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "known.txt"), "+55 11 98888-7777\n")
	path := filepath.Join(dir, "rules.yaml")
	write(t, path, goodRules(0))
	f, problems := rules.Load(path)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	s, err := store.Open(t.Context(), filepath.Join(dir, "calls.db"), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	audio, err := media.New(media.Config{Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	m, log := metrics.New(), slog.New(slog.DiscardHandler)
	e := engine.New(
		engine.Config{
			Store:    s,
			Provider: takes{},
			Media:    audio,
			Answerer: media.NewAnswerer(log),
			Rules:    f,
			Log:      log,
			Observer: m,
		},
	)
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return newKeeper(f, e, m, newCrashPoints(), log, 24*time.Hour), m, e, s
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Under load, with every second file a bad one, every call is decided by a good version, and by the rule of that
// version.
func TestReloadsUnderLoad(t *testing.T) {
	k, _, e, s := keeperInFolder(t)
	reloads := testrun.Pick(200, 2000, 2000)
	good := sync.Map{}
	good.Store(k.Status().Version, "rule 0")
	bad := []string{"", "rules: [", strings.Replace(goodRules(1), "version: 1", "version: 9", 1),
		strings.Replace(goodRules(2), "expect: {rule: rule 2}", "expect: {rule: other}", 1), // its own test fails
		strings.Replace(goodRules(3), "known.txt", "missing.txt", 1), goodRules(4)[:200]}
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var placed atomic.Int64
	for w := range 2 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("call-%d-%d", w, i)
				err := e.Receive(
					context.Background(),
					[]engine.Event{
						{Connect: &engine.Connect{CallID: id, From: "5521977776666", To: "551122361741", SDP: "v=0"}},
					},
				)
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
				placed.Add(1)
			}
		})
	}
	refused := 0
	for i := 1; i <= reloads; i++ {
		text := bad[i%len(bad)]
		if i%2 == 0 {
			text = goodRules(i)
		}
		write(t, k.path, text)
		if i%2 == 0 { // known before any call can be decided by it
			f, problems := rules.Load(k.path)
			if problems.HasErrors() {
				t.Fatal(problems)
			}
			good.Store(f.Version(), fmt.Sprintf("rule %d", i))
		}
		_, problems, err := k.Reload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if problems.HasErrors() {
			refused++
		}
	}
	cancel()
	load.Wait()
	if refused != reloads/2 {
		t.Errorf("%d of %d files were refused, want half", refused, reloads)
	}
	if err := e.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	calls, err := s.List(t.Context(), engine.Filter{Limit: int(placed.Load())})
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]int{}
	for _, c := range calls {
		rule, ok := good.Load(c.RulesVersion)
		if !ok || rule != c.Rule {
			t.Fatalf(
				"a call was decided by rule %q of version %q, which is no good one (%v)",
				c.Rule,
				c.RulesVersion,
				rule,
			)
		}
		versions[c.RulesVersion]++
	}
	if int64(len(calls)) != placed.Load() || len(versions) < 10 {
		t.Errorf("%d of %d calls recorded, by %d versions", len(calls), placed.Load(), len(versions))
	}
	t.Logf("%d reloads, %d refused, %d calls decided by %d versions", reloads, refused, len(calls), len(versions))
}

// A change is noticed by itself, however the file is changed.
func TestChangesAreNoticed(t *testing.T) {
	t.Parallel()
	k, m, _, _ := keeperInFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { k.Watch(ctx) })
	defer watch.Wait()
	defer cancel()
	dir := filepath.Dir(k.path)
	for i, change := range []struct {
		name string
		do   func(text string)
	}{
		{"written in place", func(text string) { write(t, k.path, text) }},
		{"renamed over", func(text string) {
			write(t, filepath.Join(dir, ".rules.swp"), text)
			rename(t, filepath.Join(dir, ".rules.swp"), k.path)
		}},
		{"deleted and made again", func(text string) {
			if err := os.Remove(k.path); err != nil {
				t.Fatal(err)
			}
			write(t, k.path, text)
		}},
		{"a mount that swaps a link", func(text string) {
			for j, target := range []string{goodRules(999), text} {
				folder := filepath.Join(dir, fmt.Sprintf("..data_%d", j))
				if err := os.Mkdir(folder, 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(folder, "rules.yaml"), target)
				link := filepath.Join(dir, "..data_tmp")
				if err := os.Symlink(filepath.Base(folder), link); err != nil {
					t.Fatal(err)
				}
				rename(t, link, filepath.Join(dir, "..data"))
				if j == 0 {
					if err := os.Remove(k.path); err != nil {
						t.Fatal(err)
					}
					if err := os.Symlink(filepath.Join("..data", "rules.yaml"), k.path); err != nil {
						t.Fatal(err)
					}
				}
			}
		}},
		{"a list that it names", func(string) { write(t, filepath.Join(dir, "known.txt"), "+55 11 98888-0000\n") }},
	} {
		before := k.Status().Version
		change.do(goodRules(100 + i))
		eventually(t, change.name+" is noticed", func() bool { return k.Status().Version != before })
	}
	version := k.Status().Version
	write(t, k.path, "rules: [")
	eventually(t, "a bad file is refused", func() bool {
		return gauge(t, m, "callrouter_rules_last_reload_successful") == 0 && k.Status().LastRefusal != nil
	})
	if k.Status().Version != version {
		t.Error("a bad file replaced a good one")
	}
	write(t, k.path, goodRules(200))
	eventually(t, "the mended file is loaded", func() bool { return k.Status().Version != version })
	if got := gauge(t, m, "callrouter_rules_last_reload_successful"); got != 1 {
		t.Errorf("the metric says %v after the mended file", got)
	}
}

// TestOtherFilesCauseNoReload: the store beside the rules is written with each call, and the rules are not loaded again
// for it, nor for a file of the same content, nor at the start.
func TestOtherFilesCauseNoReload(t *testing.T) {
	t.Parallel()
	k, _, _, s := keeperInFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { k.Watch(ctx) })
	defer watch.Wait()
	defer cancel()
	loads := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.loads
	}
	dir := filepath.Dir(k.path)
	ended := time.After(4 * settle)
	for i := 0; ; i++ {
		id := fmt.Sprint("call ", i)
		if _, err := s.Insert(t.Context(), &engine.Call{ID: id, State: engine.Ended, ReceivedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "other.tmp"), id)
		rename(t, filepath.Join(dir, "other.tmp"), filepath.Join(dir, "other"))
		write(t, k.path, goodRules(0))
		select {
		case <-ended:
		default:
			continue
		}
		break
	}
	if n := loads(); n != 0 {
		t.Errorf("the rules were loaded %d times", n)
	}
	before := k.Status().Version
	write(t, k.path, goodRules(1))
	eventually(t, "a change is noticed beside a store that is written", func() bool {
		_, _ = s.Insert(
			t.Context(),
			&engine.Call{ID: fmt.Sprint(time.Now().UnixNano()), State: engine.Ended, ReceivedAt: time.Now()},
		)
		return k.Status().Version != before
	})
	if n := loads(); n != 1 {
		t.Errorf("the rules were loaded %d times for one change", n)
	}
}

// TestStatusDoesNotWaitForAReload: whoever asks which rules are in force hears it while a reload takes its time.
func TestStatusDoesNotWaitForAReload(t *testing.T) {
	k, _, _, _ := keeperInFolder(t)
	k.reloading.Lock() // as a reload does, with the file's tests in it
	status := make(chan console.RulesStatus, 1)
	go func() { status <- k.Status() }()
	select {
	case <-status:
	case <-time.After(5 * time.Second):
		t.Error("the status waits for the reload")
	}
	k.reloading.Unlock()
}

// What the watch does not see is found by the job that looks.
func TestLookFindsWhatTheWatchMissed(t *testing.T) {
	k, _, _, _ := keeperInFolder(t)
	before := k.Status().Version
	if err := k.Look(t.Context()); err != nil || k.Status().Version != before {
		t.Fatalf("without a change: %v", err)
	}
	write(t, k.path, goodRules(7)+"\n")
	if err := k.Look(t.Context()); err != nil || k.Status().Version == before {
		t.Errorf("the change was not found: %v", err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func gauge(t *testing.T, m *metrics.Metrics, name string) float64 {
	t.Helper()
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestAnEmptiedListIsWarnedOf: a download that failed leaves an empty file behind, and nobody is on the list any more.
func TestAnEmptiedListIsWarnedOf(t *testing.T) {
	k, _, _, _ := keeperInFolder(t)
	var log logLines
	k.log = slog.New(slog.NewTextHandler(&log, nil))
	known := filepath.Join(filepath.Dir(k.path), "known.txt")
	for _, step := range []struct {
		text   string
		warned int
	}{
		{"+55 11 98888-0000\n+55 11 98888-0001\n", 0}, {"+55 11 98888-0000\n", 0}, {"", 1}, {"# none\n", 1},
		{"+55 11 98888-0000\n", 1}, {"# none\n", 2},
	} {
		write(t, known, step.text)
		if _, problems, err := k.Reload(t.Context()); err != nil || problems.HasErrors() {
			t.Fatal(problems, err)
		}
		if got := strings.Count(log.String(), "a list lost all of its entries"); got != step.warned {
			t.Errorf("after %q: warned %d times, want %d\n%s", step.text, got, step.warned, &log)
		}
	}
	if !strings.Contains(log.String(), "list=known entries_before=1") {
		t.Error(log.String())
	}
}
