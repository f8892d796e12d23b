package engine_test

import (
	"fmt"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// Three instances had the same call while they shared no store: one accepted it, two came too late, and one of the
// three heard that the caller hung up. In whatever order they write what they know, and however often they had written
// it in memory, the record has the accept and the end.
func TestWhatIsKnownApartComesTogether(t *testing.T) {
	at := time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC)
	record := func(owner string, rev int64, ended bool) *engine.Call {
		c := &engine.Call{ID: "a", Owner: owner, Rev: rev, Action: rules.Accept, State: engine.Active, ActiveAt: at}
		if owner != "first" {
			c.State, c.Outcome, c.EndedAt = engine.Ended, engine.Abandoned, at
		}
		if ended {
			c.CallerEnd = &engine.CallerEnd{At: at.Add(time.Minute), PickedUp: true}
		}
		if ended && owner == "first" {
			c.State, c.Outcome, c.EndedAt = engine.Ended, engine.Answered, at.Add(time.Minute)
		}
		return c
	}
	owners := []string{"first", "second", "third"}
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for hears := range owners {
			for revs := range 27 {
				t.Run(fmt.Sprint(order, hears, revs), func(t *testing.T) {
					var stored *engine.Call
					rev := []int64{int64(revs%3) + 2, int64(revs/3%3) + 2, int64(revs/9%3) + 2}
					for _, i := range order {
						if n := engine.Reconcile(stored, record(owners[i], rev[i], i == hears)); n != nil {
							stored = n
						}
					}
					if stored.State != engine.Ended || stored.Outcome != engine.Answered {
						t.Errorf("the record is %s %s", stored.State, stored.Outcome)
					}
				})
			}
		}
	}
}

// A store lost a ringing call, then heard that its caller left. The instance on which it rings finds another revision
// than the one it knows, so it cannot go on as if nothing had happened.
func TestEndHeardWhileTheCallWasLost(t *testing.T) {
	at := time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC)
	heard := &engine.Call{
		ID: "a", Rev: 1, State: engine.Ended, Outcome: engine.Abandoned, EndedAt: at, CallerEnd: &engine.CallerEnd{At: at},
	}
	rings := &engine.Call{ID: "a", Rev: 7, State: engine.Offered, Action: rules.Handoff, Owner: "first"}
	n := engine.Reconcile(heard, rings)
	if n == nil || n.State != engine.Ended || n.Owner != "first" {
		t.Fatalf("the record is %+v, want the ended call", n)
	}
	if n.Rev <= rings.Rev {
		t.Errorf("revision %d, want a newer one than %d", n.Rev, rings.Rev)
	}
	if again := engine.Reconcile(n, rings); again != nil {
		t.Errorf("the second time it is %+v, want the stored one to stand", again)
	}
	if lost := engine.Reconcile(nil, rings); lost.Rev != rings.Rev {
		t.Errorf("a lost call has revision %d, want %d: its owner goes on with it", lost.Rev, rings.Rev)
	}
}
