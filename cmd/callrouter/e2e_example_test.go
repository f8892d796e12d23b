package main

import (
	"bytes"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"callrouter/console"
	"callrouter/engine"
	"callrouter/positus/fake"
)

// exampleAgent starts examples/agent as an agent, and returns once the router offers calls to it.
func (w *world) exampleAgent(name string, args ...string) *process {
	w.t.Helper()
	path := program(w.t, "agent", "callrouter/examples/agent")
	w.file(name+".token", []byte(w.token(name)+"\n"))
	p := launchBuild(w.t, path, &w.logs, nil, append([]string{
		"--server", "http://" + w.proc().internal, "--token-file", filepath.Join(w.dir, name+".token"), "--loopback",
		"--play", filepath.Join(w.dir, "greeting.ogg"),
	}, args...)...)
	eventually(w.t, "the example is connected",
		func() bool { return w.agentInfo(name).Status == console.StatusAvailable })
	return p
}

// The example picks up a call and plays; Ctrl-C hangs up, and the agent is gone.
func TestExampleAgentPicksUp(t *testing.T) {
	t.Parallel()
	w := start(t, plan{audio: aMinute})
	p := w.exampleAgent("ana")
	from := phone("sales")
	from.Media = true
	call := w.call(from)
	heard, err := call.WaitHeard(w.ctx(15*time.Second), 25)
	if err != nil {
		t.Fatalf("%v\n%s", err, excerpt(&w.logs))
	}
	for i, h := range heard[:25] {
		if !bytes.Equal(h.Payload, tonePacket(i)) {
			t.Fatalf("packet %d is % x, want % x", i, h.Payload, tonePacket(i))
		}
	}
	w.active(call.ID, 5*time.Second)
	p.signal(t, syscall.SIGINT)
	if code := p.exit(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d\n%s", code, excerpt(&w.logs))
	}
	if r := w.ended(call.ID, 5*time.Second, engine.Answered); r.Agent != "ana" {
		t.Errorf("the call was answered by %q", r.Agent)
	}
	w.applied(call, fake.KindAccept, fake.KindHangUp)
	eventually(t, "the example is offline", func() bool { return w.agentInfo("ana").Status == console.StatusOffline })
}

// The example hangs up after the recording, and is ready for the next call. If the caller hangs up, it does not.
func TestExampleAgentGoesOn(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	w.exampleAgent("crowd")
	for range 2 {
		from := phone("crowd")
		from.Media = true
		call := w.call(from)
		w.ended(call.ID, 20*time.Second, engine.Answered)
		w.applied(call, fake.KindAccept, fake.KindHangUp)
		if n := len(call.Heard()); n != 100 {
			t.Errorf("the phone heard %d packets of 100", n)
		}
	}
	from := phone("crowd")
	from.Media = true
	call := w.call(from)
	if _, err := call.WaitHeard(w.ctx(15*time.Second), 10); err != nil {
		t.Fatal(err)
	}
	call.HangUp()
	w.ended(call.ID, 5*time.Second, engine.Answered)
	w.applied(call, fake.KindAccept)
}

func TestExampleAgentDeclines(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	w.exampleAgent("ana", "--decline")
	bruno := w.agent("bruno", true)
	call := w.call(phone("sales"))
	next[console.OfferEvent](bruno, 10*time.Second)
	w.active(call.ID, 5*time.Second)
	r, err := w.admins().Call(t.Context(), call.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Offers) != 2 || r.Offers[0].Agent != "ana" || r.Offers[0].Result != engine.OfferDeclined {
		t.Errorf("offers %+v", r.Offers)
	}
}
