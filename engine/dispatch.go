package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"callrouter/rules"
)

const (
	// leastTurn is the shortest time between two turns of a call while its queue stays as it is: one that was told, looked
	// and came back would spin.
	leastTurn = 20 * time.Millisecond
	// soon is how long a dispatcher gathers calls that come and go before it looks. Nearly always their own look was
	// enough, and hundreds may come in a second.
	soon = 20 * time.Millisecond
	// freshLook is how old a dispatcher's reading of the queue may be for a call to go by it. The step that takes the agent
	// fails if the queue has changed since.
	freshLook = 100 * time.Millisecond
)

// dispatchers watch the queues in which calls of this instance wait: one dispatcher a queue, for as long as one waits.
// Those who wait do not poll. A dispatcher reads the queue once for each change, and tells as many calls as agents are
// free that it may be their turn, with what it read. It decides nothing: whoever is told yields to earlier calls, and
// reserves the agent in the step that writes the offer, which fails if the queue has changed since. So a dispatcher that
// is wrong costs a look or a second, and never the order.
type dispatchers struct {
	mu      sync.Mutex
	byQueue map[string]*dispatcher
}

func (d *dispatchers) init() { d.byQueue = map[string]*dispatcher{} }

// dispatcher is that of one queue.
type dispatcher struct {
	e       *Engine
	queue   string
	freed   chan struct{}          // a slot of an agent may be free
	changed chan struct{}          // a call came or went
	waiting map[string]*placeInRow // by Key; guarded by dispatchers.mu
	agents  []string               // as last looked at, in order; guarded by dispatchers.mu
	read    time.Time              // when who waits was last read
	without int                    // how many calls were last told to go on without the store
}

// placeInRow is a call of this instance that waits.
type placeInRow struct {
	key  string
	f    *rules.File // the version with which the call began
	turn chan *queueLook
	told lastTurn
}

// queueLook is what a dispatcher read of its queue.
type queueLook struct {
	queue string
	at    time.Time
	snap  Snapshot
	alive []string
}

// lastTurn is when a call was last told that it may be its turn, and how its queue was then.
type lastTurn struct {
	at    time.Time
	queue string
}

// join adds a call to those that wait in a queue. leave must be called once it waits no more.
func (d *dispatchers) join(r *runner, queue string) (turn <-chan *queueLook, leave func()) {
	p := &placeInRow{key: r.c.Key(), f: r.f, turn: make(chan *queueLook, 1), told: r.told}
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.byQueue[queue]
	if q == nil {
		q = &dispatcher{
			e: r.e, queue: queue, freed: make(chan struct{}, 1), changed: make(chan struct{}, 1),
			waiting: map[string]*placeInRow{},
		}
		d.byQueue[queue] = q
		r.e.background(q.run)
	}
	q.waiting[p.key] = p
	poke(q.changed)
	return p.turn, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		r.told = p.told
		if q.waiting[p.key] == p {
			delete(q.waiting, p.key)
		}
		poke(q.changed)
	}
}

// freed has the dispatchers look that have an agent whose slot may be free, or all of them.
func (d *dispatchers) freed(topic string) {
	agent, one := strings.CutPrefix(topic, topicSlotsOf)
	if !one && topic != TopicAllSlots {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, q := range d.byQueue {
		if _, has := slices.BinarySearch(q.agents, agent); has || !one {
			poke(q.freed)
		}
	}
}

func poke(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default: // it looks anyway
	}
}

// places returns the calls that wait, and ends the dispatcher if there are none.
func (q *dispatcher) places() []*placeInRow {
	d := &q.e.dispatchers
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(q.waiting) == 0 {
		delete(d.byQueue, q.queue)
		return nil
	}
	places := make([]*placeInRow, 0, len(q.waiting))
	for _, p := range q.waiting {
		places = append(places, p)
	}
	return places
}

