package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/store"
	"callrouter/store/storetest"
)

// throughProxy opens a store that is reached through a proxy.
func throughProxy(t *testing.T, server *storetest.Redis, cfg store.Config) (engine.Store, *storetest.Proxy) {
	t.Helper()
	proxy := storetest.NewProxy(t, server.Addr, nil)
	s, err := store.Open(t.Context(), strings.Replace(server.URL, server.Addr, proxy.Addr, 1), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, proxy
}

// decided reports whether the store decided: the step was done, or refused with an error of the engine.
func decided(err error) bool {
	for _, refusal := range []error{
		engine.ErrExists, engine.ErrConflict, engine.ErrNotFound, engine.ErrBusy, engine.ErrGate,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return err == nil
}

// Each failure of a server is an error within the timeout, for all requests at once, and never looks like a refusal.
// Once it is over the store recovers by itself, and each request is done once.
func TestRedisFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		trouble storetest.Trouble
		says    string // in the error
	}{
		"black hole":   {storetest.Trouble{Hole: true}, "no reply within"},
		"replies lost": {storetest.Trouble{NoReplies: true}, "no reply within"},
		"slow":         {storetest.Trouble{Delay: time.Second}, "no reply within"},
		"refuses":      {storetest.Trouble{Refuse: true}, ""},
		"a replica": {
			storetest.Trouble{Answer: "READONLY You can't write against a read only replica."}, "address of the master",
		},
		"loading": {storetest.Trouble{Answer: "LOADING Redis is loading the dataset in memory"}, "LOADING"},
		"master is down": {
			storetest.Trouble{
				Answer: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
			}, "MASTERDOWN",
		},
		"cluster is down": {storetest.Trouble{Answer: "CLUSTERDOWN The cluster is down"}, "CLUSTERDOWN"},
		"too few replicas": {
			storetest.Trouble{Answer: "NOREPLICAS Not enough good replicas to write."}, "min-replicas-to-write",
		},
		"busy script":    {storetest.Trouble{Answer: "BUSY Redis is busy running a script."}, "BUSY"},
		"not understood": {storetest.Trouble{Answer: "ERR unknown command"}, "ERR"},
	} {
		t.Run(name, func(t *testing.T) {
			s, proxy := throughProxy(t, storetest.NewRedis(t), store.Config{})
			if _, err := s.Insert(t.Context(), newCall("before")); err != nil {
				t.Fatal(err)
			}
			proxy.Set(test.trouble)
			const calls = 16
			for range 2 {
				var wg sync.WaitGroup
				for i := range calls {
					wg.Go(func() {
						start := time.Now()
						_, err := s.Insert(t.Context(), newCall(fmt.Sprint(i)))
						if decided(err) || !strings.Contains(err.Error(), test.says) {
							t.Errorf("an insert says %v, want %q", err, test.says)
						}
						if took := time.Since(start); took > time.Second {
							t.Errorf("an insert took %s: %v", took, err)
						}
					})
				}
				wg.Wait()
			}
			proxy.Set(storetest.Trouble{})
			healed := time.Now()
			storetest.Eventually(t, "the store can be reached again", func() bool { return s.Ping(t.Context()) == nil })
			if took := time.Since(healed); took > 5*time.Second {
				t.Errorf("it took %s until the store could be reached again", took)
			}
			for i := range calls {
				storetest.Eventually(t, "the call is there", func() bool {
					_, err := s.Insert(t.Context(), newCall(fmt.Sprint(i)))
					return decided(err)
				})
			}
			exactly(t, s, calls+1)
		})
	}
}

// exactly checks how many calls there are, each with the revision it was inserted with.
func exactly(t *testing.T, s engine.Store, calls int) {
	t.Helper()
	var list []*engine.Call
	storetest.Eventually(t, "the calls are read", func() bool {
		var err error
		list, err = s.List(t.Context(), engine.Filter{Limit: 1000})
		return err == nil
	})
	if len(list) != calls {
		t.Errorf("%d calls are stored, of %d", len(list), calls)
	}
	for _, c := range list {
		if c.Rev != 1 {
			t.Errorf("call %s was inserted, and has revision %d", c.ID, c.Rev)
		}
	}
}

