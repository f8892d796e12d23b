package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"callrouter/console"
	"callrouter/console/client"
	"callrouter/engine"
	"callrouter/positus/fake"
)

// waitingResult is what came of a case.
type waitingResult struct {
	calls                  int
	lost                   int // neither picked up nor recorded as ended by a caller who waited
	refused                int // webhooks that got no 200
	overtaken              int // phones that rang for a call while an earlier one of its queue could have had the agent
	freed                  int // agents who became free
	unrung                 int // those whose phone did not ring
	waits                  []time.Duration
	idle, resting, handing cpuLoad  // agents talk and nobody waits; agents talk and all wait; agents come and go
	remarks                []string // what went wrong, the first few
}

const waitingHead = "store   queues  waiting    calls    lost     503  overtaken   freed  not rung" +
	"      rings after p50       p99       max"

// text is the lines of the table about a case.
func (r *waitingResult) text(store string, c waitingCase) string {
	text := fmt.Sprintf("%-6s %7d %8d %8d %7d %7d %10d %7d %9d %20s %9s %9s\n",
		store, c.queues, c.queues*c.calls, r.calls, r.lost, r.refused, r.overtaken, r.freed, r.unrung,
		milliseconds(quantile(r.waits, 0.5)), milliseconds(quantile(r.waits, 0.99)), milliseconds(quantile(r.waits, 1)))
	text += fmt.Sprintf("       a router uses  nobody waits %s\n                      all wait     %s\n"+
		"                      handing out  %s", r.idle, r.resting, r.handing)
	for _, remark := range r.remarks {
		text += "\n       " + remark
	}
	return text
}

