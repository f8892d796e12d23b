package console

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// page connects a window that confirms rings.
func (r *rig) page(token, tab string) *screen {
	r.Helper()
	s := r.connect(token, "?ack=1&tab="+tab)
	s.next("status")
	return s
}

func (r *rig) agentState(agent string) map[string]any {
	r.Helper()
	for _, a := range r.want(200, "", adminToken, "GET", "/api/v1/agents", "").body["agents"].([]any) {
		if a.(map[string]any)["agent"] == agent {
			return a.(map[string]any)
		}
	}
	r.Fatalf("there is no agent %s", agent)
	return nil
}

func TestAPageThatSleepsPassesTheCallOn(t *testing.T) {
	r := newRig(t)
	ana := r.token("ana")
	asleep := r.page(ana, "tab-of-ana")
	_, next := r.online("bruno")
	began := time.Now()
	r.call("c", caller)
	offer := asleep.next("offer")["offer"].(string)
	next.next("offer")
	if d := time.Since(began); d < ackWithin { // and not only after the 10 s that ana's phone rings: next waits for 5
		t.Errorf("the next agent is rung after %s", d)
	}
	r.until("ana is away", func() bool { return r.agentState("ana")["status"] == "away" })
	if a := r.agentState("ana"); a["reason"] != "page asleep" || a["missed"] != 0.0 {
		t.Errorf("ana is %v", a)
	}
	r.want(409, "expired", ana, "POST", "/api/v1/offers/"+offer+"/ringing", `{"tab":"tab-of-ana"}`)
}

func TestAPageThatConfirmsKeepsRinging(t *testing.T) {
	r := newRig(t)
	ana := r.token("ana")
	page := r.page(ana, "tab-of-ana")
	r.call("c", caller)
	offer := page.next("offer")["offer"].(string)
	for range 2 {
		r.want(204, "", ana, "POST", "/api/v1/offers/"+offer+"/ringing", `{"tab":"tab-of-ana"}`)
	}
	select {
	case ev := <-page.events:
		t.Errorf("after the confirmation came %s %s", ev.Type, ev.Data)
	case <-time.After(ackWithin + 500*time.Millisecond):
	}
	if a := r.agentState("ana"); a["status"] != "available" {
		t.Errorf("ana is %v", a)
	}
	r.want(404, "unknown_offer", r.token("bruno"), "POST", "/api/v1/offers/"+offer+"/ringing", "")
}

func TestAPageThatIsClosedPassesTheCallOnAndOneThatIsLoadedAgainKeepsIt(t *testing.T) {
	r := newRig(t)
	ana := r.token("ana")
	page := r.page(ana, "tab-of-ana")
	_, next := r.online("bruno")
	r.call("c", caller)
	offer := page.next("offer")["offer"].(string)
	r.want(204, "", ana, "POST", "/api/v1/offers/"+offer+"/ringing", "")
	page.close()
	page.ends()
	page = r.page(ana, "tab-of-ana")
	page.is("offer", map[string]any{"offer": offer})
	select {
	case ev := <-next.events:
		t.Fatalf("the next agent has %s %s", ev.Type, ev.Data)
	case <-time.After(returnWithin + 300*time.Millisecond):
	}
	page.close()
	page.ends()
	began := time.Now()
	next.next("offer")
	if d := time.Since(began); d < returnWithin/2 { // and not only after the 10 s that ana's phone rings: next waits for 5
		t.Errorf("the next agent is rung after %s", d)
	}
	if a := r.agentState("ana"); a["status"] != "offline" || a["reason"] != "" {
		t.Errorf("ana is %v", a)
	}
}

func TestACallKeepsRingingAtAClosedPageWhileNobodyElseCanTakeIt(t *testing.T) {
	r := newRig(t)
	ana := r.token("ana")
	page := r.page(ana, "tab-of-ana")
	r.call("c", caller)
	offer := page.next("offer")["offer"].(string)
	r.want(204, "", ana, "POST", "/api/v1/offers/"+offer+"/ringing", "")
	page.close()
	page.ends()
	<-time.After(2*returnWithin + returnWithin/2)
	late := r.page(ana, "tab-of-ana")
	late.is("offer", map[string]any{"offer": offer})
	late.close()
	late.ends()
	_, next := r.online("bruno")
	next.next("offer")
}

