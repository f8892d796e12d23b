package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/store"
	"callrouter/store/storetest"
)

// The times of instances whose store loses data, in proportion to the real ones.
const (
	lossBeat = 200 * time.Millisecond
	lossGate = time.Second
	lossTalk = 2 * lossGate // at most; the store must not forget calls that outlast the gate
	// lossLease is how long the lease of a slot outlives the call, for a busy machine.
	lossLease = 15 * time.Second

	lossAgents, lossCapacity, lossWorkers = 6, 2, 8
)

// talker is an instance whose calls take agents, talk for a while, and end. It keeps what it knows, and tells a store
// that has lost it, as the engine does.
type talker struct {
	name  string
	s     engine.Store
	judge *storetest.Judge

	mu    sync.Mutex
	known map[string]*engine.Call
	epoch string
}

func (k *talker) note(c *engine.Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known[c.Key()] = c
}

// all are the calls in hand, and those that have ended since a replica that lags last heard of anything.
func (k *talker) all() (calls []*engine.Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, c := range k.known {
		if c.State == engine.Ended && time.Since(c.EndedAt) > 10*time.Second {
			delete(k.known, key)
			continue
		}
		calls = append(calls, c)
	}
	return calls
}

// beat renews the leases of the instance and its agents, and writes back what the store may have lost.
func (k *talker) beat(ctx context.Context) {
	for i := range lossAgents {
		_ = k.s.Present(ctx, fmt.Sprint("agent", i), k.name, time.Hour)
	}
	epoch, _, err := k.s.Beat(ctx, k.name, time.Hour)
	if err != nil {
		return
	}
	if k.epoch != "" && k.epoch != epoch {
		for _, c := range k.all() {
			if k.s.Reassert(ctx, c) != nil {
				epoch = "not told yet"
			}
		}
	}
	k.epoch = epoch
}

// beats goes on until the instance stops. The first is after a part of the time between two.
func (k *talker) beats(ctx context.Context, after time.Duration) {
	first := time.NewTimer(after)
	defer first.Stop()
	select {
	case <-first.C:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(lossBeat)
	defer tick.Stop()
	for {
		k.beat(context.WithoutCancel(ctx))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// talk is the life of one call.
func (k *talker) talk(ctx context.Context, id string, rng *rand.Rand) {
	c := newCall(id)
	c.Owner, c.CallerKey = k.name, ""
	if _, err := k.s.Insert(ctx, c); err != nil {
		return
	}
	c.Rev = 1
	for ctx.Err() == nil {
		agent, talk := rng.IntN(lossAgents), time.Duration(rng.Int64N(int64(lossTalk)))
		next := c.Clone()
		next.State, next.Action = engine.Active, "handoff"
		next.Holds = []engine.Hold{{
			Agent: fmt.Sprint("agent", agent), Kind: engine.HoldRinging,
			Capacity: lossCapacity, Until: time.Now().Add(talk + lossLease),
		}}
		got, err := k.s.Update(ctx, c, next)
		if errors.Is(err, engine.ErrBusy) || errors.Is(err, engine.ErrGate) {
			k.judge.Refused.Add(1)
			<-time.After(5 * time.Millisecond)
			continue
		}
		if err != nil { // lost with the store, or perhaps taken: it is given up
			c = next
			break
		}
		k.note(got)
		k.judge.Took(agent, lossCapacity)
		<-time.After(talk)
		k.judge.Gives(agent)
		c = got
		break
	}
	k.end(context.WithoutCancel(ctx), c)
}

// end ends a call, whatever the store knows of it.
func (k *talker) end(ctx context.Context, c *engine.Call) {
	next := c.Clone()
	next.State, next.Outcome, next.EndedAt = engine.Ended, engine.Answered, time.Now()
	next.Holds, next.Due = nil, time.Time{}
	for {
		got, err := k.s.Update(ctx, c, next)
		if errors.Is(err, engine.ErrConflict) {
			got = next.Clone()
			got.Rev++
			err = k.s.Reassert(ctx, got)
		}
		if err == nil {
			k.note(got)
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}

// losing is three instances, and a store that loses data.
type losing struct {
	*testing.T
	judge   *storetest.Judge
	stores  [3]engine.Store
	proxies [3]*storetest.Proxy
	server  *storetest.Redis // all instances use it
	link    *storetest.Proxy // between it and its replica
	replica *storetest.Redis
}

func newLosing(t *testing.T, server *storetest.Redis, replicated bool) *losing {
	l := &losing{T: t, judge: new(storetest.Judge), server: server}
	l.server.OpenGate()
	if replicated {
		l.link = storetest.NewProxy(t, l.server.Addr, nil)
		l.replica = storetest.NewRedis(t, "replicaof "+strings.Replace(l.link.Addr, ":", " ", 1))
		storetest.Eventually(t, "the replica follows", func() bool {
			return strings.Contains(l.replica.Do("INFO", "replication").(string), "master_link_status:up")
		})
	}
	for i := range l.stores {
		l.proxies[i] = storetest.NewProxy(t, l.server.Addr, nil)
		l.open(i, strings.Replace(l.server.URL, l.server.Addr, l.proxies[i].Addr, 1))
	}
	return l
}

// open connects an instance to an address.
func (l *losing) open(i int, url string) {
	l.Helper()
	s, err := store.Open(l.Context(), url, store.Config{Timeout: time.Second, Gate: lossGate})
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = s.Close() })
	l.stores[i] = s
}

// lose makes the store lose data, and waits until slots are given again.
func (l *losing) lose(what string, loss func()) {
	l.Helper()
	if l.Failed() {
		return
	}
	loss()
	start, granted := time.Now(), l.judge.Granted.Load()
	storetest.Eventually(l, "slots are given again", func() bool { return l.judge.Granted.Load() > granted+lossAgents })
	closed := time.Since(start)
	l.Logf("%s: slots are given again after %s", what, closed.Round(time.Millisecond))
	if limit := lossGate + 2*lossBeat + 2*time.Second; closed > limit { // the last part is for a busy machine
		l.Errorf("%s: slots are given again after %s, later than %s", what, closed, limit)
	}
}

// goOn waits until calls have taken slots of all agents for some time.
func (l *losing) goOn() {
	l.Helper()
	d := testrun.Pick(lossTalk/4, lossTalk/4, lossTalk)
	at, granted := time.Now(), l.judge.Granted.Load()
	storetest.Eventually(l, "calls go on", func() bool {
		return time.Since(at) > d && l.judge.Granted.Load() >= granted+lossAgents
	})
}

// run makes all instances talk while something happens, then judges.
func (l *losing) run(seed uint64, happens func()) {
	l.Helper()
	ctx, stop := context.WithCancel(l.Context())
	beating, rest := context.WithCancel(context.WithoutCancel(ctx))
	var workers, beats sync.WaitGroup
	for i, s := range l.stores {
		k := &talker{name: fmt.Sprint("instance ", i), s: s, judge: l.judge, known: map[string]*engine.Call{}}
		k.beat(ctx)
		beats.Go(func() { k.beats(beating, lossBeat*time.Duration(i)/3) })
		for w := range lossWorkers {
			rng := rand.New(rand.NewPCG(seed, uint64(i*lossWorkers+w)))
			workers.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					k.talk(ctx, fmt.Sprint(i, " ", w, " ", n), rng)
				}
			})
		}
	}
	func() {
		defer rest()
		defer workers.Wait()
		defer stop()
		happens()
	}()
	beats.Wait()
	l.Logf("seed %d", seed)
	l.judge.Verdict(l, lossCapacity)
	for i := range lossAgents {
		key := fmt.Sprint("cr1:{callrouter}:slots:agent", i)
		if left := l.server.Do("ZRANGE", key, 0, -1).([]any); len(left) > 0 {
			l.Errorf("agent%d has slots that are taken by calls which have ended: %v", i, left)
		}
	}
}

