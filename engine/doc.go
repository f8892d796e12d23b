// Package engine is the life of a call: it receives the platform's events, asks the rules, writes down what was decided,
// acts on it through its interfaces, hands calls to humans, and sweeps up what was left behind.
//
// It knows nothing of HTTP, Redis, WebRTC or cron. What it needs of them is in ports.go; adapters implement it.
//
// Three habits carry its promises. Everything that must survive is written before it is acted upon. Every write is a
// compare-and-set on the call's revision, so of two owners only one goes on. Capacity is a lease held by a call, so what
// a crash leaves behind frees itself.
package engine
