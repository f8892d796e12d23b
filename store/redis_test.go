package store_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/store"
	"callrouter/store/storetest"
)

// openURL opens a store in Redis and closes it when the test ends.
func openURL(t testing.TB, url string) engine.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url, store.Config{Timeout: 2 * time.Second, Gate: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	_, _, err = s.Beat(t.Context(), "first", time.Hour) // so that the gate of a server that is new opens now
	if err = errors.Join(err, s.Leave(t.Context(), "first")); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRedis(t *testing.T) {
	server := storetest.NewRedis(t)
	storetest.Run(t, func(t *testing.T) engine.Store {
		server.Do("FLUSHALL")
		return openURL(t, server.URL)
	}, storetest.RealClock())
}

// A process of an older version writes due times without owners, and no names of owners. Once a new one has written such
// a call, it is found when its owner is gone.
func TestRedisDueOfOlderVersion(t *testing.T) {
	server := storetest.NewRedis(t)
	s := openURL(t, server.URL)
	old := newCall("old")
	old.Owner, old.Due = "older", time.Now().Add(time.Hour)
	if _, err := s.Insert(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	server.Do("RENAME", "cr1:{callrouter}:due:older", "cr1:{callrouter}:due")
	server.Do("DEL", "cr1:{callrouter}:owners")
	read, err := s.Get(t.Context(), old.Key())
	if err != nil {
		t.Fatal(err)
	}
	next := read.Clone()
	next.Why = "changed"
	if _, err := s.Update(t.Context(), read, next); err != nil {
		t.Fatal(err)
	}
	due, err := s.Due(t.Context(), time.Now(), []string{}, 10)
	if err != nil || !slices.Equal(due, []string{old.Key()}) {
		t.Errorf("left by an owner that is gone: %v, %v; want the call", due, err)
	}
	if n := server.Do("EXISTS", "cr1:{callrouter}:due"); n != int64(0) {
		t.Error("the call is also in the index of calls without an owner")
	}
}

// A replica that lags takes over, and lacks the latest revision of a call. Somebody else makes one of the same number.
// Whoever made the lost one does not write over it.
func TestRedisRevisionMadeAnew(t *testing.T) {
	server := storetest.NewRedis(t)
	s := openURL(t, server.URL)
	if _, err := s.Insert(t.Context(), newCall("a")); err != nil {
		t.Fatal(err)
	}
	first, err := s.Get(t.Context(), engine.Key("a"))
	if err != nil {
		t.Fatal(err)
	}
	change := func(old *engine.Call, write string, state engine.State) (*engine.Call, error) {
		next := old.Clone()
		next.Write, next.State = write, state
		return s.Update(t.Context(), old, next)
	}
	key := "cr1:{callrouter}:call:" + first.Key()
	server.Do("COPY", key, key+":behind")
	lost, err := change(first, "one-1", engine.Deciding)
	if err != nil {
		t.Fatal(err)
	}
	server.Do("COPY", key+":behind", key, "REPLACE")
	anew, err := change(first, "two-1", engine.Rejecting)
	if err != nil || anew.Rev != lost.Rev {
		t.Fatalf("made anew: %+v, %v", anew, err)
	}
	if _, err := change(lost, "one-2", engine.Accepting); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("a write over a revision that somebody else made: %v, want ErrConflict", err)
	}
	if _, err := change(anew, "two-2", engine.Rejecting); err != nil {
		t.Errorf("a write over one's own revision: %v", err)
	}
}

func newCall(id string) *engine.Call {
	now := time.Now()
	return &engine.Call{ID: id, State: engine.Received, CallerKey: "+1", ReceivedAt: now, Due: now}
}

func TestRedisForgetsScripts(t *testing.T) {
	server := storetest.NewRedis(t)
	s := openURL(t, server.URL)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var n atomic.Int64
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Insert(t.Context(), newCall(fmt.Sprint(w, " ", i))); err != nil {
					t.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	for range 20 {
		before := n.Load()
		server.Do("SCRIPT", "FLUSH", "SYNC")
		storetest.Eventually(t, "calls go on", func() bool { return n.Load() > before+8 || t.Failed() })
	}
	close(stop)
	wg.Wait()
}

func TestRedisRefusesEviction(t *testing.T) {
	server := storetest.NewRedis(t, "maxmemory-policy allkeys-lru")
	_, err := store.Open(t.Context(), server.URL, store.Config{})
	if err == nil || !strings.Contains(err.Error(), "CONFIG SET maxmemory-policy noeviction") {
		t.Fatalf("got %v, want how to set it right", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the password is in the error: %v", err)
	}
	server.Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	openURL(t, server.URL)
}

// If the configuration is hidden, the log says what to check.
func TestRedisConfigurationHidden(t *testing.T) {
	server := storetest.NewRedis(t)
	server.Do("ACL", "SETUSER", "router", "-config|get")
	var log strings.Builder
	s, err := store.Open(t.Context(), server.URL, store.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.Contains(log.String(), "noeviction") {
		t.Errorf("log: %s", log.String())
	}
}

func TestRedisOpenErrors(t *testing.T) {
	server := storetest.NewRedis(t)
	t.Chdir(t.TempDir())
	for name, test := range map[string]struct{ url, want string }{
		"nobody there":     {"redis://127.0.0.1:1", "is Redis running there"},
		"wrong password":   {"redis://router:hunter2@" + server.Addr, "user or password"},
		"unknown option":   {server.URL + "?tiemout=1", "tiemout"},
		"bad database":     {server.URL + "/first", "database"},
		"unknown scheme":   {"postgres://user:hunter2@host/db", "redis://"},
		"not a URL at all": {"redis://router:hunter2@host:port", "cannot be read"},
		"empty":            {"", "empty"},

		"a slash in the password":         {"redis://:hunter2/Zx9+secret=@host", "percent-escaped"},
		"digits and a slash":              {"redis://user:12/hunter2@host", "percent-escaped"},
		"a question mark in the password": {"redis://user:12?hunter2@host", "percent-escaped"},
		"a hash in the password":          {"redis://:hunter2@ss#secret@host", "percent-escaped"},
		"a hash after digits":             {"redis://user:12#hunter2@host", "percent-escaped"},
		"a percent sign in the password":  {"redis://:hunter2%zz@host", "percent-escaped"},
		"a space in the password":         {"redis://:hunter2 secret@host", "percent-escaped"},
		"no slashes":                      {"redis:host:6379", "redis://user:password@host:port"},
		"no slashes, a password":          {"redis::hunter2@host:6379", "percent-escaped"},
		"one slash":                       {"rediss:/:hunter2@host:6379", "percent-escaped"},
		"no scheme":                       {":hunter2@host:6379", "percent-escaped"},
		"another scheme and a hash":       {"http://:hunter2#secret@host", "unknown scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), test.url, store.Config{})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if files, err := os.ReadDir("."); err != nil || len(files) != 0 {
				t.Errorf("files were made: %v %v", files, err)
			}
			if strings.Contains(err.Error(), "lookup") {
				t.Errorf("a name was looked up: %v", err)
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") ||
				strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, want %q and no password", err, test.want)
			}
		})
	}
}

// Open waits for a server that is slow at first, or still loads its data.
func TestRedisSlowAtTheStart(t *testing.T) {
	server := storetest.NewRedis(t)
	for name, trouble := range map[string]storetest.Trouble{
		"black hole": {Hole: true}, "loading": {Answer: "LOADING Redis is loading the dataset in memory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := storetest.NewProxy(t, server.Addr, nil)
			proxy.Set(trouble)
			time.AfterFunc(time.Second, func() { proxy.Set(storetest.Trouble{}) })
			s, err := store.Open(t.Context(), strings.Replace(server.URL, server.Addr, proxy.Addr, 1), store.Config{})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		})
	}
}

// A server that dies and comes back is an error meanwhile, and nothing else: what was acknowledged is there, wakes
// arrive again, and nobody has to do anything.
func TestRedisRestart(t *testing.T) {
	server := storetest.NewRedis(t, "appendonly yes", "appendfsync always")
	s := openURL(t, server.URL)
	var woken atomic.Int64
	s.OnWake(func(topic string) {
		if topic == "test" {
			woken.Add(1)
		}
	})
	if _, err := s.Insert(t.Context(), newCall("before")); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	start := time.Now()
	_, err := s.Insert(t.Context(), newCall("meanwhile"))
	if err == nil || errors.Is(err, engine.ErrExists) || errors.Is(err, engine.ErrConflict) {
		t.Errorf("without a server: %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %s to find out", took)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	storetest.Eventually(t, "the store can be reached again", func() bool { return s.Ping(t.Context()) == nil })
	if c, err := s.Get(t.Context(), engine.Key("before")); err != nil || c.ID != "before" {
		t.Errorf("%v, %v", c, err)
	}
	storetest.Eventually(t, "wakes arrive again", func() bool {
		_ = s.Wake(t.Context(), "test")
		return woken.Load() > 0
	})
}

// When memory is full new calls are refused, those in hand go on, and no slot is lost.
func TestRedisOutOfMemory(t *testing.T) {
	server := storetest.NewRedis(t)
	s := openURL(t, server.URL)
	ctx := t.Context()
	if err := s.Present(ctx, "ana", "browser", time.Hour); err != nil {
		t.Fatal(err)
	}
	c := newCall("in hand")
	if _, err := s.Insert(ctx, c); err != nil {
		t.Fatal(err)
	}
	c.Rev = 1
	server.Do("CONFIG", "SET", "maxmemory", "1mb")
	_, err := s.Insert(ctx, newCall("new"))
	if err == nil || !strings.Contains(err.Error(), "maxmemory") {
		t.Errorf("a new call: %v, want how to make room", err)
	}
	next := c.Clone()
	next.Holds = []engine.Hold{{Agent: "ana", Kind: engine.HoldRinging, Capacity: 1, Until: time.Now().Add(time.Hour)}}
	c, err = s.Update(ctx, c, next)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(ctx, engine.Query{Agents: []string{"ana"}})
	if err != nil || len(snap.Agents["ana"].Slots) != 1 {
		t.Errorf("%+v, %v", snap, err)
	}
	next = c.Clone()
	next.Holds, next.State, next.EndedAt = nil, engine.Ended, time.Now()
	if _, err = s.Update(ctx, c, next); err != nil {
		t.Error(err)
	}
}

func BenchmarkRedisUpdate(b *testing.B) {
	server := storetest.NewRedis(b)
	benchUpdate(b, func(b *testing.B) engine.Store { return openURL(b, server.URL) })
}

// A server that has lost what it was told gives no slot until the gate opens, and says so with another epoch.
func TestRedisThatLostEverything(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(r *storetest.Redis){
		"emptied": func(r *storetest.Redis) { r.Do("FLUSHALL") },
		"restarted empty": func(r *storetest.Redis) {
			r.Kill()
			if err := r.Start(); err != nil {
				t.Fatal(err)
			}
		},
		"replaced by one that lags": func(r *storetest.Redis) {
			r.Do("HSET", "cr1:{callrouter}:epoch", "run", "another server")
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := storetest.NewRedis(t)
			cfg := store.Config{Timeout: 2 * time.Second, Gate: 300 * time.Millisecond}
			s, err := store.Open(t.Context(), server.URL, cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			before := beat(t, s)
			take := func(id string) error { return takeAna(t.Context(), s, id, 9) }
			storetest.Eventually(t, "the first gate opens", func() bool { return take("one") == nil })
			lose(server)
			if name == "replaced by one that lags" { // the connections to the old one are gone
				server.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
			}
			storetest.Eventually(t, "the store replies", func() bool { return s.Ping(t.Context()) == nil })
			if err := take("two"); !errors.Is(err, engine.ErrGate) {
				t.Errorf("a slot right after the loss: %v, want ErrGate", err)
			}
			if after := beat(t, s); after == before {
				t.Error("the epoch is the one before")
			}
			if err := take("three"); !errors.Is(err, engine.ErrGate) {
				t.Errorf("a slot while the gate is closed: %v, want ErrGate", err)
			}
			storetest.Eventually(t, "the gate opens", func() bool { return take("four") == nil })
			after := beat(t, s)
			// Connections come and go; the server is the same.
			server.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
			storetest.Eventually(t, "the store replies", func() bool { return s.Ping(t.Context()) == nil })
			if err := take("five"); err != nil || beat(t, s) != after {
				t.Errorf("over new connections to the same server: %v, and the epoch is %q after %q",
					err, beat(t, s), after)
			}
		})
	}
}

func beat(t *testing.T, s engine.Store) string {
	t.Helper()
	epoch, _, err := s.Beat(t.Context(), "one", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}
