// Package engine is the life of a call: it receives the platform's events, asks the rules, writes down what was
// decided, acts on it through its interfaces, hands calls to humans, and sweeps up what was left behind.
//
// It knows nothing of HTTP, Redis, WebRTC or cron. What it needs of them is in ports.go; adapters implement it.
//
// Three habits carry its promises. Everything that must survive is written before it is acted upon. Every write is a
// compare-and-set on the call's revision, so of two owners only one goes on. Capacity is a lease held by a call, so
// what a crash leaves behind frees itself.
//
// The files, in reading order:
//   - call.go, event.go: the record of a call and its states; what the platform reports.
//   - ports.go, store.go: the interfaces that the engine needs.
//   - engine.go, receive.go, runner.go, records.go, write.go: start and stop; a webhook becomes a record; the goroutine
//     that works on one call; how it reads and writes the record.
//   - first.go, decide.go, facts.go, explain.go: what is decided before the first write; the rules, and the facts that
//     they need; why they decided so.
//   - accept.go, reject.go, playback.go: the two final actions, and audio of our own.
//   - handoff.go, dispatch.go, candidates.go, ring.go, offers.go, agents.go: a queue, whose turn it is, who is rung
//     next, the phone that rings, what the agent does, what the agent sees.
//   - hangup.go, sweep.go, verdict.go, takeover.go: the end of calls, and calls that somebody left behind.
//   - replica.go, flush.go, outage.go, reconcile.go: calls in memory, for when the store is away or loses data.
//   - instance.go, clock.go, wakes.go, overrides.go, alarm.go, keyed.go: leases, time, notifications, switches and
//     entries of lists, alarms, one lock per call.
package engine
