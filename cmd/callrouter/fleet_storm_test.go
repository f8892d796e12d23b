package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"callrouter/store/storetest"
)

// pace is fifty calls a second.
const pace = 20 * time.Millisecond

// Three routers, each webhook at two or three of them at once, agents who answer, decline and miss, callers who hang up:
// each call is decided once, and no agent ever has more calls than capacity.
func TestFleetStorm(t *testing.T) {
	f := newFleet(t)
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
	f := newFleet(t)
	f.underLoad(pace, 38*time.Second, f.caller(0.3), func() {
		for i := range 12 {
			wait(2500 * time.Millisecond)
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

// Every router is stopped and started again, twice, one after the other: no webhook is refused.
func TestFleetRollingRestart(t *testing.T) {
	f := newFleet(t)
	var slowest time.Duration
	f.underLoad(pace, 26*time.Second, f.caller(0.3), func() {
		for i := range 2 * instances {
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

// A router sleeps for longer than its lease: the others have its calls, and what it does on waking is refused.
func TestFleetPaused(t *testing.T) {
	f := newFleet(t)
	asleep := f.members[0]
	var before, after int64
	f.underLoad(pace, 24*time.Second, f.caller(0.3), func() {
		wait(4 * time.Second)
		asleep.run.Load().signal(t, syscall.SIGSTOP)
		wait(10 * time.Second)
		before = asleep.proxy.conflicts.Load()
		asleep.run.Load().signal(t, syscall.SIGCONT)
		wait(1500 * time.Millisecond)
		after = asleep.proxy.conflicts.Load()
	})
	f.settle(25 * time.Second)
	f.judge(false)
	f.freed(freedWithin)
	others := 0
	for _, line := range strings.Split(f.logs.String(), "\n") {
		if strings.Contains(line, "call taken over") {
			others++
		}
	}
	t.Logf("calls taken over %d, writes refused in the 1.5 s after it woke %d", others, after-before)
	if others == 0 || after == before {
		t.Error("no call was taken over, or nothing stale was written, so nothing is proven")
	}
}
