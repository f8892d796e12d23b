package router

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"callrouter/cmd/callrouter/internal/metrics"
	"callrouter/console"
	"callrouter/engine"
	"callrouter/rules"

	"github.com/fsnotify/fsnotify"
)

// settle is how long the folder must be quiet before a change is read: editors write in several steps.
const settle = 150 * time.Millisecond

// keeper keeps the engine's rules equal to the file. All that can fail happens first: reading, checking, the file's
// own tests. Then the engine gets the new file in one step. A bad file changes nothing but what is told about it.
type keeper struct {
	path    string
	engine  *engine.Engine
	metrics *metrics.Metrics
	crash   *crashPoints
	log     *slog.Logger

	mu     sync.Mutex
	status console.RulesStatus
	bad    bool              // the file as it is now was refused
	seen   map[string]string // of every file it is made of, what was last seen of it
}

func newKeeper(f *rules.File, e *engine.Engine, m *metrics.Metrics, crash *crashPoints, log *slog.Logger) *keeper {
	k := &keeper{path: f.Path(), engine: e, metrics: m, crash: crash, log: log}
	k.status = console.RulesStatus{Version: f.Version(), LoadedAt: time.Now()}
	k.seen = looks(f.Paths())
	m.RulesLoaded(f.Version(), k.status.LoadedAt)
	return k
}

// Status implements [console.RulesControl].
func (k *keeper) Status() console.RulesStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

// Reload implements [console.RulesControl].
func (k *keeper) Reload(ctx context.Context) (console.RulesStatus, rules.Problems, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, problems := LoadRules(k.path)
	if problems.HasErrors() {
		k.refuse(problems)
		return k.status, problems, nil
	}
	k.seen = looks(f.Paths())
	if k.bad {
		k.log.Info("the rules file is good again", "file", k.path, "version", f.Version())
	}
	k.bad, k.status.LastRefusal = false, nil
	if f.Version() == k.status.Version {
		k.metrics.RulesConfirmed()
		return k.status, problems, nil
	}
	k.crash.reload(func() { k.engine.SetRules(f) })
	k.status.Version, k.status.LoadedAt = f.Version(), time.Now()
	k.metrics.RulesLoaded(f.Version(), k.status.LoadedAt)
	k.log.Info("rules loaded", "file", k.path, "version", f.Version(), "rules", len(f.RuleNames()))
	return k.status, problems, k.engine.RefreshOverrides(ctx)
}

// refuse tells once what is wrong.
func (k *keeper) refuse(problems rules.Problems) {
	again := k.bad && k.status.LastRefusal != nil && slices.Equal(k.status.LastRefusal.Problems, problems)
	k.bad = true
	k.metrics.RulesRefused()
	if again {
		return
	}
	k.metrics.Error("rules_refused")
	k.status.LastRefusal = &console.Refusal{At: time.Now(), Problems: problems}
	k.log.Error("the rules file was refused, the one before stays in force", "file", k.path, "errors", errorsIn(problems),
		"first", problems[0].Message, "line", problems[0].Line, "version", k.status.Version)
}

func errorsIn(problems rules.Problems) (n int) {
	for _, p := range problems {
		if p.Severity == rules.Error {
			n++
		}
	}
	return n
}

// LoadRules is [rules.Load] for a router, which must be able to act on calls: it needs the positus_id of every number.
func LoadRules(path string) (*rules.File, rules.Problems) {
	f, problems := rules.Load(path)
	if problems.HasErrors() {
		return nil, problems
	}
	return f, append(problems, f.ForService()...)
}

// Look reads the rules again if a file they are made of looks different, or while the file is refused. It is a job, for
// what the watch cannot see.
func (k *keeper) Look(ctx context.Context) error {
	k.mu.Lock()
	paths := make([]string, 0, len(k.seen))
	for p := range k.seen {
		paths = append(paths, p)
	}
	changed := k.bad
	for p, look := range looks(paths) {
		changed = changed || look != k.seen[p]
	}
	k.mu.Unlock()
	if !changed {
		return nil
	}
	_, _, err := k.Reload(ctx)
	return err
}

// looks says of each file what a change would change.
func looks(paths []string) map[string]string {
	m := make(map[string]string, len(paths))
	for _, p := range paths {
		m[p] = "missing"
		if info, err := os.Stat(p); err == nil {
			m[p] = fmt.Sprint(info.ModTime(), info.Mode(), info.Size())
		}
	}
	return m
}

// Watch reads the rules again when something changes in a folder of theirs, until ctx ends. It watches folders, since
// editors and mounts replace files, and the folders that links lead to.
func (k *keeper) Watch(ctx context.Context) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		k.log.Warn("changes of the rules file are only looked for now and then", "error", err)
		return
	}
	defer w.Close()
	k.watchFolders(w)
	timer := time.NewTimer(0) // what changed before the watch began
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-w.Errors:
			k.log.Warn("watching the rules file", "error", err)
		case ev := <-w.Events:
			if ev.Op != fsnotify.Chmod { // reading a file changes its attributes too
				timer.Reset(settle)
			}
		case <-timer.C:
			if _, _, err := k.Reload(ctx); err != nil {
				k.log.Warn("after the reload", "error", err)
			}
			k.watchFolders(w)
		}
	}
}

func (k *keeper) watchFolders(w *fsnotify.Watcher) {
	k.mu.Lock()
	paths := []string{k.path}
	for p := range k.seen {
		paths = append(paths, p)
	}
	k.mu.Unlock()
	for _, p := range paths {
		if real, err := filepath.EvalSymlinks(p); err == nil && real != p {
			paths = append(paths, real)
		}
	}
	for _, p := range paths {
		folder := filepath.Dir(p)
		if slices.Contains(w.WatchList(), folder) {
			continue
		}
		if err := w.Add(folder); err != nil {
			k.log.Warn("a folder of the rules cannot be watched; it is looked at now and then", "folder", folder, "error", err)
		}
	}
}
