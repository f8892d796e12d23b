package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/store"
)

// historyVar is how many records BenchmarkHistory stores, in place of 100,000.
const historyVar = "CALLROUTER_HISTORY_RECORDS"

// BenchmarkHistory prints what lists, inserts and a purge cost in an embedded store with many records, beside an empty
// one. It is to be run with -benchtime 1x.
func BenchmarkHistory(b *testing.B) {
	records := 100_000
	if n, err := strconv.Atoi(os.Getenv(historyVar)); err == nil {
		records = n
	}
	for range b.N {
		empty := openFile(b, filepath.Join(b.TempDir(), "empty.db"), store.Config{})
		path := filepath.Join(b.TempDir(), "full.db")
		fillHistory(b, path, records)
		began := time.Now()
		full := openFile(b, path, store.Config{})
		fmt.Printf("  start with %d records: %s\n", records, time.Since(began).Round(time.Microsecond))
		for _, s := range []struct {
			name  string
			store engine.Store
		}{{"empty", empty}, {fmt.Sprint(records, " records"), full}} {
			for name, f := range map[string]engine.Filter{
				"outcome that nobody has": {Outcome: engine.Reaped}, "page of 100": {Limit: 100},
				"page of an outcome": {Outcome: engine.Rejected, Limit: 100},
			} {
				began := time.Now()
				if _, err := s.store.List(b.Context(), f); err != nil {
					b.Fatal(err)
				}
				fmt.Printf("  %s: list, %s: %s\n", s.name, name, time.Since(began).Round(time.Microsecond))
			}
			fmt.Printf("  %s: insert: %s\n", s.name, inserts(b, s.store, "quiet", 300))
		}
		began = time.Now()
		var purge sync.WaitGroup
		ctx, cancel := context.WithCancel(b.Context())
		purge.Go(func() {
			n, err := full.Purge(ctx, benchStart.Add(time.Duration(records/2)*time.Second))
			fmt.Printf("  purge: %d records in %s (%v)\n", n, time.Since(began).Round(time.Millisecond), err)
		})
		fmt.Printf("  insert while it is purged: %s\n", inserts(b, full, "purge", 300))
		if records > 100_000 {
			cancel()
		}
		purge.Wait()
		cancel()
		fmt.Printf("  insert after the purge: %s\n", inserts(b, full, "after", 300))
	}
}

// inserts inserts calls one after the other, and returns the time that the middle one and the slow ones took.
func inserts(b *testing.B, s engine.Store, name string, n int) string {
	b.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		if _, err := s.Insert(b.Context(), bulky(fmt.Sprint(name, " ", i))); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return fmt.Sprintf("p50 %s, p99 %s", took[n/2].Round(time.Microsecond), took[n*99/100].Round(time.Microsecond))
}

var benchStart = time.Now().Add(-2_000_000 * time.Second)

// bulky returns a new call of some 2.5 KB.
func bulky(id string) *engine.Call {
	c := newCall(id)
	c.Offer = strings.Repeat("a=candidate\r\n", 180)
	return c
}

// fillHistory stores ended calls from many writers, so that they share commits.
func fillHistory(b *testing.B, path string, records int) {
	b.Helper()
	s, err := store.Open(b.Context(), path, store.Config{})
	if err != nil {
		b.Fatal(err)
	}
	next := make(chan int)
	var writers sync.WaitGroup
	for range 256 {
		writers.Go(func() {
			for i := range next {
				c := bulky(fmt.Sprint("ended ", i))
				c.ReceivedAt = benchStart.Add(time.Duration(i) * time.Second)
				c.CallerKey = fmt.Sprint("+", i%1000)
				c.State, c.Outcome, c.EndedAt, c.Due = engine.Ended, engine.Rejected, c.ReceivedAt, time.Time{}
				if _, err := s.Insert(context.Background(), c); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range records {
		next <- i
	}
	close(next)
	writers.Wait()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
