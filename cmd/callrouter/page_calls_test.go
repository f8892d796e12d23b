package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"callrouter/engine/testrun"
	"callrouter/positus/fake"
)

// data is what the page says of itself in an attribute.
func data(name, want string) string {
	return fmt.Sprintf("document.querySelector('main').dataset.%s === %q", name, want)
}

// energy is how much sound the page has heard.
const energy = `(async () => { for (const s of (await pcs.at(-1).getStats()).values())
	if (s.type === 'inbound-rtp') return s.totalAudioEnergy; })()`

// heard reads a number that a promise of the page gives.
func (p *tab) awaited(expression string) float64 {
	p.t.Helper()
	var n float64
	p.must(p.eval(expression, &n))
	return n
}

// pick answers the call that rings, and waits until both sides are connected.
func (d *office) pick(p *tab, c *fake.Call) time.Duration {
	d.t.Helper()
	click := time.Now()
	p.click("offer-answer")
	heard, err := c.WaitHeard(d.ctx(5*time.Second), 1)
	if err != nil {
		d.t.Fatalf("%v\n%s\n%s", err, p.summary(), excerpt(&d.logs))
	}
	p.is(2*time.Second, "in-call")
	p.until(5*time.Second, data("audio", "connected"))
	return heard[0].At.Sub(click)
}

// Checks 1, 2 and 16: from a link to sound in both directions; the agent's clock is ten minutes wrong.
func TestPageFromLinkToCall(t *testing.T) {
	d := startOffice(t, plan{})
	wrong := "{ const real = Date.now; Date.now = () => real() + 600000; }"
	p := d.signIn("ana", wrong)
	if hash := p.text("location.hash"); hash != "" {
		t.Errorf("the code stays in the address: %s", hash)
	}
	p.click("start-shift")
	p.is(5*time.Second, "available")
	p.until(3*time.Second, data("stream", "open"))
	for _, ringing := range []time.Duration{3 * time.Second, 8 * time.Second} {
		began := time.Now()
		c := d.ring(p, "sales")
		offer := time.Since(began)
		p.until(2*time.Second, data("ring", "on")+" && document.title.includes('Vera') && notes.at(-1)?.includes('Vera')")
		promptly(t, "from the call to the offer on the page", offer, 500*time.Millisecond)
		shown := p.number("document.querySelector('[data-testid=offer-countdown]').textContent")
		if left := 12 - time.Since(began).Seconds(); shown < left-1.5 || shown > left+1.5 {
			t.Errorf("the countdown says %v s, and %.1f s are left", shown, left)
		}
		wait(ringing - time.Since(began))
		first := d.pick(p, c)
		promptly(t, fmt.Sprintf("from the click after %s of ringing to the first packet", ringing), first, 500*time.Millisecond)
		from := len(c.Heard())
		talk(c)
		var rate float64 // of a second in which the machine had time for it
		if !soon(8*time.Second, func() bool { rate = paceOf(c); return rate > 48 && rate < 52 }) {
			t.Errorf("%.1f packets a second, want 50", rate)
		}
		t.Logf("%.1f packets a second", rate)
		packets := c.Heard()[from:]
		for i := 1; i < len(packets); i++ {
			if step := packets[i].Timestamp - packets[i-1].Timestamp; step != 960 || packets[i].PayloadType != 111 {
				t.Fatalf("packet %d: %d ticks, type %d", i, step, packets[i].PayloadType)
			}
		}
		if err := fake.CheckAnswer(c.Offer, c.Answer()); err != nil {
			t.Error(err)
		}
		if strings.Contains(c.Answer(), " tcp ") {
			t.Error("the answer has an address for TCP")
		}
		p.click("call-hangup")
		p.noWrapUp()
		p.clean()
	}
}

// paceOf counts the packets that the caller hears in the next second.
func paceOf(c *fake.Call) float64 {
	from := len(c.Heard())
	wait(time.Second)
	packets := c.Heard()[from:]
	if len(packets) < 2 {
		return 0
	}
	return float64(len(packets)-1) / packets[len(packets)-1].At.Sub(packets[0].At).Seconds()
}

// talk lets the caller speak for as long as the call lasts.
func talk(c *fake.Call) {
	tick := time.NewTicker(frame)
	go func() {
		defer tick.Stop()
		for i := 0; ; i++ {
			<-tick.C
			if _, over := c.End(); over || c.SendAudio(tonePacket(i)) != nil {
				return
			}
		}
	}()
}

// Check 3: both kinds of offer, one without its last line end.
func TestPageTakesBothKindsOfOffer(t *testing.T) {
	d := startOffice(t, plan{})
	p := d.atWork("ana")
	for _, kind := range []fake.OfferKind{fake.OfferCurrent, fake.OfferOlder} {
		from := phone("talk")
		from.Media, from.Offer = true, kind
		c := d.call(from)
		p.is(5*time.Second, "ringing")
		t.Logf("offer of kind %v: first packet %s after the click", kind, d.pick(p, c).Round(time.Millisecond))
		c.HangUp()
		p.is(3*time.Second, "available")
	}
	p.clean()
}