// seeds are those of as many rounds as there is time for.
func seeds() []uint64 {
	return testrun.Pick([]uint64{1}, []uint64{1}, []uint64{1, 2, 3})
}

// A Redis that loses everything, twice, gives no agent more calls than the capacity: instances write back their calls
// before any slot is given.
func TestRedisLoss(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds() {
		l := newLosing(t, storetest.NewRedis(t), false)
		l.run(seed, func() {
			l.goOn()
			l.lose("emptied", func() { l.server.Do("FLUSHALL") })
			l.goOn()
			l.lose("killed, and started without its data", func() {
				l.server.Kill()
				if err := l.server.Start(); err != nil {
					l.Error(err)
				}
			})
			l.goOn()
		})
	}
}

// The same holds when a replica takes over that lacks the latest calls and still has others that ended.
func TestRedisStaleReplica(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds() {
		l := newLosing(t, storetest.NewRedis(t, "repl-diskless-sync-delay 0"), true)
		if seed == 1 { // the replica, which says that it is well, hears of no call at all
			l.link.Set(storetest.Trouble{NoReplies: true})
		}
		l.run(seed, func() {
			l.goOn()
			l.link.Set(storetest.Trouble{NoReplies: true})
			l.goOn()
			l.lose("replaced by a replica that lags", func() {
				for _, p := range l.proxies {
					p.Redirect(l.replica.Addr)
				}
				l.replica.Do("REPLICAOF", "NO", "ONE")
				l.server.Kill()
				l.server = l.replica
			})
			l.goOn()
		})
	}
}

// The clock of Redis is set forward by more than any lease lasts, and back. No slot is given while calls in progress
// lack theirs.
func TestRedisClockIsSet(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds() {
		l := newLosing(t, storetest.NewRedisWithClock(t), false)
		l.run(seed, func() {
			l.goOn()
			l.lose("its clock set forward by a minute", func() { l.server.SetClock(time.Minute) })
			l.goOn()
			l.lose("its clock set back by two", func() { l.server.SetClock(-time.Minute) })
			l.goOn()
			l.lose("its clock put right", func() { l.server.SetClock(0) })
			l.goOn()
		})
	}
}
