package storetest

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// Trouble is what a [Proxy] does to connections. The zero value is none.
type Trouble struct {
	Refuse    bool          // every connection ends
	Hole      bool          // requests and replies vanish, connections stay open
	NoReplies bool          // requests arrive, replies do not
	Delay     time.Duration // each part of a reply takes that much longer
	Jitter    time.Duration // and up to that much more
	Cut       float64       // the share of replies lost to a closed connection, after the command ran
	Trickle   time.Duration // replies come one byte at a time, this far apart
	Answer    string        // each request gets this error as its reply, and does not arrive
}

// Proxy stands between a store and its Redis.
type Proxy struct {
	// Addr is where it listens, host:port.
	Addr string

	target  string
	see     func(reply []byte)
	mu      sync.Mutex
	trouble Trouble
	closed  bool
	conns   map[net.Conn]struct{}
	wg      sync.WaitGroup
}

// NewProxy starts a proxy in front of target, host:port. It ends with the test. see, if not nil, is shown what comes
// back.
func NewProxy(t testing.TB, target string, see func(reply []byte)) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, see: see, conns: map[net.Conn]struct{}{}}
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
		p.mu.Unlock()
		p.cut()
		p.wg.Wait()
	})
	return p
}

// Set makes trouble, for connections that are there too.
func (p *Proxy) Set(t Trouble) {
	p.mu.Lock()
	p.trouble = t
	p.mu.Unlock()
	if t.Refuse {
		p.cut()
	}
}

// Redirect sends connections to another server from now on, and ends those that are there.
func (p *Proxy) Redirect(target string) {
	p.mu.Lock()
	p.target = target
	p.mu.Unlock()
	p.cut()
}

func (p *Proxy) is() Trouble {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trouble
}

// cut ends every connection.
func (p *Proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// keep notes a connection, unless there must be none.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.trouble.Refuse {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	_ = c.Close()
}

func (p *Proxy) serve(client net.Conn) {
	defer p.drop(client)
	if !p.keep(client) {
		return
	}
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer p.drop(server)
	if !p.keep(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.requests(server, client); _ = server.Close() })
	both.Go(func() { p.replies(client, server); _ = client.Close() })
	both.Wait()
}

func (p *Proxy) requests(to io.Writer, from io.ReadWriter) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		t := p.is()
		if t.Hole {
			continue
		}
		if t.Answer != "" {
			_, err = io.WriteString(from, "-"+t.Answer+"\r\n")
		} else {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) replies(to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		t := p.is()
		if t.Hole || t.NoReplies {
			continue
		}
		if late := t.Delay + time.Duration(rand.Int64N(int64(t.Jitter)+1)); late > 0 {
			<-time.After(late)
		}
		if rand.Float64() < t.Cut {
			return
		}
		if p.see != nil {
			p.see(buf[:n])
		}
		if p.trickle(to, buf[:n]) != nil {
			return
		}
	}
}

// trickle writes byte by byte while that is the trouble, and the rest at once.
func (p *Proxy) trickle(to io.Writer, b []byte) error {
	for every := p.is().Trickle; every > 0 && len(b) > 0; every = p.is().Trickle {
		<-time.After(every)
		if _, err := to.Write(b[:1]); err != nil {
			return err
		}
		b = b[1:]
	}
	_, err := to.Write(b)
	return err
}
