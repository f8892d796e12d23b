package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/store/storetest"
)

// commands counts what Redis carries out in a step, the commands of scripts too.
func commands(server *storetest.Redis, step func()) (n int) {
	count := func() (n int) {
		for line := range strings.Lines(server.Do("INFO", "commandstats").(string)) {
			name, stats, _ := strings.Cut(line, ":calls=")
			var calls int
			if _, err := fmt.Sscan(strings.SplitN(stats, ",", 2)[0], &calls); err == nil && name != "cmdstat_info" {
				n += calls
			}
		}
		return n
	}
	first := count()
	before := count() // asking takes commands too
	step()
	return count() - before - (before - first)
}

// That a person is known by number and by user id costs a few commands when such a call is stored, whatever the number of
// calls, and none else. Nothing is left of calls that are deleted.
func TestRedisPersonCosts(t *testing.T) {
	server := storetest.NewRedis(t)
	s := openURL(t, server.URL)
	for i, kind := range []struct {
		number, id    string
		insert, count int
	}{
		{"+1", "", 8, 4},
		{"id:BR.1", "BR.1", 8, 4},
		{"+1", "BR.1", 10, 6},
	} {
		for j := range 50 {
			c := newCall(fmt.Sprint("call ", i, j))
			c.CallerKey, c.UserID = kind.number, kind.id
			c.ReceivedAt = time.Now().Add(-time.Hour)
			c.State, c.Outcome, c.EndedAt, c.Due = engine.Ended, engine.Rejected, c.ReceivedAt, time.Time{}
			insert := commands(server, func() {
				if _, err := s.Insert(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			})
			count := commands(server, func() {
				q := engine.Query{
					Caller: c.CallerKey, Other: c.OtherKey(), Except: c.Key(), Calls: []time.Duration{24 * time.Hour},
				}
				if _, err := s.Snapshot(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			})
			if j > 0 && (insert != kind.insert || count != kind.count) { // Redis asks for scripts that it does not know
				t.Fatalf("%+v: an insert takes %d commands and a count %d, want %d and %d",
					kind, insert, count, kind.insert, kind.count)
			}
		}
	}
	if n, err := s.Purge(t.Context(), time.Now()); n != 150 || err != nil {
		t.Fatalf("purged %d, %v", n, err)
	}
	if left := server.Do("KEYS", "cr1:*caller:*").([]any); len(left) > 0 {
		t.Errorf("after the purge there are %q", left)
	}
}