// Check 4: a muted microphone sends silence, and goes on sending.
func TestPageMutes(t *testing.T) {
	d := startOffice(t, plan{})
	p := d.atWork("ana")
	c := d.ring(p, "talk")
	d.pick(p, c)
	wait(2 * time.Second)
	size := func(packets []fake.Packet) (mean float64) {
		for _, h := range packets {
			mean += float64(len(h.Payload)) / float64(len(packets))
		}
		return mean
	}
	loud := size(c.Heard())
	p.key("m")
	p.until(time.Second, "document.querySelector('[data-testid=call-mute]').getAttribute('aria-pressed') === 'true'")
	wait(time.Second)
	from := len(c.Heard())
	lasts := testrun.Pick(3*time.Second, 5*time.Second, 35*time.Second) // WhatsApp ends a silent call after 30 s
	wait(lasts)
	muted := c.Heard()[from:]
	rate := float64(len(muted)) / lasts.Seconds()
	if quiet := size(muted); rate < 45 || quiet > loud/2 {
		t.Errorf("muted: %.1f packets a second of %.0f bytes, before it %.0f bytes", rate, quiet, loud)
	}
	t.Logf("%s muted: %.1f packets a second of %.0f bytes; before %.0f bytes", lasts, rate, size(muted), loud)
	p.click("call-mute")
	wait(time.Second)
	from = len(c.Heard())
	wait(time.Second)
	if again := size(c.Heard()[from:]); again < loud/2 {
		t.Errorf("unmuted: %.0f bytes, before %.0f", again, loud)
	}
	p.key("e")
	p.key("e")
	p.is(3*time.Second, "available")
	p.clean()
}

// Check 5: the caller hangs up while it rings, as the agent clicks, and in the call.
func TestPageWhenTheCallerHangsUp(t *testing.T) {
	d := startOffice(t, plan{})
	p := d.atWork("ana")
	c := d.ring(p, "talk")
	p.until(2*time.Second, "pcs.length === 1")
	c.HangUp()
	p.is(2*time.Second, "available")
	if ring := p.text("document.querySelector('main').dataset.ring"); ring != "off" {
		t.Errorf("the ring is %s", ring)
	}
	p.clean()

	c = d.ring(p, "talk")
	go c.HangUp()
	_ = p.eval("document.querySelector('[data-testid=offer-answer]')?.click()", nil)
	p.is(5*time.Second, "available")
	p.clean()

	c = d.ring(p, "talk")
	d.pick(p, c)
	c.HangUp()
	took := p.is(3*time.Second, "available")
	p.until(2*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('O cliente desligou')")
	p.clean()
	promptly(t, "from the caller's hang-up to a free page", took, 500*time.Millisecond)
}

// Check 6: a declined call rings at the next agent at once; one that rang out sets the agent away.
func TestPageDeclinesAndMisses(t *testing.T) {
	d := startOffice(t, plan{})
	p, next := d.atWork("ana"), d.agent("bruno", false)
	d.ring(p, "sales")
	began := time.Now()
	p.key("r")
	nextOffer(next)
	promptly(t, "from the key to the ring at the next agent", time.Since(began), 300*time.Millisecond)
	p.is(2*time.Second, "available")
	d.ring(p, "hurry")
	p.is(5*time.Second, "away")
	p.until(2*time.Second, "document.querySelector('[data-testid=banner]').textContent.includes('1 chamadas não atendidas')")
	must(t, p.eval("document.querySelector('[data-testid=banner] button').click()", nil))
	p.is(2*time.Second, "available")
	p.clean()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func nextOffer(a *agent) { next[offerEvent](a, 5*time.Second) }

// Check 15: what a caller is called is text; nothing on the page breaks its policy.
func TestPageShowsCallersAsText(t *testing.T) {
	d := startOffice(t, plan{})
	p := d.atWork("ana")
	from := phone("talk")
	from.Media, from.Name = true, `<img src=x onerror="document.title='owned'"><b>Zé</b>`
	d.call(from)
	p.is(5*time.Second, "ringing")
	if name := p.text("document.querySelector('[data-testid=offer-name]').textContent"); name != from.Name {
		t.Errorf("the page shows %q", name)
	}
	p.key("r")
	p.is(2*time.Second, "available")
	if found := p.text("violations.join('; ')"); found != "" {
		t.Errorf("the page breaks its policy: %s", found)
	}
	if n := p.number("document.querySelectorAll('[style], script:not([src]), style').length"); n != 0 {
		t.Errorf("the page has %v inline scripts or styles", n)
	}
	for _, c := range []struct {
		method, path, header, value string
		status                      int
	}{
		{"PUT", "/api/v1/me", "Origin", "https://elsewhere.example", http.StatusForbidden},
		{"POST", "/api/v1/session", "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, d.origin+c.path, strings.NewReader("{}"))
		must(t, err)
		req.Header.Set(c.header, c.value)
		resp, err := d.client.Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, resp.StatusCode, c.status)
		}
	}
}
