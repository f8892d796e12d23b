package main

import (
	"testing"
	"time"

	"callrouter/positus/fake"
)

// pageRules send each call to the queue that its payload names.
const pageRules = `version: 1
timezone: America/Sao_Paulo
language: pt
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: ` + numberID + `}
agents:
  ana: {name: Ana Souza}
  bruno: {name: Bruno Lima}
queues:
  sales: {agents: [ana, bruno], strategy: in_order, ring: 12s, wrap_up: 20s}
  hurry: {agents: [ana], ring: 2s, away_after: 1}
  talk: {agents: [ana], ring: 12s}
limits: {answer_within: 30s}
rules:
  - {name: vendas, when: payload == "sales", then: {handoff: sales}}
  - {name: pressa, when: payload == "hurry", then: {handoff: hurry}}
  - {name: conversa, when: payload == "talk", then: {handoff: talk}}
default: reject
`

// pagesAtOnce are places for tests with a browser: they measure times, and a browser needs a processor.
var pagesAtOnce = make(chan struct{}, 3)

// promptly prints a time that a user feels, beside what is promised. Since a busy machine may take longer, it fails only
// at five times as much.
func promptly(t *testing.T, what string, took, limit time.Duration) {
	t.Helper()
	t.Logf("%s: %s (at most %s)", what, took.Round(time.Millisecond), limit)
	if took > 5*limit {
		t.Errorf("%s took %s, and may take %s", what, took.Round(time.Millisecond), limit)
	}
}

// office is a world with agents who work in a browser.
type office struct {
	*world
	b      *browser
	origin string
}

func startOffice(t *testing.T, p plan) *office {
	t.Helper()
	t.Parallel()
	b := startBrowser(t)
	pagesAtOnce <- struct{}{}
	t.Cleanup(func() { <-pagesAtOnce })
	if p.rules == "" {
		p.rules = pageRules
	}
	w := start(t, p)
	return &office{world: w, b: b, origin: "http://" + w.proc().internal}
}

// link makes a link with the command that an administrator uses.
func (d *office) link(agent string) string {
	d.t.Helper()
	l, err := d.admins().NewLink(d.t.Context(), agent)
	if err != nil {
		d.t.Fatal(err)
	}
	return l.URL
}

var allowed = []string{"audioCapture", "notifications"}

// signIn opens an agent's page by a link, up to the start of a shift.
func (d *office) signIn(agent string, scripts ...string) *tab {
	d.t.Helper()
	p := d.b.visit(d.t, d.origin, allowed...).open(d.link(agent), scripts...)
	p.is(10*time.Second, "setup")
	return p
}

// atWork is signIn and the start of a shift.
func (d *office) atWork(agent string, scripts ...string) *tab {
	d.t.Helper()
	p := d.signIn(agent, scripts...)
	p.click("start-shift")
	p.is(5*time.Second, "available")
	return p
}

// ring places a call with audio to the queue, and returns once the page rings.
func (d *office) ring(p *tab, payload string) *fake.Call {
	d.t.Helper()
	c := d.callMedia(payload)
	p.is(5*time.Second, "ringing")
	return c
}

func (d *office) callMedia(payload string) *fake.Call {
	d.t.Helper()
	phone := phone(payload)
	phone.Media, phone.Name = true, "Vera Lúcia"
	return d.call(phone)
}

// noWrapUp frees the agent at once.
func (p *tab) noWrapUp() {
	p.t.Helper()
	p.is(5*time.Second, "wrap-up")
	p.click("wrapup-ready")
	p.is(5*time.Second, "available")
}

// clean fails if the page left a microphone or a connection open.
func (p *tab) clean() {
	p.t.Helper()
	p.until(2*time.Second, "tracks.every(t => t.readyState === 'ended') && pcs.every(pc => pc.connectionState === 'closed')")
}
