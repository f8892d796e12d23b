package main

import (
	"net"
	"testing"
	"time"
)

// Check 13: the router is killed and started again in a call. The audio goes on, and the page is back by itself.
func TestPageOutlivesTheRouter(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := free.Addr().String()
	must(t, free.Close())
	d := startOffice(t, plan{args: []string{"--internal-listen", addr}})
	p := d.atWork("ana")
	c := d.ring(p, "talk")
	d.pick(p, c)
	talk(c)
	d.proc().kill()
	p.until(10*time.Second, data("stream", "retrying"))
	p.until(5*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('Sem conexão')")
	p.is(time.Second, "in-call")
	from, before := len(c.Heard()), p.awaited(energy)
	d.start()
	began := time.Now()
	p.until(15*time.Second, data("stream", "open"))
	promptly(t, "from the new router to a page that is connected", time.Since(began), 5*time.Second)
	p.is(time.Second, "in-call")
	if len(c.Heard()) == from || p.awaited(energy) <= before {
		t.Error("the audio stopped with the router")
	}
	shown := p.text("document.querySelector('[data-testid=call-timer]').textContent")
	active := d.active(c.ID, 5*time.Second)
	since := time.Since(active.Transitions[len(active.Transitions)-1].At)
	minutes, err := time.Parse("4:05", shown)
	must(t, err)
	if said := time.Duration(minutes.Minute())*time.Minute + time.Duration(minutes.Second())*time.Second; said > since || since-said > 3*time.Second {
		t.Errorf("the timer says %s, and the call is active for %s", shown, since.Round(time.Second))
	}
	p.click("call-hangup")
	p.is(5*time.Second, "available")
	p.clean()
}

// Check 14: a new token ends the session at once; a call in hand keeps its audio.
func TestPageIsSignedOutByANewToken(t *testing.T) {
	d := startOffice(t, plan{})
	p := d.atWork("ana")
	c := d.ring(p, "talk")
	d.pick(p, c)
	began := time.Now()
	d.token("ana")
	p.until(10*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('sessão terminou')")
	promptly(t, "from the new token to the notice", time.Since(began), 3*time.Second)
	p.is(time.Second, "in-call")
	from := len(c.Heard())
	if _, err := c.WaitHeard(d.ctx(3*time.Second), from+20); err != nil {
		t.Error(err)
	}
	p.click("call-hangup")
	p.is(5*time.Second, "signed-out")
	p.clean()
}
