package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrouter/engine/testrun"
	"callrouter/store/storetest"
)

// TestWaitingNobodyIsLostNorOvertaken: real routers, with calls that wait in queues while agents come and go. The logs
// of the agents and of the stand-in tell whether anybody was lost, or rung for out of turn.
func TestWaitingNobodyIsLostNorOvertaken(t *testing.T) {
	testrun.NotShort(t, "it builds and starts routers")
	program := filepath.Join(t.TempDir(), "callrouter")
	if err := buildRouter(t.Context(), program); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"disk", "redis"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind == "redis" {
				storetest.Need(t, "redis-server", "Redis (apt-get install redis-server, brew install redis)")
			}
			p := waitingPlan{routers: 3, agents: 8, length: 4 * time.Second, rate: 10, place: 50}
			r, err := measureCase(t.Context(), p, t.TempDir(), program, kind, waitingCase{queues: 2, calls: 30})
			if err != nil {
				t.Fatal(err)
			}
			t.Log("\n" + r.text(kind, waitingCase{2, 30}))
			if r.lost+r.refused+r.overtaken+r.unrung > 0 {
				t.Error("a call was lost or overtaken, or an agent was not rung")
			}
			if r.calls != 8+60+40 || r.freed < 30 {
				t.Errorf("%d calls, %d agents who became free; want %d, and 30 at least", r.calls, r.freed, 8+60+40)
			}
		})
	}
}

// TestJudgeOfOrder: who is overtaken, and who is not.
func TestJudgeOfOrder(t *testing.T) {
	at := func(seconds float64) time.Time { return time.Unix(1_000_000, int64(seconds*1e9)) }
	ring := func(agent string, free, rang float64, call string) *turn {
		return &turn{agent: agent, sent: at(free), rang: at(rang), call: call}
	}
	declined := func(t *turn, when float64) *turn { t.declined = at(when); return t }
	for name, c := range map[string]struct {
		turns []*turn
		ended map[string]float64
		want  int
	}{
		"in order":                      {[]*turn{ring("ana", 9, 10, "first"), ring("bia", 11, 12, "second")}, nil, 0},
		"out of order":                  {[]*turn{ring("ana", 9, 10, "second"), ring("bia", 11, 12, "first")}, nil, 1},
		"never rung":                    {[]*turn{ring("ana", 9, 10, "second")}, nil, 1},
		"two were free":                 {[]*turn{ring("ana", 9, 10, "second"), ring("bia", 9, 10.2, "first")}, nil, 0},
		"one was free for two":          {[]*turn{ring("ana", 9, 10, "third"), ring("bia", 9, 11, "first")}, nil, 1},
		"another queue":                 {[]*turn{ring("ana", 9, 10, "other")}, nil, 0},
		"the first caller left":         {[]*turn{ring("ana", 9, 10, "second")}, map[string]float64{"first": 10.05}, 0},
		"the first caller leaves later": {[]*turn{ring("ana", 9, 10, "second")}, map[string]float64{"first": 11}, 1},
		"declined, another agent's turn": {[]*turn{
			declined(ring("ana", 9, 10, "first"), 11), ring("bia", 12, 13, "second"), ring("bia", 14, 15, "first"),
		}, nil, 1},
		"declined, the same agent's turn": {[]*turn{
			declined(ring("ana", 9, 10, "first"), 11), ring("ana", 11, 12, "second"), ring("bia", 14, 15, "first"),
		}, nil, 0},
		"not rung": {[]*turn{{agent: "ana", sent: at(9)}, ring("bia", 9, 10, "first")}, nil, 0},
	} {
		l := lineUp{}
		for i, id := range []string{"first", "second", "third", "other"} {
			w := &waitingCall{queue: "line", posted: at(float64(i)), taken: at(float64(i) + 0.5)}
			if id == "other" {
				w.queue = "other"
			}
			if end, ok := c.ended[id]; ok {
				w.ended = at(end)
			}
			l[id] = w
		}
		if got := l.overtaken(c.turns); len(got) != c.want {
			t.Errorf("%s: %d phones rang out of turn, want %d", name, len(got), c.want)
		}
	}
}

func TestWaitingPlan(t *testing.T) {
	p, err := readWaitingPlan([]string{"-calls=250, 10x1000", "-stores=disk"})
	if want := "[{1 250} {10 1000}]"; err != nil || fmt.Sprint(p.cases) != want {
		t.Errorf("%v (%v), want %s", p.cases, err, want)
	}
	for args, want := range map[string]string{
		"-calls=many": "neither a number of calls", "-calls=1xx": "neither a number of calls",
		"-calls=0":      "neither a number of calls",
		"-stores=paper": "neither disk nor redis", "-routers=0": "more than 0", "-agents=3": "too few",
	} {
		if _, err := readWaitingPlan([]string{args}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