func TestAnOfferSaysWhoCallsAndWhy(t *testing.T) {
	r := newRig(t)
	r.rewriteRules(func(text string) string {
		return strings.Replace(text, "  vip: {store: true}\n", "  vip: {store: true}\n  known: [\""+callerKey+"\"]\n", 1)
	})
	r.want(200, "", adminToken, "POST", "/api/v1/rules/reload", "")
	ana, screen := r.online("ana")
	r.call("first", caller)
	path := "/api/v1/offers/" + screen.next("offer")["offer"].(string)
	r.want(200, "", ana, "POST", path+"/answer", sdp(answerSDP))
	screen.untilCall("first", "active")
	r.want(200, "", ana, "PUT", "/api/v1/me/calls/first/note", `{"note":"calls again","disposition":"order"}`)
	r.leave("first")
	screen.untilCall("first", "ended")
	r.call("second", caller)
	o := screen.next("offer")
	earlier, _ := o["earlier"].(map[string]any)
	last, _ := earlier["last"].(map[string]any)
	if o["rule"] != "sales line" || o["by"] != "rule" || o["number_name"] != "main" || o["ring_for_s"] != 10.0 ||
		o["now"] == nil || earlier["count"] != 1.0 || last["note"] != "calls again" || last["agent"] != "Ana Souza" ||
		len(o["listed"].([]any)) != 1 || o["listed"].([]any)[0] != "known" {
		t.Errorf("the offer is %v", o)
	}
	a := r.want(200, "", ana, "GET", "/api/v1/me/calls/second/earlier", "")
	if len(a.body["calls"].([]any)) != 1 {
		t.Errorf("earlier calls: %s", a.text)
	}
	r.want(404, "unknown_call", r.token("bruno"), "GET", "/api/v1/me/calls/second/earlier", "")
}

func TestAnAgentSeesTheOwnCalls(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	r.call("c/1", caller)
	path := "/api/v1/offers/" + screen.next("offer")["offer"].(string)
	r.want(400, "invalid_tab", ana, "POST", path+"/answer", `{"sdp":"v=0\r\n","tab":"<x>"}`)
	r.want(200, "", ana, "POST", path+"/answer", `{"sdp":"v=0\r\n","tab":"tab-number-1"}`)
	screen.untilCall("c/1", "active")
	id := url.PathEscape("c/1")
	if a := r.want(200, "", ana, "GET", "/api/v1/me", ""); len(a.body["calls"].([]any)) != 1 ||
		a.body["capacity"] != 1.0 || a.body["timezone"] != "America/Sao_Paulo" || a.body["language"] != "en" ||
		len(a.body["queues"].([]any)) != 3 || len(a.body["ice_servers"].([]any)) != 0 {
		t.Errorf("me: %s", a.text)
	}
	r.want(204, "", ana, "POST", "/api/v1/me/calls/"+id+"/audio", `{"state":"connected","click_to_audio_ms":140}`)
	r.want(204, "", ana, "POST", "/api/v1/me/calls/"+id+"/audio", `{"state":"lost","loss":0.5}`)
	r.want(400, "invalid_state", ana, "POST", "/api/v1/me/calls/"+id+"/audio", `{"state":"loud"}`)
	r.want(404, "unknown_call", r.token("bruno"), "POST", "/api/v1/me/calls/"+id+"/audio", `{"state":"lost"}`)
	r.want(400, "invalid_reason", ana, "POST", "/api/v1/calls/"+id+"/hang-up", `{"reason":"bored"}`)
	r.want(200, "", ana, "POST", "/api/v1/calls/"+id+"/hang-up", `{"reason":"tab_closed"}`)
	screen.untilCall("c/1", "ended")
	if rec := r.ended("c/1"); rec["why"] != "hung up by agent ana (tab_closed)" {
		t.Errorf("why is %v", rec["why"])
	}
	r.want(400, "too_long", ana, "PUT", "/api/v1/me/calls/"+id+"/note", `{"note":"`+strings.Repeat("é", noteLimit+1)+`"}`)
	note := r.want(200, "", ana, "PUT", "/api/v1/me/calls/"+id+"/note", `{"note":"`+strings.Repeat("é", noteLimit)+`"}`)
	if note.body["result"] != "answered" || note.body["by"] != "agent" || note.body["tab"] != "tab-number-1" {
		t.Errorf("the call is %v", note.body)
	}
	r.want(404, "unknown_call", r.token("bruno"), "PUT", "/api/v1/me/calls/"+id+"/note", `{"note":"mine"}`)

	r.call("c2", caller)
	r.want(204, "", ana, "POST", "/api/v1/offers/"+screen.next("offer")["offer"].(string)+"/decline", "")
	r.ended("c2")
	a := r.want(200, "", ana, "GET", "/api/v1/me/calls?limit=50", "")
	list := a.body["calls"].([]any)
	if len(list) != 2 || list[0].(map[string]any)["result"] != "declined" || list[1].(map[string]any)["result"] != "answered" {
		t.Errorf("own calls: %s", a.text)
	}
	r.want(400, "invalid_limit", ana, "GET", "/api/v1/me/calls?limit=0", "")
}

