package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
	"callrouter/store"
	"callrouter/store/storetest"
)

// What a list costs depends on what it returns, not on how much there is.
func checkCosts(t *testing.T, s engine.Store, stored int) {
	t.Helper()
	endedCalls(t, s, stored)
	cost := func(f engine.Filter) (got int, decoded int64) {
		t.Helper()
		before := store.Decoded(s)
		calls, err := s.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return len(calls), store.Decoded(s) - before
	}
	for _, f := range []engine.Filter{
		{Outcome: engine.Reaped}, {Outcome: engine.Reaped, Caller: "+1"}, {State: engine.Active}, {Caller: "+2"},
		{State: engine.Active, Caller: "+1"}, {Outcome: engine.Reaped, State: engine.Ended, Oldest: true},
		{Outcome: engine.Reaped, Since: time.Now().Add(-24 * time.Hour)},
	} {
		if got, decoded := cost(f); got != 0 || decoded != 0 {
			t.Errorf("%+v: %d calls, %d records decoded, want none", f, got, decoded)
		}
	}
	first, _ := s.List(t.Context(), engine.Filter{Limit: 150})
	behind := first[len(first)-1].Cursor()
	for _, f := range []engine.Filter{
		{}, {Oldest: true}, {After: behind}, {Outcome: engine.Rejected}, {Outcome: engine.Rejected, After: behind},
		{Caller: "+1"}, {State: engine.Ended}, {Caller: "+1", Outcome: engine.Rejected, Oldest: true, After: behind},
	} {
		f.Limit = 100
		if got, decoded := cost(f); got != 100 || decoded > 101 {
			t.Errorf("%+v: %d calls, %d records decoded, want 100", f, got, decoded)
		}
	}
}

func TestEmbeddedHistoryCosts(t *testing.T) {
	t.Parallel()
	s := openFile(t, filepath.Join(t.TempDir(), "callrouter.db"), store.Config{})
	checkCosts(t, s, 500)
	decoded, commits := store.Decoded(s), store.Commits(s)
	if n, err := s.Purge(t.Context(), time.Now()); n != 500 || err != nil {
		t.Fatalf("purged %d, %v", n, err)
	}
	if decoded = store.Decoded(s) - decoded; decoded != 0 {
		t.Errorf("the purge decoded %d records, want none", decoded)
	}
	// 20 records a step, and one for what else expires.
	if commits = store.Commits(s) - commits; commits < 500/20 || commits > 500/20+2 {
		t.Errorf("the purge took %d commits, want %d", commits, 500/20+1)
	}
}

func TestRedisHistoryCosts(t *testing.T) {
	server := storetest.NewRedis(t)
	s := openURL(t, server.URL)
	checkCosts(t, s, 500)
	for _, test := range []struct {
		f    engine.Filter
		want int
	}{{engine.Filter{Limit: 100}, 2}, {engine.Filter{Limit: 100, Outcome: engine.Rejected}, 3}} {
		n := requests(t, server, func() {
			if _, err := s.List(t.Context(), test.f); err != nil {
				t.Error(err)
			}
		})
		if n != test.want {
			t.Errorf("%+v: %d requests, want %d", test.f, n, test.want)
		}
	}
	decoded := store.Decoded(s)
	n := requests(t, server, func() {
		if n, err := s.Purge(t.Context(), time.Now()); n != 500 || err != nil {
			t.Errorf("purged %d, %v", n, err)
		}
	})
	if decoded = store.Decoded(s) - decoded; decoded != 0 {
		t.Errorf("the purge decoded %d records, want none", decoded)
	}
	if n > 5*3+10 { // a script that Redis does not know yet is asked for twice
		t.Errorf("the purge of 500 records took %d requests, want three for each 128 and few for the rest", n)
	}
	for _, key := range []string{"received", "ended", "outcome:rejected", "caller:+1"} {
		if left := server.Do("ZCARD", "cr1:{callrouter}:"+key); left != int64(0) {
			t.Errorf("%s has %v entries after the purge", key, left)
		}
	}
}

// requests counts the scripts and ranges that a step asks of Redis, and not the commands that scripts run.
func requests(t *testing.T, server *storetest.Redis, step func()) int {
	t.Helper()
	count := func() (n int) {
		for line := range strings.Lines(server.Do("INFO", "commandstats").(string)) {
			name, stats, _ := strings.Cut(line, ":calls=")
			switch strings.TrimPrefix(name, "cmdstat_") {
			case "evalsha", "zrange": // no script of these steps has a ZRANGE
				var calls int
				if _, err := fmt.Sscan(strings.SplitN(stats, ",", 2)[0], &calls); err == nil {
					n += calls
				}
			}
		}
		return n
	}
	before := count()
	step()
	return count() - before
}

