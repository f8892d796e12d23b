package main

import (
	"encoding/json"
	"testing"
	"time"

	"callrouter/console"
)

type offerEvent = console.OfferEvent

// Check 7: one tab is the phone; another takes over; a closed one passes the call on; of two browsers one has the call.
func TestPageInTwoTabs(t *testing.T) {
	d := startOffice(t, plan{})
	bruno := d.agent("bruno", false)
	one := d.atWork("ana")
	two := one.open(d.origin + "/console/agent")
	two.is(5*time.Second, "other-tab")
	two.click("tab-takeover")
	two.is(5*time.Second, "available")
	one.is(2*time.Second, "other-tab")
	c := d.ring(two, "sales")
	if state := one.text("document.querySelector('main').dataset.state"); state != "other-tab" {
		t.Errorf("the other tab is %s", state)
	}
	began := time.Now()
	two.close()
	next[offerEvent](bruno, 5*time.Second)
	promptly(t, "from closing the tab to the ring at the next agent", time.Since(began), time.Second)
	c.HangUp()
	one.is(5*time.Second, "setup") // its turn
	one.click("start-shift")
	one.is(5*time.Second, "available")

	other := d.atWork("ana") // on another computer
	d.ring(one, "talk")
	other.is(2*time.Second, "ringing")
	one.until(3*time.Second, "pcs.at(-1)?.localDescription && pcs.at(-1).iceGatheringState === 'complete'") // as after a second of ringing
	began = time.Now()
	one.click("offer-answer")
	other.until(5*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('outra aba')")
	promptly(t, "from the click to the notice in the other browser", time.Since(began), 500*time.Millisecond)
	one.is(2*time.Second, "in-call")
	third := one.open(d.origin + "/console/agent") // a call in hand is not taken from its tab
	third.is(5*time.Second, "other-tab")
	third.click("tab-takeover")
	third.until(3*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('em ligação')")
	one.is(time.Second, "in-call")
	other.is(time.Second, "available")
	one.click("call-hangup")
	one.is(3*time.Second, "available")
	one.clean()
	other.clean()
}

// Check 8: a reload while it rings, a reload in a call, and a crash in a call.
func TestPageIsLoadedAgain(t *testing.T) {
	d := startOffice(t, plan{})
	p := d.atWork("ana")
	c := d.ring(p, "talk")
	offer := p.text("document.querySelector('[data-offer]').dataset.offer")
	began := time.Now()
	p.do("Page.reload", nil)
	p.until(5*time.Second, `document.querySelector('[data-offer="`+offer+`"]')`)
	again := time.Since(began)
	d.pick(p, c)
	began = time.Now()
	p.do("Page.reload", nil)
	select {
	case kind := <-p.dialogs:
		if kind != "beforeunload" {
			t.Errorf("the dialog is %s", kind)
		}
	case <-time.After(3 * time.Second):
		t.Error("nobody warned that a call is going on")
	}
	var ended time.Duration
	within(t, 5*time.Second, "the caller's call is over", func() bool { _, over := c.End(); ended = time.Since(began); return over })
	p.is(5*time.Second, "available")
	promptly(t, "from a reload to the same offer", again, time.Second)
	promptly(t, "from a reload in a call to its end", ended, 300*time.Millisecond)

	c = d.ring(p, "talk")
	d.pick(p, c)
	go func() { _ = p.b.call(p.session, "Page.crash", nil, nil) }() // nobody is left to reply
	select {
	case <-p.crashed:
	case <-time.After(5 * time.Second):
		t.Fatal("the page did not crash")
	}
	p.do("Page.reload", nil)
	p.is(5*time.Second, "audio-lost")
	p.shot("audio-lost.png")
	p.click("call-hangup")
	p.is(3*time.Second, "available")
	if _, over := c.End(); !over {
		t.Error("the call goes on")
	}
}

// Check 9: browsers open six connections to a host; tabs that are not the phone hold none.
func TestPageInSevenTabs(t *testing.T) {
	d := startOffice(t, plan{})
	p := d.atWork("ana")
	var all []*tab
	for range 6 {
		all = append(all, p.open(d.origin+"/console/agent"))
	}
	for _, other := range all {
		other.is(10*time.Second, "other-tab")
	}
	began := time.Now()
	if status := p.awaited("fetch('/api/v1/me').then((r) => r.status)"); status != 200 {
		t.Errorf("GET /me: %v", status)
	}
	promptly(t, "GET /me with seven tabs", time.Since(began), time.Second)
}

// Check 10: a frozen page passes the call on and is not counted as missed.
func TestPageIsFrozen(t *testing.T) {
	d := startOffice(t, plan{})
	bruno := d.agent("bruno", false)
	p := d.atWork("ana")
	p.do("Page.setWebLifecycleState", map[string]any{"state": "frozen"})
	began := time.Now()
	c := d.callMedia("sales")
	next[offerEvent](bruno, 5*time.Second)
	took := time.Since(began)
	promptly(t, "from a call at a frozen page to the ring at the next agent", took, 3*time.Second)
	within(t, 2*time.Second, "ana is away", func() bool {
		agents, err := d.admins().Agents(t.Context())
		must(t, err)
		return agents[0].Status == "away" && agents[0].Reason == "page asleep" && agents[0].Missed == 0
	})
	c.HangUp()
	p.do("Page.setWebLifecycleState", map[string]any{"state": "active"})
	p.until(10*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('dormindo')")
	p.is(2*time.Second, "away")
	p.shot("asleep.png")
}

// Check 11: no microphone before the shift, in it, and in a call.
func TestPageWithoutAMicrophone(t *testing.T) {
	d := startOffice(t, plan{})
	p := d.signIn("ana")
	for name, text := range map[string]string{
		"NotAllowedError": "bloqueou o microfone", "NotFoundError": "Nenhum microfone", "NotReadableError": "Outro programa",
	} {
		doc, _ := json.Marshal(name)
		must(t, p.eval("window.gumError = "+string(doc), nil))
		p.click("start-shift")
		p.until(2*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('"+text+"')")
		p.is(time.Second, "setup")
		if stream := p.text("document.querySelector('main').dataset.stream"); stream != "ended" {
			t.Errorf("%s: events are connected", name)
		}
	}
	must(t, p.eval("window.gumError = null", nil))
	p.click("start-shift")
	p.is(5*time.Second, "available")
	c := d.ring(p, "talk")
	d.pick(p, c)
	began := time.Now()
	from := len(c.Heard())
	must(t, p.eval("(t => { t.stop(); t.dispatchEvent(new Event('ended')); })(tracks.findLast((t) => t.readyState === 'live'))", nil))
	p.until(3*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('Microfone desconectado: trocado')")
	if _, err := c.WaitHeard(d.ctx(3*time.Second), from+50); err != nil {
		t.Error(err)
	}
	promptly(t, "from unplugging to 50 more packets", time.Since(began), 2*time.Second)
	p.click("call-hangup")
	p.is(3*time.Second, "available")
	p.clean()
	must(t, p.eval("window.gumError = 'NotFoundError'", nil))
	d.callMedia("talk")
	p.until(5*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('Nenhum microfone')")
	p.is(3*time.Second, "away")
}

// Check 12: nobody is available by opening a page.
func TestPageWaitsForAClick(t *testing.T) {
	d := startOffice(t, plan{})
	p := d.signIn("ana")
	must(t, p.eval("document.querySelector('[data-testid=agent]').focus()", nil))
	wait(1500 * time.Millisecond)
	p.is(time.Second, "setup")
	agents, err := d.admins().Agents(t.Context())
	must(t, err)
	if agents[0].Status != "offline" {
		t.Errorf("ana is %s", agents[0].Status)
	}
}
