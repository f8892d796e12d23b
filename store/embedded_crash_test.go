package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/store"
)

// writeForever inserts and changes calls, and prints each with its revision once that is acknowledged.
func writeForever(path string) {
	ctx := context.Background()
	s, err := store.Open(ctx, path, store.Config{})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				c := newCall(fmt.Sprint(os.Getpid(), " ", w, " ", i))
				if _, err := s.Insert(ctx, c); err != nil {
					fmt.Println("error:", err)
					os.Exit(1)
				}
				c.Rev = 1
				fmt.Println(c.Key(), 1)
				next := c.Clone()
				next.State = engine.Deciding
				if _, err := s.Update(ctx, c, next); err != nil {
					fmt.Println("error:", err)
					os.Exit(1)
				}
				fmt.Println(c.Key(), 2)
			}
		})
	}
	wg.Wait()
}

// What was acknowledged is there after kill -9, after each of several in a row. While the other process lives, nobody
// else gets the file.
func TestEmbeddedKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "callrouter.db")
	acked := map[string]int64{}
	for round := range 4 {
		cmd := child("writer", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, n := bufio.NewScanner(out), 0
		enough := 100 + rand.IntN(400)
		for lines.Scan() {
			var key string
			var rev int64
			if _, err := fmt.Sscan(lines.Text(), &key, &rev); err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
			acked[key] = max(acked[key], rev)
			if n++; n == 1 && round == 0 {
				secondOpener(t, path)
			}
			if n == enough {
				if err := cmd.Process.Kill(); err != nil { // and then read what it acknowledged before it died
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		s, err := store.Open(t.Context(), path, store.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for key, rev := range acked {
			c, err := s.Get(t.Context(), key)
			if err != nil || c.Rev < rev {
				t.Fatalf("round %d: call %s was acknowledged with revision %d and is %+v, %v", round, key, rev, c, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d calls were acknowledged", len(acked))
}

func secondOpener(t *testing.T, path string) {
	t.Helper()
	start := time.Now()
	_, err := store.Open(t.Context(), path, store.Config{})
	if err == nil || !strings.Contains(err.Error(), "in use by another callrouter") ||
		!strings.Contains(err.Error(), "redis://") {
		t.Errorf("a second opener gets %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("a second opener waits %s", took)
	}
}

// A file that is cut short or changed is an error or an earlier state, never a panic and never an empty start.
func TestEmbeddedDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "good.db")
	s := openFile(t, path, store.Config{})
	const calls = 60
	for i := range calls {
		c := newCall(fmt.Sprint(i))
		c.Offer = strings.Repeat("a=candidate\r\n", 100)
		c.ReceivedAt = time.Date(2026, 11, 23, 9, 30, i, 0, time.UTC) // the same bytes in each run
		c.Due = c.ReceivedAt
		if _, err := s.Insert(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused, rng := 0, rand.New(rand.NewPCG(1, 2))
	files := testrun.Pick(60, 300, 300)
	for i := range files {
		data := append([]byte(nil), good...)
		what := ""
		switch i % 3 {
		case 0:
			data = data[:rng.IntN(len(data))]
			what = fmt.Sprintf("cut to %d of %d bytes", len(data), len(good))
		case 1:
			at := rng.IntN(len(data))
			data[at] ^= 1 << rng.IntN(8)
			what = fmt.Sprintf("bit changed at %d", at)
		case 2:
			at := rng.IntN(len(data) / 4096)
			clear(data[at*4096 : (at+1)*4096])
			what = fmt.Sprintf("page %d is zero", at)
		}
		bad := filepath.Join(dir, fmt.Sprint(i, ".db")) // bbolt keeps the lock of a file on which it panicked
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := useFile(t.Context(), bad)
		_ = os.Remove(bad)
		switch {
		case err != nil:
			refused++
			if len(err.Error()) < 20 || strings.Contains(err.Error(), "goroutine") {
				t.Errorf("%s: an error that helps nobody: %v", what, err)
			}
		case n < calls-1:
			t.Errorf("%s: %d of %d calls are there, and no error", what, n, calls)
		}
		if i%3 == 0 && err == nil && len(data) < len(good)/2 {
			t.Errorf("%s: no error", what)
		}
	}
	t.Logf("%d of %d damaged files were refused", refused, files)
	if refused < files/3 {
		t.Errorf("only %d of %d damaged files were refused", refused, files)
	}
}

// useFile opens a store, reads all of it, and writes to it.
func useFile(ctx context.Context, path string) (n int, err error) {
	s, err := store.Open(ctx, path, store.Config{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	list, err := s.List(ctx, engine.Filter{Limit: 1000})
	if err != nil {
		return 0, err
	}
	if _, err := s.Due(ctx, time.Now().Add(time.Hour), nil, 1000); err != nil {
		return 0, err
	}
	for i := range 5 {
		if _, err := s.Insert(ctx, newCall(fmt.Sprint("new", i))); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

func TestEmbeddedOpenErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct{ path, want string }{
		"empty file":     {write("empty.db", ""), "delete it to start anew"},
		"another file":   {write("notes.txt", strings.Repeat("hello ", 4000)), "not a callrouter database"},
		"a short file":   {write("short.txt", "hello"), "not a callrouter database"},
		"a folder":       {dir, "not a file"},
		"no such folder": {filepath.Join(dir, "no", "such", "callrouter.db"), "check that its folder exists"},
		"no path":        {"", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), test.path, store.Config{})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want %q", err, test.want)
			}
		})
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.new"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Restarting keeps all that must survive, and no lease of a connection.
func TestEmbeddedReopened(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "callrouter.db")
	s := openFile(t, path, store.Config{})
	if err := s.Present(ctx, "ana", "browser", time.Hour); err != nil {
		t.Fatal(err)
	}
	c := newCall("a")
	if _, err := s.Insert(ctx, c); err != nil {
		t.Fatal(err)
	}
	c.Rev = 1
	next := c.Clone()
	next.State, next.Step = engine.Waiting, &engine.Handoff{Queue: "sales", Joined: time.Now()}
	next.Holds = []engine.Hold{{Agent: "ana", Kind: engine.HoldRinging, Capacity: 1, Until: time.Now().Add(time.Hour)}}
	if _, err := s.Update(ctx, c, next); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openFile(t, path, store.Config{})
	snap, err := s.Snapshot(ctx, engine.Query{
		Agents: []string{"ana"}, Queues: []string{"sales"}, Caller: "+1", Calls: []time.Duration{time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := snap.Agents["ana"]
	if a.Connected || len(a.Slots) != 1 || len(snap.Queues["sales"]) != 1 || snap.Calls[time.Hour] != 1 {
		t.Errorf("%+v", snap)
	}
}
