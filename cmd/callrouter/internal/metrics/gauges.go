package metrics

import (
	"context"
	"strconv"
	"time"

	"callrouter/engine"
	"callrouter/rules"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// gaugesTime bounds one read of the store for gauges.
	gaugesTime = 3 * time.Second
	// maxCounted bounds what a gauge counts; no more calls can be in hand.
	maxCounted = 20_000
)

// gauges are what is read from the store now and then, so that a scrape never waits for it. While the store cannot be
// reached, those that come from it are not shown, since nobody knows.
type gauges struct {
	storeUp prometheus.Gauge
	journal prometheus.Gauge
	alarm   *prometheus.GaugeVec

	agents    *gaugeSet
	slots     *gaugeSet
	available *gaugeSet
	free      *gaugeSet
	waiting   *gaugeSet
	open      *gaugeSet
	live      *prometheus.GaugeVec
	overdue   *prometheus.GaugeVec
}

func newGauges(f factory) gauges {
	const everywhere = " The same from every instance: take the max of instances, not the sum."
	return gauges{
		storeUp: f.gauge("store_up", "1 if this instance reached the store when it last looked, 0 if not."),
		journal: f.gauge(
			"journal_calls",
			"Calls that this instance keeps in memory until the store can take their records.",
		),
		alarm: f.gauges(
			"platform_alarm",
			"1 for the code of each error that WhatsApp reported for no call in particular, since this instance "+
				"started. 131044 (no payment method) ends with the next call that comes.",
			"code",
		),

		agents: f.set(
			"agents",
			"Agents of the rules file, by status: available, away, offline."+everywhere,
			"status",
		),
		slots: f.set(
			"slots",
			"Agents' slots, by state: free (of agents who are available), ringing, active, wrap_up."+everywhere,
			"state",
		),
		available: f.set(
			"queue_agents_available",
			"Agents of a queue who are connected and available."+everywhere,
			"queue",
		),
		free: f.set(
			"queue_slots_free",
			"Free slots of a queue's available agents. An agent of two queues counts in both."+everywhere,
			"queue",
		),
		waiting: f.set("queue_calls_waiting", "Calls that wait in a queue."+everywhere, "queue"),
		open: f.set(
			"hours_open",
			"1 if the hours are open now, by their plan or by a switch, else 0."+everywhere,
			"hours",
		),
		live: f.gauges("calls_live", "Calls that have not ended."+everywhere),
		overdue: f.gauges(
			"calls_past_max_call",
			"Active calls that are longer than max_call allows: their hang-up is not confirmed."+everywhere,
		),
	}
}

// Refresh reads the gauges from the store. A store that is away is a gauge, too, and no error.
func (m *Metrics) Refresh(ctx context.Context, e *engine.Engine, s engine.Store) error {
	m.gauges.refresh(ctx, e, s)
	return nil
}

// RefreshOverdue counts the calls that are longer than max_call allows. It reads whole records, so it runs less often.
func (m *Metrics) RefreshOverdue(ctx context.Context, e *engine.Engine, s engine.Store) error {
	return m.gauges.refreshOverdue(ctx, e, s)
}

// refresh reads everything but what takes long. A store that cannot be reached is what store_up tells.
func (g *gauges) refresh(ctx context.Context, e *engine.Engine, s engine.Store) {
	ctx, cancel := context.WithTimeout(ctx, gaugesTime)
	defer cancel()
	g.journal.Set(float64(e.Kept()))
	g.alarm.Reset()
	for _, a := range e.Alarms() {
		g.alarm.WithLabelValues(strconv.Itoa(a.Code)).Set(1)
	}
	if err := g.refreshStored(ctx, e, s); err != nil {
		g.storeUp.Set(0)
		for _, v := range []*gaugeSet{g.agents, g.slots, g.available, g.free, g.waiting, g.open} {
			v.show(nil)
		}
		g.live.Reset()
		g.overdue.Reset()
		return
	}
	g.storeUp.Set(1)
}

