// Package testrun says how much a test does in the run that it is part of. There are three lengths:
//
//   - short, `go test -short`: every promise once, within a minute.
//   - usual, `go test`.
//   - full, CALLROUTER_TEST_PROOFS=1: every proof at its full length, which takes minutes. It overrides -short.
//
// Only tests import it.
package testrun

import (
	"flag"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Full reports whether proofs run at their full length.
func Full() bool { return os.Getenv("CALLROUTER_TEST_PROOFS") == "1" }

// Short reports whether the run is a short one.
func Short() bool { return testing.Short() && !Full() }

// Pick returns the one of three amounts that fits the length of the run: of calls, steps, kills or seconds.
func Pick[T any](short, usual, full T) T {
	switch {
	case Full():
		return full
	case Short():
		return short
	}
	return usual
}

// NotShort skips a test in a short run. why names what makes it long, or what else tests the same.
func NotShort(t testing.TB, why string) {
	t.Helper()
	if Short() {
		t.Skip("left out by -short: " + why)
	}
}

// OnlyFull skips a test unless proofs run at their full length. why names what makes it long.
func OnlyFull(t testing.TB, why string) {
	t.Helper()
	if !Full() {
		t.Skip("left out unless CALLROUTER_TEST_PROOFS=1: " + why)
	}
}

// Seed returns the seed of a random test and logs it: CALLROUTER_TEST_SEED, or another one in each run.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if v := os.Getenv("CALLROUTER_TEST_SEED"); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatalf("CALLROUTER_TEST_SEED: %v", err)
		}
	}
	t.Logf("CALLROUTER_TEST_SEED=%d", seed)
	return seed
}

// Parallel sets how many parallel tests of a package run at once, unless the command line does. A TestMain calls it
// where most tests wait for other processes, so that the number of processors is too small a limit.
func Parallel(n int) {
	if !flag.Parsed() {
		flag.Parse()
	}
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(n)) // it is a number
	}
}