func (r *waitingResult) remark(format string, a ...any) {
	if len(r.remarks) < 5 {
		r.remarks = append(r.remarks, fmt.Sprintf(format, a...))
	}
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// clock is how remarks and logs give times.
const clock = "15:04:05.000"

// judge reads the logs of the stand-in and of the agents, and the records.
func (c *crowd) judge(ctx context.Context, r *waitingResult) error {
	order := lineUp{}
	for _, call := range c.calls {
		end, _ := call.End()
		order[call.ID] = &waitingCall{queue: call.queue, ended: end.At}
	}
	for _, d := range c.fake.Deliveries() {
		if !d.Delivered() {
			r.refused++
			r.remark("webhook %s of call %s at %s: %d %s",
				d.Event, engine.Key(d.CallIDs[0]), d.Time.Format(clock), d.Status, d.Err)
		}
		if w := order[d.CallIDs[0]]; d.Event == "connect" && d.Delivered() {
			w.posted, w.taken = d.Time, d.Time.Add(d.Latency)
		}
	}
	var turns []*turn
	for _, a := range c.agents {
		a.mu.Lock()
		turns = append(turns, a.turns...)
		for _, t := range a.turns[1:] { // the first is the agent's first call
			if r.freed++; t.rang.IsZero() {
				r.unrung++
				r.remark("%s is not rung after it %s at %s", a.name, t.how, t.sent.Format(clock))
				continue
			}
			r.waits = append(r.waits, t.wait())
		}
		for _, err := range a.failed {
			r.remark("%v", err)
		}
		a.mu.Unlock()
	}
	slices.Sort(r.waits)
	for _, o := range order.overtaken(turns) {
		r.overtaken++
		r.remark("%s rings for call %s at %s, and an earlier one waits: %s, since %s", o.turn.agent,
			engine.Key(o.turn.call), o.turn.rang.Format(clock), engine.Key(o.earlier), o.since.Format(clock))
	}
	r.calls = len(c.calls)
	return c.judgeRecords(ctx, r, turns)
}

// judgeRecords counts calls that were lost: whose record is not there, or does not say what became of the call, and
// those that nobody ended who was there to.
func (c *crowd) judgeRecords(ctx context.Context, r *waitingResult, turns []*turn) error {
	var records map[string]console.Record
	err := until(ctx, 30*time.Second, "the records say that all calls have ended", func() (ended bool) {
		var err error
		if records, err = c.records(ctx); err != nil {
			return false
		}
		for _, record := range records {
			if record.State != engine.Ended {
				return false
			}
		}
		return true
	})
	if len(records) == 0 {
		return err
	}
	for _, call := range c.calls {
		record, known := records[call.ID]
		accepted := slices.ContainsFunc(call.Events(), func(e fake.Event) bool { return e.State == fake.Accepted })
		want := engine.Abandoned
		if accepted {
			want = engine.Answered
		}
		end, over := call.End()
		if known && over && end.By != fake.Network && record.Outcome != nil && *record.Outcome == want {
			continue
		}
		r.lost++
		outcome := engine.Outcome("no outcome")
		if record.Outcome != nil {
			outcome = *record.Outcome
		}
		r.remark("lost: call %s, accepted %v, ended %v by %s; record %v: %s %s",
			engine.Key(call.ID), accepted, over, end.By, known, outcome, record.Why)
	}
	return nil
}

// records returns all records, by the id of the call.
func (c *crowd) records(ctx context.Context) (map[string]console.Record, error) {
	records := map[string]console.Record{}
	for f := (client.Filter{Limit: 1000, Oldest: true}); ; {
		page, err := c.admin.CallPage(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, record := range page.Calls {
			records[record.ID] = record
		}
		if f.Cursor = page.Next; page.Next == "" {
			return records, nil
		}
	}
}

// lineUp is who waits in the queues, by the id of the call.
type lineUp map[string]*waitingCall

type waitingCall struct {
	queue         string
	posted, taken time.Time // the webhook was sent, and replied to; zero: it was refused
	ended         time.Time // zero: it was not
}

// overtaking is a turn in which an earlier call was passed over, and since when that one waited.
type overtaking struct {
	turn    *turn
	earlier string
	since   time.Time
}

// overtaken returns the turns in which a phone rang for a call while an earlier one waited that the agent could have
// had. By its log, an agent is free from when it began to become free: what is on its way counts in favour of the
// router. An earlier call that rings a moment later, at an agent who was free as well, is not overtaken: it was left
// that agent.
func (l lineUp) overtaken(turns []*turn) []overtaking {
	rings := map[string][]*turn{} // by call, in order
	for _, t := range turns {
		if !t.rang.IsZero() {
			rings[t.call] = append(rings[t.call], t)
		}
	}
	byQueue := map[string][]string{}
	for id, w := range l {
		slices.SortFunc(rings[id], func(a, b *turn) int { return a.rang.Compare(b.rang) })
		if !w.taken.IsZero() {
			byQueue[w.queue] = append(byQueue[w.queue], id)
		}
	}
	var found []overtaking
	for _, t := range turns {
		later := l[t.call]
		if t.rang.IsZero() || later == nil {
			continue
		}
		for _, id := range byQueue[later.queue] {
			if id == t.call || !l[id].taken.Before(later.posted) {
				continue
			}
			if since, lets := l[id].lets(t, rings[id]); lets {
				found = append(found, overtaking{t, id, since})
				break
			}
		}
	}
	return found
}

// moment is how long a call takes to be handed out, or to be taken back: what comes later has nothing to do with it.
const moment = 100 * time.Millisecond

// lets reports whether an earlier call was passed over as a phone rang for a later one, and since when it waited. rings
// are those of the earlier call, in order.
func (w *waitingCall) lets(t *turn, rings []*turn) (since time.Time, lets bool) {
	if !w.ended.IsZero() && w.ended.Before(t.rang.Add(moment)) {
		return since, false
	}
	since = w.taken
	for _, r := range rings {
		switch {
		case r.rang.After(t.rang):
			return since, since.Add(moment).Before(t.rang) && r.sent.After(t.rang)
		case r.agent == t.agent: // who declined it
			return since, false
		case r.declined.IsZero(): // somebody picked it up
			return since, false
		}
		since = r.declined
	}
	return since, since.Add(moment).Before(t.rang)
}
