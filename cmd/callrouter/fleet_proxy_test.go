package main

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fleetProxy stands between a router and its Redis: it counts what the store answered, and can swallow everything.
type fleetProxy struct {
	addr, target string
	hole         atomic.Bool  // swallows all, and closes nothing
	lag          atomic.Int64 // nanoseconds that each answer takes longer, as between machines
	mu           sync.Mutex
	conns        map[net.Conn]struct{}
	closed       bool
	wg           sync.WaitGroup

	conflicts, busy, gate atomic.Int64 // answers of the script that writes
}

func newFleetProxy(t *testing.T, target string) *fleetProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &fleetProxy{addr: l.Addr().String(), target: target, conns: map[net.Conn]struct{}{}}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// keep notes a connection, so that the end of the test ends it.
func (p *fleetProxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.conns[c] = struct{}{}
	}
	return !p.closed
}

func (p *fleetProxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	_ = c.Close()
}

func (p *fleetProxy) serve(client net.Conn) {
	defer p.drop(client)
	if !p.keep(client) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.drop(server)
	if !p.keep(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client, func([]byte) {}); _ = server.Close() })
	both.Go(func() { p.copy(client, server, p.count); _ = client.Close() })
	both.Wait()
}

func (p *fleetProxy) copy(to io.Writer, from io.Reader, see func([]byte)) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.hole.Load() {
			continue
		}
		see(buf[:n])
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *fleetProxy) count(b []byte) {
	if lag := time.Duration(p.lag.Load()); lag > 0 {
		wait(lag)
	}
	for word, n := range map[string]*atomic.Int64{"\r\nconflict\r\n": &p.conflicts, "\r\nbusy\r\n": &p.busy, "\r\ngate\r\n": &p.gate} {
		n.Add(int64(bytes.Count(b, []byte(word))))
	}
}
