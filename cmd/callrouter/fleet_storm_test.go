package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"callrouter/store/storetest"
)

// pace is fifty calls a second.
const pace = 20 * time.Millisecond

// Three routers, each webhook at two or three of them at once, agents who answer, decline and miss, callers who hang
// up: each call is decided once, and no agent ever has more calls than capacity.
func TestFleetStorm(t *testing.T) {
	f := newFleet(t, fleetPlan{})
	for _, m := range f.members { // between a look and a write there is time for others
		m.proxy.Set(storetest.Trouble{Delay: 5 * time.Millisecond})
	}
	f.underLoad(pace, 20*time.Second, f.caller(1), func() {})
	f.settle(25 * time.Second)
	v := f.judge(false)
	f.freed(2 * time.Second)
	if v.late > 0 || v.refused > 0 {
		t.Errorf("%d calls too late, %d webhooks refused, though nothing was broken", v.late, v.refused)
	}
	conflicts, busy, _ := f.store()
	if conflicts == 0 || busy == 0 {
		t.Error("nobody ever met anybody, so nothing is proven")
	}
}

// One router after the other is killed, one every 3 s, and started again.
func TestFleetKilled(t *testing.T) {
	f := newFleet(t, fleetPlan{})
	f.underLoad(pace, time.Minute, f.caller(0.3), func() {
		for i := range 19 {
			wait(2600 * time.Millisecond)
			m := f.members[i%instances]
			m.run.Load().kill()
			f.kills.Add(1)
			wait(300 * time.Millisecond)
			m.start()
		}
	})
	f.settle(25 * time.Second)
	f.judge(false)
	f.freed(freedWithin)
	if !strings.Contains(f.logs.String(), "call taken over") {
		t.Error("no call was taken over, so nothing is proven")
	}
}

// Every router is stopped and started again, ten stops one after the other: no webhook is refused. The load balancer
// looks every 100 ms whether a router stops.
func TestFleetRollingRestart(t *testing.T) {
	f := newFleet(t, fleetPlan{env: map[string]string{"CALLROUTER_DRAIN": "500ms"}})
	ctx, cancel := context.WithCancel(t.Context())
	var looks sync.WaitGroup
	looks.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			for _, m := range f.members {
				m.look()
			}
			<-tick.C
		}
	})
	defer func() { cancel(); looks.Wait() }()
	var slowest time.Duration
	f.underLoad(pace, 35*time.Second, f.caller(0.3), func() {
		for i := range 10 {
			wait(2500 * time.Millisecond)
			m := f.members[i%instances]
			began := time.Now()
			m.run.Load().signal(t, syscall.SIGTERM)
			if code := m.run.Load().exit(t, 10*time.Second); code != 0 {
				t.Errorf("exit code %d", code)
			}
			slowest = max(slowest, time.Since(began))
			m.start()
		}
	})
	f.settle(25 * time.Second)
	v := f.judge(false)
	f.freed(2 * time.Second)
	t.Logf("slowest stop %s", slowest.Round(time.Millisecond))
	if v.refused > 0 || v.late > 0 {
		t.Errorf("%d webhooks refused, %d calls too late", v.refused, v.late)
	}
}

// Routers sleep for longer than their lease, one after the other: the others have their calls, and what they do on
// waking is refused.
func TestFleetPaused(t *testing.T) {
	f := newFleet(t, fleetPlan{})
	var stale []int64
	f.underLoad(pace, 42*time.Second, f.caller(0.3), func() {
		wait(3 * time.Second)
		for _, asleep := range f.members[:2] {
			asleep.run.Load().signal(t, syscall.SIGSTOP)
			wait(9 * time.Second)
			before := asleep.proxy.conflicts.Load()
			asleep.run.Load().signal(t, syscall.SIGCONT)
			wait(3 * time.Second)
			stale = append(stale, asleep.proxy.conflicts.Load()-before)
			wait(12 * time.Second) // what it had is decided by others before one of those sleeps
		}
	})
	f.settle(25 * time.Second)
	f.judge(false)
	f.freed(freedWithin)
	others := strings.Count(f.logs.String(), "call taken over")
	t.Logf("calls taken over %d, writes refused in the 3 s after each woke %v", others, stale)
	if others == 0 || slices.Max(stale) == 0 {
		t.Error("no call was taken over, or nothing stale was written, so nothing is proven")
	}
}