// run looks at once when a slot is free, soon when calls come and go, and every [Timing.Poll] since wakes may be lost.
func (q *dispatcher) run(ctx context.Context) {
	for freed, going := true, true; going; {
		places := q.places()
		if places == nil {
			return
		}
		freed, going = q.rest(ctx, q.look(places, freed))
	}
}

// rest waits until the next look, which is in d at the latest. It reports whether a slot may be free, and returns false
// if the engine stops: its runners end by themselves.
func (q *dispatcher) rest(ctx context.Context, d time.Duration) (freed, going bool) {
	next := time.NewTimer(d)
	defer next.Stop()
	changed := q.changed
	if q.without > 0 { // those who go on without the store leave, which is no reason to ask it sooner
		changed = nil
	}
	for {
		select {
		case <-q.freed:
			return true, true
		case <-next.C:
			return changed != nil, true
		case <-changed:
			next.Reset(min(d, soon))
			changed = nil
		case <-ctx.Done():
			return false, false
		}
	}
}

// look reads the queue, tells whoever may have a turn, and returns how long nothing needs to be looked at. Unless a
// slot may be free, it reads the agents first, and then goes on only if one of them is: calls come and go all the time,
// and most of that while all agents are busy.
func (q *dispatcher) look(places []*placeInRow, freed bool) (again time.Duration) {
	defer func() {
		if p := recover(); p != nil {
			q.e.caught(p, "a bug stopped a look at a queue; each call that waits in it looks for itself; report the stack",
				"queue", q.queue)
			again = q.eachForItself(places)
		}
	}()
	now := q.e.Now()
	local := make(map[string]*placeInRow, len(places))
	for _, p := range places {
		local[p.key] = p
	}
	agents := q.employed(places)
	if due := q.read.Add(q.e.Timing.Poll); !freed && now.Before(due) {
		snap, err := q.e.snapshot(Query{Agents: agents})
		if err == nil && len(q.free(places, agents, snap)) == 0 {
			q.without = 0
			return max(q.untilFreed(snap, agents, now, due.Sub(now)), leastTurn)
		}
	}
	snap, err := q.e.snapshot(Query{Agents: agents, Queues: []string{q.queue}})
	alive := []string{q.e.instance}
	waiters := snap.Queues[q.queue]
	if err == nil && slices.ContainsFunc(waiters, func(w Waiter) bool { return w.Owner != q.e.instance }) {
		alive, err = q.e.alive()
	}
	switch {
	case err != nil && q.e.awayShortly(): // one asks for all, or those who wait would keep the store from coming back
		return askAgain
	case err != nil: // each finds out how to go on without the store
		return q.moreForThemselves(places)
	}
	q.without = 0
	q.read = now
	free := q.free(places, agents, snap)
	turn, look := lastTurn{at: now, queue: fmt.Sprint(snap.Revs[q.queue], free)}, &queueLook{q.queue, now, snap, alive}
	again = q.handOut(waiters, local, look, free, turn)
	for _, p := range local { // its record does not wait any more
		q.tell(p, turn, nil)
	}
	return max(q.untilFreed(snap, agents, now, again), leastTurn)
}

// untilFreed returns when a slot is free by itself, or most if that is sooner.
func (q *dispatcher) untilFreed(s Snapshot, agents []string, now time.Time, most time.Duration) time.Duration {
	if first := s.freed(agents, now); !first.IsZero() {
		return min(most, first.Sub(now))
	}
	return most
}

// eachForItself has all calls look at the queue themselves.
func (q *dispatcher) eachForItself(places []*placeInRow) (again time.Duration) {
	for _, p := range places {
		q.tell(p, lastTurn{}, nil)
	}
	return q.e.Timing.Poll
}

// firstWithout is how many calls are told first that the store does not reply.
const firstWithout = 50

// moreForThemselves has calls look at the queue themselves, twice as many each time. If all did so at once, a store
// that is only slow would not come back.
func (q *dispatcher) moreForThemselves(places []*placeInRow) (again time.Duration) {
	q.without = min(max(2*q.without, firstWithout), len(places))
	q.eachForItself(places[:q.without])
	return askAgain
}