func (g *gauges) refreshStored(ctx context.Context, e *engine.Engine, s engine.Store) error {
	now, f := time.Now(), e.Rules()
	var q engine.Query
	for _, a := range f.Agents() {
		q.Agents = append(q.Agents, a.ID)
	}
	for _, queue := range f.Queues() {
		q.Queues = append(q.Queues, queue.Name)
	}
	snap, err := s.Snapshot(ctx, q)
	if err != nil {
		return err
	}
	switches, err := s.Switches(ctx)
	if err != nil {
		return err
	}
	live, err := s.CountLive(ctx)
	if err != nil {
		return err
	}
	free := g.setAgents(f, snap)
	g.setQueues(f, snap, free)
	g.setHours(f, switches, now)
	g.live.WithLabelValues().Set(float64(live))
	return nil
}

// setAgents returns how many free slots each available agent has.
func (g *gauges) setAgents(f *rules.File, snap engine.Snapshot) map[string]int {
	status := map[string]int{"available": 0, "away": 0, "offline": 0}
	slots := map[string]int{
		"free":                     0,
		string(engine.HoldRinging): 0,
		string(engine.HoldActive):  0,
		string(engine.HoldWrapUp):  0,
	}
	free := map[string]int{}
	for _, a := range f.Agents() {
		s := snap.Agents[a.ID]
		for _, slot := range s.Slots {
			slots[string(slot.Kind)]++
		}
		switch {
		case !s.Connected:
			status["offline"]++
		case s.Away:
			status["away"]++
		default:
			status["available"]++
			capacity := a.Capacity
			if s.Capacity != nil {
				capacity = *s.Capacity
			}
			free[a.ID] = max(0, capacity-len(s.Slots))
			slots["free"] += free[a.ID]
		}
	}
	g.agents.show(status)
	g.slots.show(slots)
	return free
}

func (g *gauges) setQueues(f *rules.File, snap engine.Snapshot, freeOf map[string]int) {
	available, free, waiting := map[string]int{}, map[string]int{}, map[string]int{}
	for _, q := range f.Queues() {
		available[q.Name], free[q.Name], waiting[q.Name] = 0, 0, len(snap.Queues[q.Name])
		for _, agent := range q.Agents {
			if n, ok := freeOf[agent]; ok {
				available[q.Name]++
				free[q.Name] += n
			}
		}
	}
	g.available.show(available)
	g.free.show(free)
	g.waiting.show(waiting)
}

func (g *gauges) setHours(f *rules.File, switches map[string]rules.Switch, now time.Time) {
	open := map[string]int{}
	for _, name := range f.HoursNames() {
		open[name] = 0
		if is, _ := f.Open(name, now, &rules.Runtime{Switches: switches}); is {
			open[name] = 1
		}
	}
	g.open.show(open)
}

// refreshOverdue counts the calls that go on after they should have been hung up.
func (g *gauges) refreshOverdue(ctx context.Context, e *engine.Engine, s engine.Store) error {
	ctx, cancel := context.WithTimeout(ctx, gaugesTime)
	defer cancel()
	calls, err := s.List(ctx, engine.Filter{State: engine.Active, Limit: maxCounted})
	if err != nil {
		g.overdue.Reset()
		return err
	}
	n, now := 0, e.Now()
	for _, c := range calls {
		if c.MaxCall > 0 && now.After(c.ActiveAt.Add(c.MaxCall)) {
			n++
		}
	}
	g.overdue.WithLabelValues().Set(float64(n))
	return nil
}

// gaugeSet is gauges of one label, whose values come and go with the rules file.
type gaugeSet struct {
	*prometheus.GaugeVec
	shown map[string]int
}

func (f factory) set(name, help, label string) *gaugeSet {
	return &gaugeSet{GaugeVec: f.gauges(name, help, label)}
}

// show shows these values and no others. A value that stays never disappears in between, so no scrape misses it.
func (s *gaugeSet) show(values map[string]int) {
	for label := range s.shown {
		if _, stays := values[label]; !stays {
			s.DeleteLabelValues(label)
		}
	}
	for label, n := range values {
		s.WithLabelValues(label).Set(float64(n))
	}
	s.shown = values
}