func TestOneWindowHasTheCallAndTheOtherSaysSo(t *testing.T) {
	r := newRig(t)
	ana := r.token("ana")
	one, two := r.page(ana, "tab-number-1"), r.page(ana, "tab-number-2")
	r.call("c", caller)
	offer := one.next("offer")["offer"].(string)
	two.next("offer")
	r.want(200, "", ana, "POST", "/api/v1/offers/"+offer+"/answer", `{"sdp":"v=0\r\n","tab":"tab-number-2"}`)
	one.is("withdrawn", map[string]any{"offer": offer, "reason": "answered_elsewhere"})
	one.is("call", map[string]any{"id": "c", "tab": "tab-number-2", "from": callerKey, "direction": "in"})
	two.untilCall("c", "active")
	r.leave("c")
	for e := two.next("call"); e["state"] != "ended"; e = two.next("call") {
		continue
	}
	r.want(400, "invalid_tab", ana, "GET", "/api/v1/me/events?tab=short", "")
}

func TestAWrapUpIsToldEndedAndProlonged(t *testing.T) {
	r := newRig(t)
	r.rewriteRules(func(text string) string {
		return strings.Replace(text, "ring: 10s, away_after: 3", "ring: 10s, wrap_up: 20s, away_after: 3", 1)
	})
	r.want(200, "", adminToken, "POST", "/api/v1/rules/reload", "")
	ana, screen := r.online("ana")
	talk := func(id string) {
		r.call(id, caller)
		r.want(200, "", ana, "POST", "/api/v1/offers/"+screen.next("offer")["offer"].(string)+"/answer", sdp(answerSDP))
		screen.untilCall(id, "active")
		r.leave(id)
	}
	left := func(e map[string]any) time.Duration {
		until, err := time.Parse(time.RFC3339Nano, e["until"].(string))
		r.must(err)
		now, err := time.Parse(time.RFC3339Nano, e["now"].(string))
		r.must(err)
		return until.Sub(now)
	}
	wrapUp := func() map[string]any {
		for {
			if e := screen.any(); e.Type == "wrap_up" {
				return decode(r, e.Data)
			}
		}
	}
	talk("one")
	if e := wrapUp(); e["call"] != "one" || left(e) < 19*time.Second || left(e) > 20*time.Second {
		t.Errorf("wrap_up: %v", e)
	}
	r.want(400, "invalid_for", ana, "POST", "/api/v1/me/wrap-up", `{"for":"long"}`)
	r.want(204, "", ana, "POST", "/api/v1/me/wrap-up", `{"for":"60s"}`)
	if e := wrapUp(); left(e) < 78*time.Second || left(e) > 80*time.Second {
		t.Errorf("prolonged: %v", e)
	}
	r.want(409, "prolonged", ana, "POST", "/api/v1/me/wrap-up", `{"for":"60s"}`)
	r.want(204, "", ana, "DELETE", "/api/v1/me/wrap-up", "")
	if e := wrapUp(); e["until"] != nil {
		t.Errorf("ended: %v", e)
	}
	r.want(409, "no_wrap_up", ana, "POST", "/api/v1/me/wrap-up", `{"for":"60s"}`)
	r.want(204, "", ana, "DELETE", "/api/v1/me/wrap-up", "")
	talk("two") // ana is free again
}
