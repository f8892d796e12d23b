package main

import (
	"bytes"
	"sync/atomic"
	"testing"

	"callrouter/store/storetest"
)

// fleetProxy stands between a router and its Redis, and counts what the store answered.
type fleetProxy struct {
	*storetest.Proxy
	conflicts, busy, gate atomic.Int64 // answers of the script that writes
}

func newFleetProxy(t *testing.T, target string) *fleetProxy {
	t.Helper()
	p := &fleetProxy{}
	p.Proxy = storetest.NewProxy(t, target, p.count)
	return p
}

func (p *fleetProxy) count(reply []byte) {
	for word, n := range map[string]*atomic.Int64{"\r\nconflict\r\n": &p.conflicts, "\r\nbusy\r\n": &p.busy, "\r\ngate\r\n": &p.gate} {
		n.Add(int64(bytes.Count(reply, []byte(word))))
	}
}
