package router

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// garbage is how many bytes of garbage may gather before they are collected, however little is in use. A router
	// with few rules uses some 10 MB. By Go's default it would collect them several times a second under load, which
	// takes a fifth of its CPU time and makes its longest delays.
	garbage = 64 << 20
	// usualPercent is Go's default: what is in use may double. A router with long lists stays there.
	usualPercent = 100
	// leastHeap is Go's own: a smaller heap is not collected.
	leastHeap = 4 << 20
)

// fitCollector makes the garbage collector run no more often than is worth its while. It is a job, since reloads change
// how much is in use.
func fitCollector(context.Context) error {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(growth(live[0].Value.Uint64()))
	return nil
}

// growth returns by how many percent a heap with so many bytes in use may grow before it is collected.
func growth(live uint64) int { return int(max(usualPercent, 100*garbage/max(live, leastHeap))) }
