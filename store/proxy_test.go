package store_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxyMode is what a proxy does with connections and bytes.
type proxyMode string

const (
	pass        proxyMode = "pass"
	blackHole   proxyMode = "black hole"   // swallows requests, never answers
	dropReplies proxyMode = "drop replies" // passes requests on, and no reply
	refuse      proxyMode = "refuse"       // closes every connection
)

// proxy stands between a client and a server.
type proxy struct {
	addr, target string
	mu           sync.Mutex
	mode         proxyMode
	conns        map[net.Conn]struct{}
	wg           sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), target: target, mode: pass, conns: map[net.Conn]struct{}{}}
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
		l.Close()
		p.set(refuse)
		p.wg.Wait()
	})
	return p
}

// set changes the mode, for connections that are there too.
func (p *proxy) set(mode proxyMode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
	if mode == refuse {
		for c := range p.conns {
			c.Close()
		}
	}
}

func (p *proxy) is() proxyMode { p.mu.Lock(); defer p.mu.Unlock(); return p.mode }

// keep notes a connection, unless they are refused.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == refuse {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

func (p *proxy) serve(client net.Conn) {
	defer p.drop(client)
	if !p.keep(client) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.drop(server)
	p.keep(server)
	var wg sync.WaitGroup
	wg.Go(func() { p.copy(server, client, blackHole); server.Close() })
	wg.Go(func() { p.copy(client, server, dropReplies); client.Close() })
	wg.Wait()
}

// copy passes bytes on, but for those that the mode swallows.
func (p *proxy) copy(to io.Writer, from io.Reader, swallow proxyMode) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.is() == swallow {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
