package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/store"
	"callrouter/store/storetest"
)

// A queue is read with each call that is handed out. Of the calls that wait and of the agents, only those are decoded
// that have changed since.
func checkSnapshotCosts(t *testing.T, s engine.Store) {
	t.Helper()
	const calls = 300
	query := engine.Query{Queues: []string{"line"}}
	for i := range 50 {
		query.Agents = append(query.Agents, fmt.Sprint("agent ", i))
		if err := s.Present(t.Context(), query.Agents[i], "browser", time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	var waiting []*engine.Call
	for i := range calls {
		c := newCall(fmt.Sprint("call ", i))
		c.State, c.Step = engine.Waiting, &engine.Handoff{Queue: "line", Joined: c.ReceivedAt.Add(time.Duration(i))}
		if _, err := s.Insert(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		c.Rev = 1
		waiting = append(waiting, c)
	}
	look := func(want int, most int64) {
		t.Helper()
		before := store.Misses(s)
		snap, err := s.Snapshot(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(snap.Queues["line"]); n != want {
			t.Errorf("%d calls wait, want %d", n, want)
		}
		if n := store.Misses(s) - before; n > most {
			t.Errorf("%d values were decoded, want %d at most", n, most)
		}
	}
	look(calls, calls+50)
	look(calls, 0)
	if err := s.SetStatus(t.Context(), "agent 7", true, "lunch"); err != nil {
		t.Fatal(err)
	}
	ended := waiting[0].Clone()
	ended.State, ended.Outcome, ended.EndedAt = engine.Ended, engine.Abandoned, ended.ReceivedAt
	taken := waiting[1].Clone()
	taken.Owner = "another instance"
	for i, next := range []*engine.Call{ended, taken} {
		if _, err := s.Update(t.Context(), waiting[i], next); err != nil {
			t.Fatal(err)
		}
	}
	look(calls-1, 2)
	snap, err := s.Snapshot(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	if first := snap.Queues["line"][0]; first.Key != taken.Key() || first.Owner != "another instance" {
		t.Errorf("the first who waits is %+v, want the call that was taken over", first)
	}
	if a := snap.Agents["agent 7"]; !a.Away || a.Reason != "lunch" || snap.Agents["agent 8"].Away {
		t.Errorf("agent 7 is %+v, want away", a)
	}
}

func TestEmbeddedSnapshotCosts(t *testing.T) {
	t.Parallel()
	checkSnapshotCosts(t, openFile(t, filepath.Join(t.TempDir(), "callrouter.db"), store.Config{}))
}

func TestRedisSnapshotCosts(t *testing.T) {
	checkSnapshotCosts(t, openURL(t, storetest.NewRedis(t).URL))
}
