package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Check 20: as a newcomer: start the demo, open two links, click three times, and hear the call on both sides.
func TestPageDemo(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	pagesAtOnce <- struct{}{}
	t.Cleanup(func() { <-pagesAtOnce })
	path := callrouterBinary(t)
	began := time.Now()
	at := demoLinks(t, path)
	started := time.Since(began)
	agentAt, _, _ := strings.Cut(at["agent"], "/console")
	phoneAt, _, _ := strings.Cut(at["phone"], "/phone")
	agent := b.visit(t, agentAt, allowed...).open(at["agent"])
	phone := b.visit(t, phoneAt).open(at["phone"]) // no microphone is asked for
	agent.is(10*time.Second, "setup")
	agent.click("start-shift")
	agent.is(5*time.Second, "available")
	phone.click("phone-call")
	agent.is(10*time.Second, "ringing")
	if name := agent.text("document.querySelector('[data-testid=offer-name]').textContent"); name != "Marina Alves" {
		t.Errorf("the page shows %q", name)
	}
	agent.shot("demo-ringing.png")
	phone.shot("demo-phone-calling.png")
	click := time.Now()
	agent.click("offer-answer")
	agent.until(5*time.Second, data("audio", "connected"))
	phone.is(5*time.Second, "in-call")
	hears := func(p *tab, who string) {
		var before float64
		if !soon(5*time.Second, func() bool { before = p.awaited(energy); return before > 0 }) ||
			!soon(2*time.Second, func() bool { return p.awaited(energy) > before }) {
			t.Errorf("the %s hears nothing: energy %v", who, before)
		}
	}
	hears(agent, "agent")
	hears(phone, "caller")
	promptly(t, "from the click to sound on both sides, measured twice", time.Since(click), 5*time.Second)
	t.Logf("from the prompt: %s until the links are printed, %s until both sides hear each other",
		started.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	if took := time.Since(began); took > time.Minute {
		t.Errorf("a newcomer waits %s", took)
	}
	for _, s := range sizes[:2] {
		phone.screen(s.width, s.height, s.dark)
		phone.fits()
		phone.shot("demo-phone-" + phone.text("innerWidth") + ".png")
	}
	phone.screen(1280, 800, false)
	phone.click("phone-keypad-1")
	agent.click("call-hangup")
	phone.is(5*time.Second, "ended")
	if by := phone.text("document.querySelector('main').dataset.end"); by != "business" {
		t.Errorf("the call was ended by %s", by)
	}
	for _, p := range []*tab{agent, phone} {
		if found := p.text("violations.join('; ')"); found != "" {
			t.Errorf("a page breaks its policy: %s", found)
		}
	}
}

// demoLinks starts the demo and returns its addresses, as programs read them.
func demoLinks(t *testing.T, path string) map[string]string {
	t.Helper()
	cmd := exec.Command(path, "demo", "--json")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		must(t, err)
		var at map[string]any
		if json.Unmarshal(line, &at) != nil || at["agent"] == nil {
			continue
		}
		go func() { _, _ = io.Copy(io.Discard, lines) }()
		links := map[string]string{}
		for name, v := range at {
			links[name], _ = v.(string)
		}
		return links
	}
}
