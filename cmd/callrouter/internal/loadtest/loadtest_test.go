package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"callrouter/engine/testrun"
)

// TestMain lets the test binary be what the program starts itself as.
func TestMain(m *testing.M) {
	if ours, err := runChild(os.Args[1:]); ours {
		if err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestNothingIsLost: the floor and the router ask Positus about each call of a light load.
func TestNothingIsLost(t *testing.T) {
	testrun.NotShort(t, "it builds and starts the router")
	p, err := readPlan([]string{"-rates", "20", "-for", "1s", "-rules", "10", "-stores", "disk"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBench(t.Context(), t.TempDir(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for _, name := range []string{"floor", "router"} {
		r, err := b.measure(t.Context(), name, "disk", 20, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if r.calls != 20 || r.lost != 0 || len(r.latencies) != 20 || r.quantile(0.5) <= 0 {
			t.Errorf(
				"%s: %d calls, %d lost, %d latencies, p50 %s; want 20, 0, 20 and some time",
				name,
				r.calls,
				r.lost,
				len(r.latencies),
				r.quantile(0.5),
			)
		}
	}
}

// TestLostIsCounted: a load at a server that is not there loses all of its calls, and says so.
func TestLostIsCounted(t *testing.T) {
	r, err := newLoad().run(t.Context(), "http://127.0.0.1:1/", 20, 500*time.Millisecond)
	if err != nil || r.calls != 10 || r.lost != 10 || r.refused != 10 {
		t.Errorf("%d calls, %d lost, %d refused (%v); want 10 of each", r.calls, r.lost, r.refused, err)
	}
}

func TestPlan(t *testing.T) {
	for args, want := range map[string]string{
		"-rates=none":   "is not a number of calls",
		"-rates=0":      "is not a number of calls",
		"-stores=paper": "neither disk nor redis",
	} {
		if _, err := readPlan([]string{args}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
