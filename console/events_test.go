package console

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
)

func TestAStreamBeginsWithAllThereIs(t *testing.T) {
	r := newRig(t)
	ana, first := r.online("ana")
	if h := first.header; h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" ||
		h.Get("X-Accel-Buffering") != "no" {
		t.Errorf("the header is %v", h)
	}
	r.call("c", caller)
	offer := first.next("offer")

	second := r.connect(ana)
	second.next("status")
	second.is("offer", map[string]any{"offer": offer["offer"], "sdp": offerSDP})
	r.want(200, "", ana, "POST", "/api/v1/offers/"+offer["offer"].(string)+"/answer", sdp(answerSDP))
	first.untilCall("c", "active") // the agent's own answer is no withdrawal in either tab
	second.untilCall("c", "active")

	first.close()
	third := r.connect(ana)
	third.next("status")
	third.is("call", map[string]any{"id": "c", "state": "active"})
	r.leave("c")
	third.untilCall("c", "ended")
	second.untilCall("c", "ended")
}

func TestBeingConnectedIsBeingPresent(t *testing.T) {
	r := newRig(t)
	status := func() any {
		a := r.want(200, "", adminToken, "GET", "/api/v1/agents", "")
		return a.body["agents"].([]any)[0].(map[string]any)["status"]
	}
	ana := r.token("ana")
	if a := r.send(ana, "HEAD", "/api/v1/me/events", ""); a.status != 200 || status() != "offline" {
		t.Fatalf("HEAD: %d, and ana is %v", a.status, status())
	}
	one := r.connect(ana)
	one.next("status")
	two := r.connect(ana)
	two.next("status")
	one.close()
	one.ends()
	if s := status(); s != "available" {
		t.Errorf("with a second tab open ana is %v", s)
	}
	two.close()
	r.until("ana is offline", func() bool { return status() == "offline" })
}

func TestAStreamOutlivesTheServersTimeoutsAndEndsWithTheServer(t *testing.T) {
	r := newRig(t)
	_, screen := r.online("ana")
	select {
	case ev, ok := <-screen.events:
		t.Fatalf("within the first second came %v (%t)", ev, ok)
	case <-time.After(time.Second): // more than ReadTimeout and WriteTimeout
	}
	r.call("c", caller)
	screen.next("offer")
	r.stop()
	screen.ends()
}

func TestStatusChangesAreTold(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	a := r.want(200, "", ana, "PUT", "/api/v1/me", `{"status":"away","reason":"lunch"}`)
	if a.body["status"] != "away" || a.body["reason"] != "lunch" || a.body["name"] != "Ana Souza" ||
		a.body["connected"] != true {
		t.Errorf("the answer is %v", a.body)
	}
	screen.is("status", map[string]any{"status": "away", "reason": "lunch"})
	r.want(200, "", adminToken, "PATCH", "/api/v1/agents/ana", `{"status":"available"}`)
	screen.is("status", map[string]any{"status": "available", "reason": ""})
	r.want(200, "", ana, "PUT", "/api/v1/me", `{"status":"away"}`)
	screen.next("status")
	screen.close()
	again := r.connect(ana)
	again.is("status", map[string]any{"status": "away"}) // the status last set holds
	r.want(400, "invalid_status", ana, "PUT", "/api/v1/me", `{"status":"busy"}`)
	r.want(400, "invalid_status", ana, "PUT", "/api/v1/me", `{"status":"offline"}`)
}

// pipes is a listener on connections that hold nothing back: what is not read blocks who writes.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// dial asks for ana's events and reads up to the first event.
func (p *pipes) dial(t *testing.T, token string) (net.Conn, *bufio.Reader) {
	t.Helper()
	client, server := net.Pipe()
	p.conns <- server
	_, err := fmt.Fprintf(client,
		"GET /api/v1/me/events HTTP/1.1\r\nHost: pipe\r\nAuthorization: Bearer %s\r\n\r\n", token)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(client)
	readUntil(t, lines, "data: ")
	return client, lines
}

func readUntil(t *testing.T, lines *bufio.Reader, prefix string) {
	t.Helper()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, prefix) {
			return
		}
	}
}

func TestACommentComesEveryFiveSecondsAndADeadConnectionEndsPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newEngine(t)
		defer r.close()
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		s := &http.Server{Handler: r.handler, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second}
		go func() { _ = s.Serve(l) }()
		defer s.Close()
		token, hash := generateToken()
		r.must(r.store.SetToken(t.Context(), "ana", hash))
		conn, lines := l.dial(t, token)
		defer conn.Close()

		start := time.Now()
		for range 12 {
			readUntil(t, lines, ": ")
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("12 comments took %s", d)
		}
		connected := func() bool {
			s, err := r.store.Snapshot(t.Context(), engine.Query{Agents: []string{"ana"}})
			r.must(err)
			return s.Agents["ana"].Connected
		}
		if !connected() {
			t.Fatal("after a minute ana is not connected")
		}
		// From here on nobody reads: the next comment blocks, and is given up.
		<-time.After(commentEvery + writeTime + time.Second)
		synctest.Wait()
		if connected() {
			t.Error("a connection that takes nothing still counts as presence")
		}
	})
}