// Where replies are now fast and now slow, each step ends within the bound, and those that did not come in time are
// done once when they are repeated.
func TestRedisJitter(t *testing.T) {
	t.Parallel()
	s, proxy := throughProxy(t, storetest.NewRedis(t), store.Config{})
	proxy.Set(storetest.Trouble{Jitter: 400 * time.Millisecond})
	const workers = 16
	each := testrun.Pick(1, 1, 20)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				for done := false; !done; {
					start := time.Now()
					_, err := s.Insert(t.Context(), newCall(fmt.Sprint(w, " ", i)))
					if took := time.Since(start); took > 2*time.Second {
						t.Errorf("an insert took %s: %v", took, err)
					}
					done = decided(err)
				}
			}
		})
	}
	wg.Wait()
	proxy.Set(storetest.Trouble{})
	exactly(t, s, workers*each)
}

// A master that requires a replica (min-replicas-to-write) and is cut off from it gives no slot: another may be master
// now.
func TestRedisSplit(t *testing.T) {
	t.Parallel()
	master := storetest.NewRedis(t, "repl-diskless-sync-delay 0", "min-replicas-max-lag 1")
	link := storetest.NewProxy(t, master.Addr, nil)
	storetest.NewRedis(t, "replicaof "+strings.Replace(link.Addr, ":", " ", 1))
	storetest.Eventually(t, "the replica follows", func() bool {
		return strings.Contains(master.Do("INFO", "replication").(string), "state=online")
	})
	s := openURL(t, master.URL)
	master.Do("CONFIG", "SET", "min-replicas-to-write", 1)
	n := 0
	take := func() error {
		n++
		return takeAna(t.Context(), s, fmt.Sprint(n), 10_000)
	}
	storetest.Eventually(t, "slots are given", func() bool { return take() == nil })
	link.Set(storetest.Trouble{Hole: true})
	storetest.Eventually(t, "no slot is given", func() bool {
		err := take()
		return !decided(err) && strings.Contains(err.Error(), "min-replicas-to-write")
	})
	link.Set(storetest.Trouble{Refuse: true}) // what was swallowed is not made good: the replica begins anew
	link.Set(storetest.Trouble{})
	storetest.Eventually(t, "slots are given again", func() bool { return take() == nil })
}

// takeAna takes a slot of ana, who has a capacity, for a call that is new or has no slot yet.
func takeAna(ctx context.Context, s engine.Store, id string, capacity int) error {
	if err := s.Present(ctx, "ana", "browser", time.Hour); err != nil {
		return err
	}
	c := newCall(id)
	if existing, err := s.Insert(ctx, c); errors.Is(err, engine.ErrExists) {
		c = existing
	} else if err != nil {
		return err
	}
	c.Rev = max(c.Rev, 1)
	next := c.Clone()
	next.Holds = []engine.Hold{{
		Agent: "ana", Kind: engine.HoldRinging, Capacity: capacity, Until: time.Now().Add(time.Hour),
	}}
	_, err := s.Update(ctx, c, next)
	return err
}

// A context that ends before the store's timeout ends the wait.
func TestRedisDeadline(t *testing.T) {
	server := storetest.NewRedis(t)
	proxy := storetest.NewProxy(t, server.Addr, nil)
	url := strings.Replace(server.URL, server.Addr, proxy.Addr, 1)
	s, err := store.Open(t.Context(), url, store.Config{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	proxy.Set(storetest.Trouble{Hole: true})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = s.Get(ctx, engine.Key("any"))
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 400*time.Millisecond {
		t.Errorf("after %s: %v", took, err)
	}
}
