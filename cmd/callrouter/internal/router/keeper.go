package router

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
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

// settle is how long the folder must be quiet before a change is read, because editors write in several steps.
const settle = 150 * time.Millisecond

// keeper keeps the engine's rules equal to the file. All that can fail happens first: reading, checking, the file's
// own tests. Then the engine gets the new file in one step. A bad file is reported, and the rules in force stay.
type keeper struct {
	path    string
	engine  *engine.Engine
	metrics *metrics.Metrics
	crash   *crashPoints
	log     *slog.Logger
	keeps   time.Duration // how long records are kept

	reloading sync.Mutex // one reload at a time: it runs the file's tests, and may take long

	mu     sync.Mutex // of what follows, and never held over a reload
	status console.RulesStatus
	file   *rules.File       // in force
	bad    bool              // the file as it is now was refused
	loads  int               // how often the file was loaded
	seen   map[string]string // of every file it is made of, what was last seen of it
}

func newKeeper(
	f *rules.File, e *engine.Engine, m *metrics.Metrics, crash *crashPoints, log *slog.Logger, keeps time.Duration,
) *keeper {
	k := &keeper{path: f.Path(), engine: e, metrics: m, crash: crash, log: log, keeps: keeps}
	k.status = console.RulesStatus{Version: f.Version(), LoadedAt: time.Now()}
	k.file, k.seen = f, looks(f.Paths())
	m.RulesLoaded(f.Version(), k.status.LoadedAt)
	k.warnOfHistory(f)
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
	k.reloading.Lock()
	defer k.reloading.Unlock()
	status, problems, changed := k.load()
	if !changed {
		return status, problems, nil
	}
	if err := k.engine.RefreshOverrides(ctx); err != nil {
		return status, problems, fmt.Errorf("the new rules are in force, but their switches and lists could not be read; "+
			"calls use those read before, and a job retries every 2 s: %w", err)
	}
	return status, problems, nil
}

// load reads the file, and makes it the one in force if it is good and not so already.
func (k *keeper) load() (status console.RulesStatus, problems rules.Problems, changed bool) {
	f, problems := LoadRules(k.path)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loads++
	if problems.HasErrors() {
		k.refuse(problems)
		return k.status, problems, false
	}
	before := k.file
	k.file, k.seen = f, looks(f.Paths())
	if k.bad {
		k.log.Info("the rules file is valid again; its rules are in force", "file", k.path, "version", f.Version())
	}
	k.bad, k.status.LastRefusal = false, nil
	if f.Version() == k.status.Version {
		k.metrics.RulesConfirmed()
		return k.status, problems, false
	}
	k.crash.reload(func() { k.engine.SetRules(f) })
	k.status.Version, k.status.LoadedAt = f.Version(), time.Now()
	k.metrics.RulesLoaded(f.Version(), k.status.LoadedAt)
	k.warnOfHistory(f)
	k.warnOfEmptied(before, f)
	k.log.Info("rules loaded", "file", k.path, "version", f.Version(), "rules", len(f.RuleNames()))
	return k.status, problems, true
}

// warnOfHistory warns of conditions that look back further than records reach.
func (k *keeper) warnOfHistory(f *rules.File) {
	if longest := f.LongestHistory(); longest > k.keeps {
		k.log.Warn("calls() looks back further than records are kept, so it counts too few calls; "+
			"lengthen --retention or look back less far",
			"file", k.path, "calls", longest.String(), "retention", k.keeps.String())
	}
}

// warnOfEmptied warns of lists that lost everything, as when a download of a list file failed.
func (k *keeper) warnOfEmptied(before, f *rules.File) {
	had := map[string]int{}
	for _, l := range before.Lists() {
		had[l.Name] = l.Size
	}
	for _, l := range f.Lists() {
		if n := had[l.Name]; n > 0 && l.Size == 0 && !l.Store {
			k.log.Warn("a list lost all of its entries, so nobody is on it by the file; if that is not meant, restore its file",
				"list", l.Name, "entries_before", n, "file", k.path, "version", f.Version())
		}
	}
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
	k.log.Error("the rules file was refused; the previous rules stay in force; run callrouter check",
		"file", k.path, "errors", errorsIn(problems), "first", problems[0].Message, "line", problems[0].Line,
		"version", k.status.Version)
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
	seen, changed := k.seen, k.bad // the map is replaced, and never changed
	k.mu.Unlock()
	if !changed && maps.Equal(seen, looks(slices.Collect(maps.Keys(seen)))) {
		return nil
	}
	return k.compare(ctx)
}

// compare loads the file if anything in it, or in what it names, is not as it was loaded.
func (k *keeper) compare(ctx context.Context) error {
	k.mu.Lock()
	file, bad, seen := k.file, k.bad, k.seen
	k.mu.Unlock()
	now := looks(file.Paths())
	if !bad && file.Unchanged(func(path string) bool { return now[path] != seen[path] }) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.file == file {
			k.seen = now
		}
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

// Watch reads the rules again when a file that they are made of changes, until ctx ends. It watches folders, since
// editors and mounts replace files, and the folders that links lead to. Other files of these folders, such as the
// store, may be written all the time.
func (k *keeper) Watch(ctx context.Context) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		k.log.Warn("cannot watch the rules file for changes; reading it every 10 s instead", "error", err)
		return
	}
	defer w.Close()
	names := k.watchFolders(w)
	timer := time.NewTimer(0) // what changed before the watch began
	armed := true
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-w.Errors:
			k.log.Warn("a change of the rules file may go unseen by the watch; it is read every 10 s too", "error", err)
		case ev := <-w.Events:
			switch {
			case ev.Op == fsnotify.Chmod: // reading a file changes its attributes too
			case names[ev.Name]:
				timer.Reset(settle)
				armed = true
			case ev.Op&^(fsnotify.Write|fsnotify.Chmod) != 0 && !armed: // a link on the way to the rules may be another now
				timer.Reset(settle)
				armed = true
			}
		case <-timer.C:
			armed = false
			if err := k.compare(ctx); err != nil {
				k.log.Warn("the rules were not reloaded in full", "error", err)
			}
			names = k.watchFolders(w)
		}
	}
}

// watchFolders watches the folders of all files, and returns the names under which the watch reports them.
func (k *keeper) watchFolders(w *fsnotify.Watcher) (names map[string]bool) {
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
	names = map[string]bool{}
	for _, p := range paths {
		folder := filepath.Dir(p)
		names[filepath.Join(folder, filepath.Base(p))] = true
		if slices.Contains(w.WatchList(), folder) {
			continue
		}
		if err := w.Add(folder); err != nil {
			k.log.Warn(
				"cannot watch a folder of the rules file; reading it every 10 s instead",
				"folder",
				folder,
				"error",
				err,
			)
		}
	}
	return names
}
