package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/store"
	"callrouter/store/storetest"
)

// fillStore stores ended calls of a hundred callers from many writers, so that they share commits. They have been
// received one a second, until an hour ago.
func fillStore(t *testing.T, s engine.Store, name string, n int) {
	t.Helper()
	next := make(chan int)
	var writers sync.WaitGroup
	for range 128 {
		writers.Go(func() {
			for i := range next {
				c := newCall(fmt.Sprint(name, i))
				c.ReceivedAt = time.Now().Add(-time.Hour - time.Duration(i)*time.Second)
				c.CallerKey = fmt.Sprint("+", i%100)
				c.State, c.Outcome, c.EndedAt, c.Due = engine.Ended, engine.Rejected, c.ReceivedAt, time.Time{}
				if _, err := s.Insert(context.Background(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	writers.Wait()
}

// costs are what one of each costs.
type costs struct {
	insert, newest, nobody, caller int64 // of the unit that a test counts
	decoded                        int64 // by all three lists together
}

// costsOf measures with a counter of something that a store uses up.
func costsOf(t *testing.T, s engine.Store, name string, used func() int64) (c costs) {
	t.Helper()
	const inserts = 50
	before := used()
	for i := range inserts {
		if _, err := s.Insert(t.Context(), newCall(fmt.Sprint(name, i))); err != nil {
			t.Fatal(err)
		}
	}
	c.insert = (used() - before) / inserts
	decoded := store.Decoded(s)
	for _, l := range []struct {
		f    engine.Filter
		cost *int64
	}{
		{engine.Filter{Limit: 20}, &c.newest},
		{engine.Filter{Outcome: engine.Reaped}, &c.nobody},
		{engine.Filter{Caller: "+7", Limit: 3}, &c.caller},
	} {
		before := used()
		if _, err := s.List(t.Context(), l.f); err != nil {
			t.Fatal(err)
		}
		*l.cost = used() - before
	}
	c.decoded = store.Decoded(s) - decoded
	return c
}

// checkSize expects that costs stay as they are while a store grows, and when most of it is purged.
// Slack is what something else in the process may use up meanwhile.
func checkSize(t *testing.T, s engine.Store, used func() int64, slack int64) {
	t.Helper()
	few, many := 1_000, testrun.Pick(4_000, 10_000, 50_000)
	fillStore(t, s, "first ", few)
	costsOf(t, s, "warm ", used) // caches, scripts
	start := costsOf(t, s, "few ", used)
	fillStore(t, s, "more ", many-few)
	full := costsOf(t, s, "many ", used)
	deleted, err := s.Purge(t.Context(), time.Now().Add(-time.Hour-time.Duration(many/20)*time.Second))
	if err != nil || deleted < many*3/4 {
		t.Fatalf("purged %d, %v", deleted, err)
	}
	purged := costsOf(t, s, "purged ", used)
	t.Logf("with %d records %+v, with %d %+v, with %d purged %+v", few, start, many, full, deleted, purged)
	if purged.insert > full.insert*23/20 {
		t.Errorf("an insert costs %d after the purge, and %d before", purged.insert, full.insert)
	}
	for name, c := range map[string]costs{"many records": full, "many purged": purged} {
		if c.decoded != start.decoded {
			t.Errorf("%s: lists decoded %d records, with few %d", name, c.decoded, start.decoded)
		}
		for what, pair := range map[string][2]int64{
			"an insert": {start.insert, c.insert}, "the newest": {start.newest, c.newest},
			"an outcome that nobody has": {start.nobody, c.nobody}, "a caller's": {start.caller, c.caller},
		} {
			if pair[1] > pair[0]*2+slack {
				t.Errorf("%s: %s costs %d, with few %d", name, what, pair[1], pair[0])
			}
		}
	}
}

// TestEmbeddedSize counts the bytes that are written to the file.
func TestEmbeddedSize(t *testing.T) {
	written := func() int64 {
		io, err := os.ReadFile("/proc/self/io")
		if err != nil {
			t.Skip("only Linux counts what a process writes: ", err)
		}
		_, rest, _ := strings.Cut(string(io), "wchar: ")
		line, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	checkSize(t, openFile(t, filepath.Join(t.TempDir(), "callrouter.db"), store.Config{}), written, 16<<10)
}

// TestEmbeddedFreePages: a store that was closed has the list of free pages in its file, so that the next start does
// not read the whole file to find them. One that was killed has not, and neither has one that is open: each commit
// would write the list.
func TestEmbeddedFreePages(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "callrouter.db")
	s, err := store.Open(t.Context(), path, store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		keys := endedCalls(t, s, 50)
		if n, err := s.Purge(t.Context(), time.Now()); n != len(keys) || err != nil {
			t.Fatalf("purged %d, %v", n, err)
		}
		if hasFreePages(t, path) {
			t.Errorf("round %d: the file of an open store has the list of free pages", round)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !hasFreePages(t, path) {
			t.Errorf("round %d: the file of a closed store has no list of free pages", round)
		}
		if s, err = store.Open(t.Context(), path, store.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if checked, err := store.Check(path); err != nil || len(checked.Problems) > 0 {
		t.Errorf("the file is damaged: %v, %v", checked.Problems, err)
	}
}

// hasFreePages reports whether the last commit wrote the list of free pages. bbolt has two metas, in the first two
// pages; behind the head of the page (16 bytes) each has the page of that list at 32, none being all ones, and the
// number of its commit at 48.
func hasFreePages(t *testing.T, path string) bool {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	number := func(page, at int) uint64 { return binary.NativeEndian.Uint64(file[page*os.Getpagesize()+16+at:]) }
	last := 0
	if number(1, 48) > number(0, 48) {
		last = 1
	}
	return number(last, 32) != math.MaxUint64
}

// TestRedisPurgeRests: while a purge goes on, Redis has most of its time for calls.
func TestRedisPurgeRests(t *testing.T) {
	server := storetest.NewRedis(t)
	s := openURL(t, server.URL)
	fillStore(t, s, "ended ", 3_000)
	server.Do("CONFIG", "RESETSTAT")
	began := time.Now()
	if n, err := s.Purge(t.Context(), time.Now()); n != 3_000 || err != nil {
		t.Fatalf("purged %d, %v", n, err)
	}
	took := time.Since(began)
	var busy time.Duration
	for line := range strings.Lines(server.Do("INFO", "commandstats").(string)) {
		name, stats, _ := strings.Cut(line, ":")
		_, rest, _ := strings.Cut(stats, "usec=")
		var us int64
		if _, err := fmt.Sscan(strings.SplitN(rest, ",", 2)[0], &us); err == nil && name == "cmdstat_evalsha" {
			busy += time.Duration(us) * time.Microsecond
		}
	}
	t.Logf("a purge of 3000 records took %s, and %s of that of Redis", took, busy)
	if busy == 0 || busy > took/4 {
		t.Errorf("Redis worked for %s of the %s of the purge, want a quarter at most", busy, took)
	}
}

// TestRedisSize counts the commands that Redis carries out, those of scripts too.
func TestRedisSize(t *testing.T) {
	server := storetest.NewRedis(t)
	checkSize(t, openURL(t, server.URL), func() (n int64) {
		for line := range strings.Lines(server.Do("INFO", "commandstats").(string)) {
			name, stats, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
			var calls int64
			ours := name == "info" || name == "hello" || strings.HasPrefix(name, "client")
			if _, err := fmt.Sscan(strings.SplitN(stats, ",", 2)[0], &calls); err == nil && !ours {
				n += calls
			}
		}
		return n
	}, 0)
}
