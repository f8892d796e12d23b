//go:build crashpoints

package router

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"callrouter/engine"
)

// crashPoints are the moments before and after every step that others can see: a write to the store, a request to
// Positus, the answer to a webhook. A program built with the tag crashpoints can die at each of them as a power failure
// would have it, for the tests that prove that nothing is lost whenever that happens. Two variables of the environment
// rule it:
//
//	CALLROUTER_CRASH_LOG=FILE   the name of each point is appended to FILE as it is reached
//	CALLROUTER_CRASH_AT=NAME    the process kills itself at that point; a number n is the n-th point it reaches
//
// A name says what is done, and of a change of a record which one, so that it is the same in every run:
// "reject.before", "update deciding→rejecting.after". When a name comes again in the same process, "#2" and so on is
// put behind it.
type crashPoints struct {
	at  string
	log *os.File // may be nil

	mu   sync.Mutex
	seen map[string]int
	all  int
}

func newCrashPoints() *crashPoints {
	c := &crashPoints{at: os.Getenv("CALLROUTER_CRASH_AT"), seen: map[string]int{}}
	if path := os.Getenv("CALLROUTER_CRASH_LOG"); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(fmt.Sprintf("CALLROUTER_CRASH_LOG: %v; name a file that can be written", err))
		}
		c.log = f
	}
	return c
}

// reach notes a point, and does not return from the one where the process dies. Other goroutines wait at their
// own points meanwhile.
func (c *crashPoints) reach(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all++
	c.seen[name]++
	if n := c.seen[name]; n > 1 {
		name += "#" + strconv.Itoa(n)
	}
	if c.log != nil {
		if _, err := fmt.Fprintln(c.log, name); err != nil {
			panic(fmt.Sprintf("CALLROUTER_CRASH_LOG: %v", err))
		}
	}
	if c.at == name || c.at == strconv.Itoa(c.all) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// around runs a step between its two points.
func (c *crashPoints) around(name string, step func() error) error {
	c.reach(name + ".before")
	err := step()
	c.reach(name + ".after")
	return err
}

func (c *crashPoints) store(s engine.Store) engine.Store { return &crashingStore{s, c} }

func (c *crashPoints) provider(p engine.Provider) engine.Provider { return &crashingProvider{p, c} }

// crashingStore has points around the writes of a call's life.
type crashingStore struct {
	engine.Store
	points *crashPoints
}

// Insert is part of [engine.Calls].
func (s *crashingStore) Insert(ctx context.Context, c *engine.Call) (existing *engine.Call, err error) {
	err = s.points.around("insert "+string(c.State), func() error {
		existing, err = s.Store.Insert(ctx, c)
		return err
	})
	return existing, err
}

// Update is part of [engine.Calls]. Behind one that was refused there is no point: nothing was done.
func (s *crashingStore) Update(ctx context.Context, old, next *engine.Call) (*engine.Call, error) {
	name := "update " + transition(old, next)
	s.points.reach(name + ".before")
	c, err := s.Store.Update(ctx, old, next)
	if err == nil {
		s.points.reach(name + ".after")
	}
	return c, err
}

// Reassert is part of [engine.Calls].
func (s *crashingStore) Reassert(ctx context.Context, c *engine.Call) error {
	return s.points.around("reassert "+string(c.State), func() error { return s.Store.Reassert(ctx, c) })
}

// Missed is part of [engine.Agents].
func (s *crashingStore) Missed(ctx context.Context, agent, offer string, limit int, reason string) (n int, err error) {
	err = s.points.around("missed", func() error {
		n, err = s.Store.Missed(ctx, agent, offer, limit, reason)
		return err
	})
	return n, err
}

// Answered is part of [engine.Agents].
func (s *crashingStore) Answered(ctx context.Context, agent string) error {
	return s.points.around("answered", func() error { return s.Store.Answered(ctx, agent) })
}

// Once is part of [engine.Limits].
func (s *crashingStore) Once(ctx context.Context, key string, every time.Duration) (first bool, err error) {
	err = s.points.around("once", func() error {
		first, err = s.Store.Once(ctx, key, every)
		return err
	})
	return first, err
}

// transition names a change of a record by its states, and by what else makes it another change than those with the
// same states.
func transition(old, next *engine.Call) string {
	name := string(old.State) + "→" + string(next.State)
	if old.State != next.State && next.State == engine.Ended {
		name += " " + string(next.Outcome)
	}
	if old.Owner != next.Owner {
		name += ", taken over"
	}
	var offers []string
	for i, o := range next.Offers {
		switch {
		case i >= len(old.Offers):
			offers = append(offers, ", rings")
		case o.Result != old.Offers[i].Result:
			offers = append(offers, ", "+string(o.Result))
		}
	}
	slices.Sort(offers) // who of several was faster is another one each time
	name += strings.Join(offers, "")
	if next.HangUp != nil && (old.HangUp == nil || old.HangUp.Attempts != next.HangUp.Attempts) {
		name += ", hang-up wanted"
	}
	if old.CallerEnd == nil && next.CallerEnd != nil {
		name += ", caller gone"
	}
	if m := next.Message; m != nil && old.Message != nil && *m != *old.Message {
		name += ", message"
	}
	return name
}

// crashingProvider has points around the requests to Positus.
type crashingProvider struct {
	engine.Provider
	points *crashPoints
}

// Accept is part of [engine.Provider].
func (p *crashingProvider) Accept(ctx context.Context, numberID, callID, sdp string) error {
	return p.points.around("accept", func() error { return p.Provider.Accept(ctx, numberID, callID, sdp) })
}

// Reject is part of [engine.Provider].
func (p *crashingProvider) Reject(ctx context.Context, numberID, callID string) error {
	return p.points.around("reject", func() error { return p.Provider.Reject(ctx, numberID, callID) })
}

// HangUp is part of [engine.Provider].
func (p *crashingProvider) HangUp(ctx context.Context, numberID, callID string) error {
	return p.points.around("hang-up", func() error { return p.Provider.HangUp(ctx, numberID, callID) })
}

// SendText is part of [engine.Provider].
func (p *crashingProvider) SendText(ctx context.Context, numberID, to, text string) error {
	return p.points.around("message", func() error { return p.Provider.SendText(ctx, numberID, to, text) })
}

// reload has points around the swap of the rules file.
func (c *crashPoints) reload(take func()) {
	_ = c.around("reload", func() error { take(); return nil }) // there is no error in it
}

// webhooks has three points: the webhook has arrived and nothing was done, all is done that is done before the answer,
// and the answer is with the sender.
func (c *crashPoints) webhooks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		name := "webhook connect"
		if bytes.Contains(body, []byte(`"terminate"`)) {
			name = "webhook terminate"
		}
		c.reach(name + ".read")
		next.ServeHTTP(&crashingWriter{w, func() { c.reach(name + ".received") }}, r)
		if err := http.NewResponseController(w).Flush(); err == nil {
			c.reach(name + ".answered")
		}
	})
}

// crashingWriter calls a function before the response is written.
type crashingWriter struct {
	http.ResponseWriter
	before func()
}

// WriteHeader is part of [http.ResponseWriter].
func (w *crashingWriter) WriteHeader(status int) {
	w.before()
	if status == http.StatusOK {
		w.Header().Set("Content-Length", "0") // so that the answer is whole once it is flushed
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *crashingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
