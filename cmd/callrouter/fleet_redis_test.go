package main

import (
	"testing"
	"time"

	"callrouter/positus/fake"
	"callrouter/store/storetest"
)

// healsWithin is from the end of a trouble to the first call that an agent answers: the gate, and a moment.
const healsWithin = 12 * time.Second

// trouble is what happens to Redis, from begin to end.
type trouble struct {
	config     []string
	lasts      time.Duration
	begin, end func(f *fleet)
}

func (f *fleet) startRedis() {
	if err := f.redis.Start(); err != nil {
		f.t.Fatal(err)
	}
}

// forget takes away what a replica that lags has not heard of when it takes over: calls, and who has them. It knows the
// agents, who were there all day.
func (f *fleet) forget() {
	f.redis.Do("EVAL", `for _, key in ipairs(redis.call('KEYS', 'cr1:*')) do
  for _, lost in ipairs({'call:', 'slots:', 'waiting:', 'caller:', 'due', 'live', 'received', 'ended', 'epoch'}) do
    if string.find(key, ':' .. lost, 1, true) then redis.call('DEL', key) end
  end
end
return 1`, 0)
}

func (f *fleet) hole(open bool) {
	for _, m := range f.members {
		m.proxy.Set(storetest.Trouble{Hole: open})
	}
}

// Redis loses everything, is away for a while, or has its clock set, under load: every webhook is taken at once, rules
// that need no store decide meanwhile, no agent ever has too many calls, agents are rung again soon after, and the
// records tell the truth.
func TestFleetRedis(t *testing.T) {
	nothing := func(*fleet) {}
	troubles := map[string]trouble{
		"flushed": {begin: func(f *fleet) { f.redis.Do("FLUSHALL") }, end: nothing},
		"stale":   {begin: (*fleet).forget, end: nothing},
		"emptied": {lasts: time.Second, begin: func(f *fleet) { f.redis.Kill() }, end: (*fleet).startRedis},
		"away": {lasts: 10 * time.Second, config: []string{"appendonly yes"},
			begin: func(f *fleet) { f.redis.Kill() }, end: (*fleet).startRedis},
		"clock set forward": {begin: func(f *fleet) { f.redis.SetClock(time.Minute) }, end: nothing},
		"clock set back":    {begin: func(f *fleet) { f.redis.SetClock(-time.Minute) }, end: nothing},
		"black hole": {
			lasts: 5 * time.Second,
			begin: func(f *fleet) { f.hole(true) },
			end:   func(f *fleet) { f.hole(false) },
		},
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, fleetPlan{redis: trouble.config})
			f.talk = [2]time.Duration{1500 * time.Millisecond, 4 * time.Second} // so that there is something to forget
			var began, ended time.Time
			f.underLoad(2*pace, 15*time.Second+trouble.lasts, f.caller(0.3), func() {
				wait(5 * time.Second)
				began = time.Now()
				trouble.begin(f)
				wait(trouble.lasts)
				trouble.end(f)
				ended = time.Now()
			})
			f.settle(25 * time.Second)
			v := f.judge(true)
			f.freed(freedWithin + trouble.lasts)
			f.judgeTrouble(began, ended)
			if v.refused > 0 || v.slowest > answeredWithin {
				t.Errorf("%d webhooks refused, slowest %s", v.refused, v.slowest)
			}
		})
	}
}

// judgeTrouble looks at what was done while Redis was in trouble, and how long it took to heal.
func (f *fleet) judgeTrouble(began, ended time.Time) {
	f.t.Helper()
	var heals time.Duration
	slowest, placed, meanwhile := map[bool]time.Duration{}, 0, 0
	for _, c := range f.fake.Calls() {
		f.callsMu.Lock()
		at, static := f.placed[c.ID], f.ways[c.ID] == "reject" || f.ways[c.ID] == "bot"
		f.callsMu.Unlock()
		decided := decidedAt(c)
		if _, agents := whoAnswers(c.Answer()); agents && at.After(ended) {
			if d := decided.Sub(ended); heals == 0 || d < heals {
				heals = d
			}
		}
		if at.Before(began) || !at.Before(ended) || decided.IsZero() {
			continue
		}
		placed++
		slowest[static] = max(slowest[static], decided.Sub(at))
		if static && decided.Before(ended) {
			meanwhile++
		}
	}
	f.t.Logf(
		"in trouble for %s: %d calls came and were over or answered after %s at most (by rules that need no store %s; %d of them meanwhile); "+
			"agents answer again %s after its end",
		ended.Sub(began).Round(time.Millisecond),
		placed,
		max(slowest[true], slowest[false]).Round(time.Millisecond),
		slowest[true].Round(time.Millisecond),
		meanwhile,
		heals.Round(time.Millisecond),
	)
	if heals == 0 || heals > healsWithin {
		f.t.Errorf("agents answer again %s after the end (0: never), later than %s", heals, healsWithin)
	}
	// A call that an agent is to have waits until agents are rung again.
	if slowest[true] > 3*time.Second || slowest[false] > healsWithin {
		f.t.Errorf("calls that came while the store was away waited too long for their action: %v", slowest)
	}
	if ended.Sub(began) > 3*time.Second && meanwhile < 20 {
		f.t.Errorf("only %d calls were decided by rules that need no store", meanwhile)
	}
}

// decidedAt is when a call rang no more; zero if it rings.
func decidedAt(c *fake.Call) time.Time {
	for _, e := range c.Events() {
		if e.State != fake.Ringing {
			return e.At
		}
	}
	return time.Time{}
}