// handOut goes through those who wait, in order, and gives each the first free agent whom it may have. It removes from
// local whoever waits. It returns when a call that was told a moment ago, and came back, may be told again.
func (q *dispatcher) handOut(
	waiters []Waiter, local map[string]*placeInRow, look *queueLook, free []candidate, turn lastTurn,
) time.Duration {
	again, held := q.e.Timing.Poll, false
	may := q.e.eligibility(q.queue)
	for _, w := range waiters {
		p := local[w.Key]
		delete(local, w.Key)
		if len(free) == 0 || p == nil && w.Owner != "" && !slices.Contains(look.alive, w.Owner) {
			continue
		}
		i := slices.IndexFunc(free, func(c candidate) bool { return may.ring(w, c.agent) })
		if i < 0 {
			continue
		}
		free = slices.Delete(free, i, i+1)
		if p == nil {
			continue
		}
		pause := p.told.at.Add(leastTurn).Sub(turn.at)
		if pause > 0 && p.told.queue == turn.queue { // and nobody behind it goes first meanwhile
			again, held = min(again, pause), true
		}
		if !held {
			q.tell(p, turn, look)
		}
	}
	return again
}

// tell says to a call that it may be its turn, and what the queue looks like; nil: it looks for itself.
func (q *dispatcher) tell(p *placeInRow, turn lastTurn, look *queueLook) {
	d := &q.e.dispatchers
	d.mu.Lock()
	p.told = turn
	d.mu.Unlock()
	select {
	case p.turn <- look:
	default: // it knows
	}
}

// employed returns all agents of the queue, by every version of the rules that a waiting call has. From now on slots of
// theirs concern the dispatcher.
func (q *dispatcher) employed(places []*placeInRow) []string {
	var agents []string
	seen := map[*rules.File]bool{}
	for _, p := range places {
		if seen[p.f] {
			continue
		}
		seen[p.f] = true
		queue, _ := p.f.Queue(q.queue)
		agents = append(agents, queue.Agents...)
	}
	slices.Sort(agents)
	agents = slices.Compact(agents)
	d := &q.e.dispatchers
	d.mu.Lock()
	defer d.mu.Unlock()
	q.agents = agents
	return agents
}

// free returns a candidate for each free slot of the agents.
func (q *dispatcher) free(places []*placeInRow, agents []string, s Snapshot) []candidate {
	var free []candidate
	for _, name := range agents {
		state := s.Agents[name]
		if !state.Available() || !q.e.employs(name) {
			continue
		}
		for _, p := range places {
			if file, ok := p.f.Agent(name); ok {
				for range state.CapacityNow(file.Capacity) - len(state.Slots) {
					free = append(free, candidate{agent: name})
				}
				break
			}
		}
	}
	return free
}

// eligibility knows which agents a waiting call may still be offered to.
type eligibility struct {
	e        *Engine
	queue    string
	versions map[string][]string // agents of the queue, by version of the rules; nil: it is not known here
}

func (e *Engine) eligibility(queue string) *eligibility {
	return &eligibility{e: e, queue: queue, versions: map[string][]string{}}
}

// ring reports whether w may still be offered to an agent: one of its queue, by the rules with which it began, who was
// not offered it before. Of rules that are not loaded here every agent counts: an earlier call is yielded to in doubt.
func (m *eligibility) ring(w Waiter, agent string) bool {
	if slices.Contains(w.Rung, agent) {
		return false
	}
	agents := w.Agents
	if len(agents) == 0 {
		known, ok := m.versions[w.Version]
		if !ok {
			if f, loaded := m.e.version(w.Version); loaded {
				queue, _ := f.Queue(m.queue)
				known = queue.Agents
			}
			m.versions[w.Version] = known
		}
		agents = known
	}
	return len(agents) == 0 || slices.Contains(agents, agent)
}
