package store

import (
	"embed"
	"fmt"

	"callrouter/engine"

	"github.com/redis/go-redis/v9"
)

// keyPrefix begins every key. cr1 is the version of the layout below; {callrouter} is the hash tag that keeps all keys
// in one hash slot of a Cluster, since one script touches many of them.
const keyPrefix = "cr1:{callrouter}:"

// The keys in Redis. Times are in microseconds: by the server's clock for leases (presence, slots, instances) and open_at,
// by the clock on the wall for capacity_until, and by the router's time, as in records, for all others.
//
//	call:KEY         hash    rev, doc: revision and record (JSON) of the call with this engine.Key; caller: its key;
//	                         other: its other key; write: rev and the write that made it; deleted by Purge
//	due:OWNER        zset    KEY by due time: live calls of an instance
//	due              zset    KEY by due time: live calls without an owner
//	owners           set     instances that may have live calls
//	received         zset    KEY by time received: all calls
//	live             zset    KEY by time received: live calls
//	ended            zset    KEY by time of the end: ended calls
//	outcome:OUTCOME  zset    KEY by time received: ended calls. A process of an older version does not write these, so
//	                         they count only while together they have as many as ended has; Purge mends them
//	caller:CALLER    zset    KEY by time received: calls of a caller, by key and by other key; of one with both also
//	                         under "KEY OTHER", so that the calls of either are as many as those of each less these
//	waiting:QUEUE    hash    KEY -> waiter (JSON): calls that wait; "#": how often they changed
//	agent:AGENT      hash    away, reason, missed, capacity, capacity_until, offered_at, idle_since, token (its hash)
//	presence:AGENT   zset    connection by end of its lease
//	slots:AGENT      zset    "KEY KIND" by end of its lease: slots taken; a counter would drift
//	tokens           hash    hash of a token -> agent
//	switches         hash    hours -> rules.Switch (JSON)
//	list:LIST        hash    caller's key -> rules.Entry (JSON)
//	lists            set     names of the lists above
//	versions         hash    version of the rules -> its files, packed
//	touched          zset    version by when it was last in force
//	once:KEY         string  id of the first request, and until when it counts; expires a day later
//	instances        zset    instance by end of its lease
//	epoch            hash    id, run (run_id of the server), open_at (no slot is taken before), shift (how far
//	                         the server's clock is ahead of the router's time), slewed (when shift last became
//	                         less), jumps (how often the clock was set); see lua/common.lua and lua/jumped.lua
//	wakes            channel the topics that are woken
//
// A user with no more rights than these will do:
//
//	ACL SETUSER callrouter on >PASSWORD ~cr1:* &cr1:* +@read +@write +@scripting +@pubsub +@connection +time
//	  -@dangerous +info +config|get +cluster|slots +cluster|shards
const (
	keyOwners    = keyPrefix + "owners"
	keyReceived  = keyPrefix + "received"
	keyLive      = keyPrefix + "live"
	keyEnded     = keyPrefix + "ended"
	keyTokens    = keyPrefix + "tokens"
	keySwitches  = keyPrefix + "switches"
	keyLists     = keyPrefix + "lists"
	keyVersions  = keyPrefix + "versions"
	keyTouched   = keyPrefix + "touched"
	keyInstances = keyPrefix + "instances"
	keyEpoch     = keyPrefix + "epoch"
	channelWakes = keyPrefix + "wakes"
)

// fieldRev is the field of waiting:QUEUE that counts its changes.
const fieldRev = "#"

func keyCall(key string) string { return keyPrefix + "call:" + key }
func keyDue(owner string) string {
	if owner == "" {
		return keyPrefix + "due"
	}
	return keyPrefix + "due:" + owner
}
func keyOutcome(outcome engine.Outcome) string { return keyPrefix + "outcome:" + string(outcome) }
func keyCaller(caller string) string           { return keyPrefix + "caller:" + caller }
func keyWaiting(queue string) string           { return keyPrefix + "waiting:" + queue }
func keyAgent(agent string) string             { return keyPrefix + "agent:" + agent }
func keyPresence(agent string) string          { return keyPrefix + "presence:" + agent }
func keySlots(agent string) string             { return keyPrefix + "slots:" + agent }
func keyList(list string) string               { return keyPrefix + "list:" + list }
func keyOnce(key string) string                { return keyPrefix + "once:" + key }

// outcomes are those that there are, and the one of a call that ended without, which only a damaged record has.
var outcomes = [...]engine.Outcome{
	engine.Answered, engine.Rejected, engine.Abandoned, engine.TimedOut, engine.Failed, engine.Reaped, "",
}

func keysOutcomes() (keys []string) {
	for _, o := range outcomes {
		keys = append(keys, keyOutcome(o))
	}
	return keys
}

// keysWrite are the KEYS of write.lua.
func keysWrite(ch *change) []string {
	var queueBefore, ownerBefore string
	if ch.old != nil {
		ownerBefore = ch.old.Owner
		queueBefore, _, _ = waits(ch.old)
	}
	callerBefore, otherBefore, bothBefore := callersOf(ch.old)
	caller, other, both := callersOf(ch.next)
	queue, _, _ := waits(ch.next)
	keys := []string{
		keyCall(ch.key), keyDue(ch.next.Owner), keyReceived, keyLive, keyEnded,
		keyCaller(callerBefore), keyCaller(caller), keyWaiting(queueBefore), keyWaiting(queue), keyEpoch,
		keyWaiting(ch.stepQueue()), keyOutcome(outcomeOf(ch.old)), keyOutcome(outcomeOf(ch.next)),
		keyDue(ownerBefore), keyDue(""), keyOwners,
		keyCaller(otherBefore), keyCaller(bothBefore), keyCaller(other), keyCaller(both),
	}
	for _, a := range ch.agents {
		keys = append(keys, keySlots(a.agent), keyPresence(a.agent), keyAgent(a.agent))
	}
	return keys
}

//go:embed lua/*.lua
var luaFiles embed.FS

// scripts are the transitions. Each is a file in lua/, which documents its KEYS, its ARGV and what it returns. Running
// one twice does no harm: the second time it does nothing, because a revision, a value or a request's id no longer
// matches, or it sets what it set before.
type scripts struct {
	write, read, snapshot, renew                     *redis.Script // records
	callers, purge, indexed, index, unindex          *redis.Script // records that have ended
	present, absent, status, capacity, missed, token *redis.Script // agents
	once, beat, jumped, alive, forget, put, drop     *redis.Script // all else
}

func loadScripts() (*scripts, error) {
	common, err := luaFiles.ReadFile("lua/common.lua")
	if err != nil {
		return nil, err
	}
	var s scripts
	for name, at := range map[string]**redis.Script{
		"write": &s.write, "read": &s.read, "purge": &s.purge, "callers": &s.callers,
		"indexed": &s.indexed, "index": &s.index, "unindex": &s.unindex, "snapshot": &s.snapshot, "renew": &s.renew,
		"present": &s.present, "absent": &s.absent, "status": &s.status,
		"capacity": &s.capacity, "missed": &s.missed, "token": &s.token,
		"once": &s.once, "beat": &s.beat, "jumped": &s.jumped, "alive": &s.alive, "forget": &s.forget,
		"put": &s.put, "drop": &s.drop,
	} {
		src, err := luaFiles.ReadFile("lua/" + name + ".lua")
		if err != nil {
			return nil, fmt.Errorf("script %s: %w", name, err)
		}
		*at = redis.NewScript(string(common) + string(src))
	}
	return &s, nil
}
