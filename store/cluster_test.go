package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/store"
	"callrouter/store/storetest"
)

// A server of a Cluster refuses scripts whose keys are in several slots, and is found to be one by itself.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	server := storetest.NewRedis(t, "cluster-enabled yes")
	server.Do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	storetest.Eventually(t, "the cluster is up", func() bool {
		return strings.Contains(server.Do("CLUSTER", "INFO").(string), "cluster_state:ok")
	})
	for name, url := range map[string]string{"found": server.URL, "given": server.URL + "?addr=" + server.Addr} {
		t.Run(name, func(t *testing.T) {
			server.Do("FLUSHALL")
			s := openURL(t, url)
			var woken atomic.Bool
			s.OnWake(func(topic string) {
				if topic == engine.TopicAgent("agent1") {
					woken.Store(true)
				}
			})
			storetest.Storm(t, 2, 200*time.Millisecond, storetest.RealClock(), s)
			call := newCall("one")
			if _, err := s.Insert(t.Context(), call); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Snapshot(t.Context(), engine.Query{
				Agents: []string{"agent1", "agent2"}, Queues: []string{"sales"}, Lists: []string{"vip"},
				Caller: "+1", Calls: []time.Duration{time.Hour},
			}); err != nil {
				t.Error(err)
			}
			if _, err := s.Purge(t.Context(), time.Now()); err != nil {
				t.Error(err)
			}
			storetest.Eventually(t, "a wake arrives", woken.Load)
		})
	}
}

// In a Cluster of several nodes all that one script needs is in one of them, wherever it is asked for.
func TestRedisClusterOfThree(t *testing.T) {
	testrun.OnlyFull(t, "three nodes take a while to find each other")
	t.Parallel()
	nodes := newCluster(t, 3, false)
	stores := []engine.Store{openURL(t, nodes[0].URL+"?addr="+nodes[1].Addr+"&addr="+nodes[2].Addr)}
	for _, n := range nodes {
		stores = append(stores, openURL(t, n.URL))
	}
	storetest.Storm(t, 2, 300*time.Millisecond, storetest.RealClock(), stores...)
	owners := 0
	for _, n := range nodes {
		if n.Do("DBSIZE") != int64(0) {
			owners++
		}
	}
	if owners != 1 {
		t.Errorf("%d nodes have keys", owners)
	}
}

// newCluster makes a Cluster of some masters, which share all slots, and of a replica of the first if one is wanted: it
// is the last node.
func newCluster(t *testing.T, masters int, replica bool) (nodes []*storetest.Redis) {
	t.Helper()
	all := masters
	if replica {
		all++
	}
	for i := range all {
		node := storetest.NewRedis(t, "cluster-enabled yes", "cluster-node-timeout 2000", "repl-diskless-sync-delay 0",
			"user replica on nopass +psync +replconf +ping", "masteruser replica", "masterauth any")
		node.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i < masters {
			node.Do("CLUSTER", "ADDSLOTSRANGE", i*16384/masters, (i+1)*16384/masters-1)
		}
		nodes = append(nodes, node)
	}
	for _, node := range nodes[1:] {
		host, port, _ := strings.Cut(node.Addr, ":")
		nodes[0].Do("CLUSTER", "MEET", host, port)
	}
	agree := func() bool {
		for _, node := range nodes {
			info := node.Do("CLUSTER", "INFO").(string)
			known := fmt.Sprint("cluster_known_nodes:", all, "\r")
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, known) {
				return false
			}
		}
		return true
	}
	storetest.Eventually(t, "the nodes agree", agree)
	if replica {
		last := nodes[masters]
		last.Do("CLUSTER", "REPLICATE", nodes[0].Do("CLUSTER", "MYID"))
		storetest.Eventually(t, "the replica follows", func() bool {
			return strings.Contains(last.Do("INFO", "replication").(string), "master_link_status:up")
		})
		storetest.Eventually(t, "the nodes agree", agree)
	}
	return nodes
}

// Moving the slot with all keys to another node is an outage while it lasts: scripts find some keys here and some
// there, and are refused. No slot of an agent is given twice, and calls that talk keep theirs.
func TestRedisClusterMovesItsSlot(t *testing.T) {
	testrun.NotShort(t, "TestRedisCluster has one node, TestRedisLoss loses data")
	t.Parallel()
	for _, seed := range seeds() {
		nodes := newCluster(t, 2, false)
		slot := nodes[0].Do("CLUSTER", "KEYSLOT", "cr1:{callrouter}:due").(int64)
		from, to := nodes[0], nodes[1]
		if slot >= 16384/2 {
			from, to = to, from
		}
		from.OpenGate()
		l := &losing{T: t, judge: new(storetest.Judge), server: from}
		for i := range l.stores {
			l.open(i, nodes[0].URL+"?addr="+nodes[1].Addr)
		}
		l.run(seed, func() {
			l.goOn()
			l.lose("moved to another node", func() {
				moved := moveSlot(from, to, slot)
				l.Logf("%d keys were moved", moved)
				l.server = to
			})
			l.goOn()
		})
	}
}

