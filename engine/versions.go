package engine

import (
	"context"
	"slices"
	"time"

	"callrouter/rules"
)

const (
	// lingering is how long rules that were replaced stay in memory although no call here has them: a call of another
	// instance may have, and be taken over. No call rings as long.
	lingering = 2 * time.Minute
	// maxVersions is how many versions stay in memory at once, however often the rules are loaded.
	maxVersions = 16
)

// inForce is a version of the rules that decides new calls, or did.
type inForce struct {
	*rules.File
	until time.Duration // the uptime at which it was replaced, of all but the last
}

// SetRules makes f the file that decides new calls. Calls in hand keep theirs.
func (e *Engine) SetRules(f *rules.File) {
	e.setRules(f)
	e.background(e.keepVersionSoon)
}

func (e *Engine) setRules(f *rules.File) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.versions); n > 0 {
		e.versions[n-1].until = e.uptime()
	}
	e.versions = append(e.versions, inForce{File: f})
	if len(e.versions) > maxVersions {
		e.versions = slices.Delete(e.versions, 0, 1)
	}
	e.current.Store(f)
}

// Rules returns the file that decides new calls.
func (e *Engine) Rules() *rules.File { return e.current.Load() }

// version returns a recently active rules file by its version.
func (e *Engine) version(v string) (*rules.File, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.versions {
		if f.Version() == v {
			return f.File, true
		}
	}
	return nil, false
}

// forgetVersions frees versions that were replaced a while ago and that no call in hand has: each may hold a list of a
// million numbers.
func (e *Engine) forgetVersions() {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.uptime()
	if len(e.versions) == 1 {
		return
	}
	used := map[*rules.File]bool{}
	for _, r := range e.runners {
		used[r.f] = true
	}
	e.versions = slices.DeleteFunc(e.versions, func(f inForce) bool {
		return f.File != e.current.Load() && now-f.until > lingering && !used[f.File]
	})
}

// keepVersionSoon is KeepVersion outside of its turn.
func (e *Engine) keepVersionSoon(ctx context.Context) {
	if err := e.KeepVersion(ctx); err != nil && ctx.Err() == nil {
		e.report(
			"versions",
			"cannot keep the rules in force for later questions about calls; an hourly job retries",
			err,
		)
	}
}
