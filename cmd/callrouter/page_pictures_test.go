package main

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// sizes are the screens that the page is looked at on.
var sizes = []struct {
	width, height int
	dark          bool
}{{1280, 800, false}, {360, 740, true}, {1280, 800, true}, {360, 740, false}}

// fits fails if the page is wider than its window, or a control has no name or is too small to touch.
func (p *tab) fits() {
	p.t.Helper()
	if wide := p.number("document.documentElement.scrollWidth - innerWidth"); wide > 0 {
		p.t.Errorf("the page is %v px wider than its window of %s px", wide, p.text("innerWidth"))
	}
	if bad := p.text(`[...document.querySelectorAll('button, input, select, textarea, meter')].filter((e) => e.offsetParent &&
		!(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label'))).map((e) => e.id || e.outerHTML).join(', ')`); bad != "" {
		p.t.Errorf("without a name: %s", bad)
	}
	if small := p.text(`[...document.querySelectorAll('button')].filter((e) => e.offsetParent &&
		e.getBoundingClientRect().height < 44).map((e) => e.id || e.textContent).join(', ')`); small != "" {
		p.t.Errorf("too small to touch: %s", small)
	}
}

// looked goes through the sizes, and keeps a picture of each if CALLROUTER_TEST_PICTURES names a folder.
func (p *tab) looked(name string) {
	p.t.Helper()
	for _, s := range sizes {
		p.screen(s.width, s.height, s.dark)
		p.do("Runtime.evaluate", map[string]any{"expression": "scrollTo(0, 0)"})
		p.fits()
		shade := map[bool]string{true: "dark", false: "light"}[s.dark]
		p.shot(fmt.Sprintf("%s-%d-%s.png", name, s.width, shade))
		if os.Getenv("CALLROUTER_TEST_PICTURES") == "" && name != "setup" {
			break // one size shows that the state fits; the first state is checked in all
		}
	}
	p.screen(320, 640, false)
	p.fits()
	p.screen(1280, 800, false)
}

// Check 17 in part: each state of the page fits on each screen, and each control has a name.
func TestPageFitsEveryScreen(t *testing.T) {
	d := startOffice(t, plan{})
	visit := d.b.visit(t, d.origin, allowed...)
	in := visit.open(d.origin + "/console/")
	in.until(5*time.Second, "document.getElementById('lang-switch').textContent")
	in.looked("signin")
	p := visit.open(d.link("ana"))
	p.is(10*time.Second, "setup")
	p.looked("setup")
	p.click("start-shift")
	p.is(5*time.Second, "available")
	p.looked("available")
	for i := range 2 {
		c := d.ring(p, "sales")
		if i == 1 {
			p.until(6*time.Second, "!document.querySelector('[data-name=notice]')")
			p.looked("ringing")
		}
		d.pick(p, c)
		talk(c)
		if i == 1 {
			p.until(3*time.Second, "document.activeElement.dataset.testid === 'call-mute'")
			p.looked("in-call")
		}
		must(t, p.eval(`(n => { n.value = 'Quer 20 caixas até sexta-feira.'; n.dispatchEvent(new Event('input')); n.blur(); })(document.getElementById('note'))`, nil))
		must(t, p.eval(`(n => { n.value = 'pedido'; n.dispatchEvent(new Event('input')); })(document.getElementById('disposition'))`, nil))
		p.until(4*time.Second, "document.getElementById('note-saved').textContent !== ''")
		c.HangUp()
		p.is(3*time.Second, "wrap-up")
		if i == 1 {
			p.looked("wrap-up")
		}
		p.noWrapUp()
	}
	p.key("d")
	p.is(3*time.Second, "away")
	p.looked("away")
	other := visit.open(d.origin + "/console/agent")
	other.is(5*time.Second, "other-tab")
	other.looked("other-tab")
}