// moveSlot moves a slot with its keys, as redis-cli does, one by one, and counts them.
func moveSlot(from, to *storetest.Redis, slot int64) (moved int) {
	target := to.Do("CLUSTER", "MYID")
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", from.Do("CLUSTER", "MYID"))
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", target)
	host, port, _ := strings.Cut(to.Addr, ":")
	for {
		<-time.After(5 * time.Millisecond) // calls come meanwhile
		keys := from.Do("CLUSTER", "GETKEYSINSLOT", slot, 1).([]any)
		if len(keys) == 0 {
			break
		}
		from.Do(append([]any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}, keys...)...)
		moved += len(keys)
	}
	to.Do("CLUSTER", "SETSLOT", slot, "NODE", target)
	from.Do("CLUSTER", "SETSLOT", slot, "NODE", target)
	return moved
}

// A replica of a Cluster takes over that lacks the latest writes. No slot is given until its gate opens, not even over
// connections that were open while it was a replica.
func TestRedisClusterFailover(t *testing.T) {
	testrun.NotShort(t, "a Cluster takes seconds to fail over; TestRedisStaleReplica")
	t.Parallel()
	nodes := newCluster(t, 1, true)
	master, replica := nodes[0], nodes[1]
	master.OpenGate()
	url := replica.URL + "?addr=" + replica.Addr // so that it is the replica which is asked what the Cluster looks like
	s, err := store.Open(t.Context(), url, store.Config{Timeout: 2 * time.Second, Gate: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	take := func(id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return takeAna(ctx, s, id, 4)
	}
	storetest.Eventually(t, "a slot is given", func() bool { return take("before") == nil })
	before := beat(t, s)

	master.Do("ACL", "SETUSER", "replica", "off") // it hears no more
	master.Do("CLIENT", "KILL", "TYPE", "replica")
	if err := take("not replicated"); err != nil {
		t.Fatal(err)
	}
	master.Kill()
	replica.Do("CLUSTER", "FAILOVER", "TAKEOVER")
	storetest.Eventually(t, "the new master replies", func() bool {
		err = take("after")
		return err == nil || errors.Is(err, engine.ErrGate) || errors.Is(err, engine.ErrBusy)
	})
	if !errors.Is(err, engine.ErrGate) {
		t.Errorf("a slot of a master that has not heard of everything: %v, want ErrGate", err)
	}
	if after := beat(t, s); after == before {
		t.Error("the epoch is the one before")
	}
	storetest.Eventually(t, "the gate opens", func() bool { return take("later") == nil })
}

// A Sentinel says who is master. Once another server is, the store goes on there, and its gate is closed at first.
func TestRedisSentinel(t *testing.T) {
	testrun.NotShort(t, "Sentinel takes seconds to fail over; TestRedisStaleReplica")
	t.Parallel()
	master := storetest.NewRedis(t, "repl-diskless-sync-delay 0")
	master.OpenGate()
	replica := storetest.NewRedis(t, "replicaof "+strings.Replace(master.Addr, ":", " ", 1))
	storetest.Eventually(t, "the replica follows", func() bool {
		return strings.Contains(replica.Do("INFO", "replication").(string), "master_link_status:up")
	})
	sentinel := storetest.NewSentinel(t, master, 500*time.Millisecond)
	storetest.Eventually(t, "the Sentinel knows the replica", func() bool {
		return strings.Contains(sentinel.Do("INFO", "sentinel").(string), "status=ok") &&
			strings.Contains(sentinel.Do("INFO", "sentinel").(string), "slaves=1")
	})
	url := "redis://" + sentinel.Addr + "?master_name=main&username=router&password=secret"
	s, err := store.Open(t.Context(), url, store.Config{Gate: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := takeAna(t.Context(), s, "before", 4); err != nil {
		t.Fatal(err)
	}
	before := beat(t, s)
	storetest.Eventually(t, "the replica has heard of it", func() bool {
		return replica.Do("ZCARD", "cr1:{callrouter}:slots:ana") == int64(1)
	})
	master.Kill()
	storetest.Eventually(t, "the new master replies", func() bool {
		err = takeAna(t.Context(), s, "after", 4)
		return decided(err)
	})
	if !errors.Is(err, engine.ErrGate) {
		t.Errorf("a slot of the new master: %v, want ErrGate", err)
	}
	if after := beat(t, s); after == before {
		t.Error("the epoch is the one before")
	}
	if c, err := s.Get(t.Context(), engine.Key("before")); err != nil || len(c.Holds) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	storetest.Eventually(t, "the gate opens", func() bool { return takeAna(t.Context(), s, "after", 4) == nil })
}