// A file of a version that had no index of outcomes is indexed beside other work. Until then, nothing is left out.
func TestEmbeddedIndexesOlderFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "callrouter.db")
	s, err := store.Open(t.Context(), path, store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	keys := endedCalls(t, s, 170)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(tx *bolt.Tx) error {
		if err := tx.DeleteBucket([]byte("outcomes")); err != nil {
			return err
		}
		ended := tx.Bucket([]byte("ended"))
		c := ended.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if err := ended.Put(k, nil); err != nil {
				return err
			}
		}
		if err := tx.Bucket([]byte("calls")).Put([]byte(keys[7]), []byte("damaged")); err != nil {
			return err
		}
		return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("1"))
	})
	s = openFile(t, path, store.Config{})
	found := func(f engine.Filter) int {
		calls, err := s.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return len(calls)
	}
	all := engine.Filter{Outcome: engine.Rejected, Limit: 1000}
	if n := found(all); n != 169 {
		t.Errorf("%d calls while the file is being indexed, want 169", n)
	}
	store.Indexed(s)
	before := store.Decoded(s)
	if n := found(engine.Filter{Outcome: engine.Reaped}); n != 0 || store.Decoded(s) != before {
		t.Errorf("%d calls, %d records decoded, want none", n, store.Decoded(s)-before)
	}
	if n := found(all); n != 169 {
		t.Errorf("%d calls once the file is indexed, want 169", n)
	}
	if n, err := s.Purge(t.Context(), time.Now()); n != 170 || err != nil {
		t.Errorf("purged %d, %v, want 170", n, err)
	}
	if n := found(engine.Filter{}); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

// A process of an older version writes to Redis, too. What it ended is found, and indexed by the next purge.
func TestRedisIndexesCallsOfOlderVersions(t *testing.T) {
	server := storetest.NewRedis(t)
	s := openURL(t, server.URL)
	keys := endedCalls(t, s, 300)
	server.Do("DEL", "cr1:{callrouter}:outcome:rejected")
	server.Do("ZADD", "cr1:{callrouter}:outcome:failed", 1, "gone", 1, keys[0])
	for _, key := range keys {
		server.Do("HDEL", "cr1:{callrouter}:call:"+key, "caller")
	}
	find := func(o engine.Outcome, want int, decodes bool) {
		t.Helper()
		before := store.Decoded(s)
		calls, err := s.List(t.Context(), engine.Filter{Outcome: o, Limit: 1000})
		if err != nil || len(calls) != want || decodes != (store.Decoded(s) > before) {
			t.Errorf("%s: %d calls, %d records decoded, %v", o, len(calls), store.Decoded(s)-before, err)
		}
	}
	find(engine.Rejected, 300, true)
	find(engine.Failed, 0, true)
	if n, err := s.Purge(t.Context(), time.Now().Add(-2*time.Hour)); n != 0 || err != nil {
		t.Fatalf("purged %d, %v", n, err)
	}
	find(engine.Rejected, 300, true)
	find(engine.Failed, 0, false)
	if n, err := s.Purge(t.Context(), time.Now()); n != 300 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
	if left := server.Do("ZCARD", "cr1:{callrouter}:caller:+1"); left != int64(0) {
		t.Errorf("the caller has %v calls after the purge", left)
	}
}

// blocked is a writer that takes nothing until it is freed.
type blocked struct{ begun, free chan struct{} }

func (b *blocked) Write(p []byte) (int, error) {
	select {
	case <-b.begun:
	default:
		close(b.begun)
	}
	<-b.free
	return len(p), nil
}

// A read that takes long, such as a backup for a slow client, holds up neither writes nor other reads, though the file
// grows meanwhile.
func TestEmbeddedReadsHoldUpNobody(t *testing.T) {
	t.Parallel()
	s := openFile(t, filepath.Join(t.TempDir(), "callrouter.db"), store.Config{})
	w := &blocked{begun: make(chan struct{}), free: make(chan struct{})}
	done := make(chan error)
	go func() { done <- s.(store.Backer).Backup(t.Context(), w, func(int64) {}) }()
	<-w.begun
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i := range 200 {
		c := newCall(fmt.Sprint(i))
		c.Offer = strings.Repeat("a=candidate\r\n", 300)
		if _, err := s.Insert(ctx, c); err != nil {
			t.Errorf("insert %d: %v", i, err)
			break
		}
	}
	close(w.free)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
