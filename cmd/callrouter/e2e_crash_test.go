package main

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine/testrun"
	"callrouter/store/storetest"
)

// The process dies before and after every step that others can see: each write to the store, each request to Positus,
// each answer to a webhook. A first run of a scenario finds the points by itself; then there is a run for every one of
// them. Behind each death comes a second one during the recovery, and then a start that is left alone. The judge is the
// log of the stand-in: every call that was taken got its one action, and no slot is left taken.
//
// In the ordinary run this is a sample; CALLROUTER_TEST_PROOFS=1 takes every point, in both stores.
func TestKilledAtEveryPoint(t *testing.T) {
	t.Parallel()
	binary := program(t, "callrouter-crashpoints", "-tags", "crashpoints", ".")
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		sample := []crashScenario{crashScenarios[0], crashScenarios[2]}
		scenarios, every := testrun.Pick(sample[:1], sample, crashScenarios), testrun.Pick(4, 4, 1)
		killEverywhere(t, binary, scenarios, every, 6, func(*testing.T) string { return "" })
	})
	t.Run("redis", func(t *testing.T) {
		testrun.OnlyFull(t, "in Redis the lease of each dead process must run out")
		t.Parallel()
		// Most of the time these wait for leases, so there may be many at once.
		killEverywhere(t, binary, crashScenarios, 1, 24, func(t *testing.T) string { return storetest.StartRedis(t) })
	})
}

// crashPlan is one run of a scenario.
type crashPlan struct {
	scenario crashScenario
	at       string // the point of the first death; empty: none, the points are looked for
	again    int    // the second death is at this point of the recovery, counted from its start
}

// killEverywhere runs scenarios once, and then once more for every n-th point that they have, so many runs at once.
func killEverywhere(
	t *testing.T,
	binary string,
	scenarios []crashScenario,
	every, atOnce int,
	store func(*testing.T) string,
) {
	began := time.Now()
	sum := &crashSum{}
	var plans []crashPlan
	for _, s := range scenarios {
		plans = append(plans, crashPlan{scenario: s})
	}
	points := make([][]string, len(plans))
	together(t, atOnce, plans, func(t *testing.T, i int, p crashPlan) {
		r := newCrashRun(t, binary, store(t), p)
		points[i] = r.discover()
		r.judge(sum)
	})
	if t.Failed() {
		return
	}
	plans = nil
	for i, s := range scenarios {
		sum.scenarios += min(1, len(points[i])) // not those that the command line leaves out
		sum.points += len(points[i])
		for j := (2 + i) % every; j < len(points[i]); j += every {
			plans = append(plans, crashPlan{s, points[i][j], 1 + j%9})
		}
	}
	together(t, atOnce, plans, func(t *testing.T, _ int, p crashPlan) {
		r := newCrashRun(t, binary, store(t), p)
		r.dieTwice(sum)
		r.judge(sum)
	})
	t.Logf("%s: %s; %s", path.Base(t.Name()), sum, time.Since(began).Round(time.Second))
	if sum.unreached > max(1, len(plans)/20) {
		t.Errorf(
			"%d points of %d were not reached again: the scenarios are not the same in every run",
			sum.unreached,
			len(plans),
		)
	}
	if sum.acted == 0 || sum.died == 0 || every == 1 && sum.repeated == 0 {
		t.Error("nothing was acted upon, or nothing was interrupted, so nothing is proven")
	}
}

// together runs a test for each plan, so many at once: they wait most of the time, so the limit for parallel tests does
// not fit.
func together(t *testing.T, atOnce int, plans []crashPlan, test func(t *testing.T, i int, p crashPlan)) {
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, p := range plans {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(strings.Trim(p.scenario.name+"/"+p.at, "/"), func(t *testing.T) { test(t, i, p) })
		})
	}
	all.Wait()
}

// discover lets the scenario come to its end undisturbed, and answers the points it reached.
func (r *crashRun) discover() []string {
	r.t.Helper()
	r.begin(r.start(""))
	if !soon(settleWithin, r.settled) {
		return nil // the judge says what is missing
	}
	wait(200 * time.Millisecond) // what is done behind the end has points too
	data, err := os.ReadFile(r.points)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// dieTwice lets the process die at its point, then during the recovery, and then lets it live.
func (r *crashRun) dieTwice(sum *crashSum) {
	r.t.Helper()
	first := r.start(r.at)
	r.begin(first)
	soon(settleWithin, func() bool { return first.ended() || r.settled() })
	if !soon(time.Second, first.ended) {
		sum.add(func() { sum.unreached++ })
		r.t.Logf("not reached in this run: %s", r.at)
		first.kill()
	}
	if r.scenario.edited {
		r.edit()
	}
	second := r.start(strconv.Itoa(r.again))
	soon(settleWithin/2, func() bool { return second.ended() || r.settled() })
	if second.ended() {
		sum.add(func() { sum.died++ })
	}
	second.kill()
	r.start("")
	soon(settleWithin, r.settled) // whether it got there is judged
	sum.add(func() { sum.kills += 2 })
}

// ended reports whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// start starts the program, to die at a point if one is named. A router that finds its store too slow on a busy machine
// ends by itself, and is started again as the service manager does.
func (r *crashRun) start(at string) *process {
	r.t.Helper()
	for range 5 {
		p := launchBuild(
			r.t,
			r.binary,
			&r.logs,
			environ(r.base, map[string]string{"CALLROUTER_CRASH_LOG": r.points, "CALLROUTER_CRASH_AT": at}),
			"serve",
		)
		select {
		case <-p.ready:
			r.world.run.Store(p)
			return p
		case <-p.done:
			if p.cmd.ProcessState.ExitCode() < 0 { // by a signal: it died at its point
				return p
			}
		case <-time.After(20 * time.Second):
			r.t.Fatalf("the router does not serve:\n%s", excerpt(&r.logs))
		}
	}
	r.t.Fatalf("the router does not start:\n%s", excerpt(&r.logs))
	return nil
}

// crashSum is what became of all runs.
type crashSum struct {
	mu                                              sync.Mutex
	scenarios, points, kills, unreached, died       int
	calls, acked, acted, repeated, lost, conflicted int
	late, slots                                     int
}

func (s *crashSum) add(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *crashSum) String() string {
	return fmt.Sprintf(
		"scenarios %d, points %d, kills %d (%d at a point of the recovery, %d points not reached again): "+
			"calls %d, acknowledged %d, acted upon %d, repeated %d, lost %d, conflicting %d, after the window %d, slots left %d",
		s.scenarios,
		s.points,
		s.kills,
		s.died,
		s.unreached,
		s.calls,
		s.acked,
		s.acted,
		s.repeated,
		s.lost,
		s.conflicted,
		s.late,
		s.slots,
	)
}
