package console

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"callrouter/engine"
)

// sdp is the body of an answer.
func sdp(s string) string {
	b, _ := json.Marshal(map[string]string{"sdp": s})
	return string(b)
}

func TestAnAgentAnswersACallAndHangsUp(t *testing.T) {
	const id = "wacid.HBg+a/b/c=="
	r := newRig(t)
	ana, screen := r.online("ana")
	bruno, _ := r.online("bruno")
	r.call(id, caller)

	o := screen.next("offer")
	call := o["call"].(map[string]any)
	if o["sdp"] != offerSDP || o["queue"] != "sales" || o["rings_until"] == nil || call["id"] != id ||
		call["from"] != callerKey || call["name"] != "Maria" || call["number"] != "main" {
		t.Fatalf("the offer is %v", o)
	}
	path := "/api/v1/offers/" + o["offer"].(string)
	r.want(404, "unknown_offer", bruno, "POST", path+"/answer", sdp(answerSDP))
	r.want(404, "unknown_offer", bruno, "POST", path+"/decline", "")
	r.want(404, "unknown_offer", ana, "POST", "/api/v1/offers/nonsense/answer", sdp(answerSDP))
	r.want(422, "unusable_sdp", ana, "POST", path+"/answer", sdp("nonsense"))
	r.want(422, "unusable_sdp", ana, "POST", path+"/answer", "{}")
	r.want(200, "", ana, "POST", path+"/answer", sdp(answerSDP))
	r.want(200, "", ana, "POST", path+"/answer", sdp(answerSDP))
	if r.positus.count("accept "+id+" "+answerSDP) != 1 {
		t.Fatalf("Positus was told %q", r.positus.did)
	}
	screen.untilCall(id, "active")

	a := r.want(200, "", adminToken, "GET", "/api/v1/agents", "")
	held := a.body["agents"].([]any)[0].(map[string]any)["held"].([]any)
	if len(held) != 1 || held[0] != id {
		t.Errorf("ana holds %v", held)
	}
	hangUp := "/api/v1/calls/" + url.PathEscape(id) + "/hang-up"
	r.want(404, "unknown_call", bruno, "POST", hangUp, "")
	r.want(200, "", ana, "POST", hangUp, "")
	screen.untilCall(id, "ended")
	r.want(409, "not_active", ana, "POST", hangUp, "")
	if rec := r.ended(id); rec["outcome"] != "answered" || rec["agent"] != "ana" ||
		rec["why"] != "hung up by agent ana" {
		t.Errorf("the record is %v", rec)
	}
	r.want(409, "ended", ana, "POST", path+"/answer", sdp(answerSDP))
}

// An agent whom a reload takes out while on a call keeps it, and the means to end it; with the call they end.
func TestAgentIsTakenOutWhileOnACall(t *testing.T) {
	const id = "wacid.1"
	r := newRig(t)
	ana, screen := r.online("ana")
	r.call(id, caller)
	r.want(200, "", ana, "POST", "/api/v1/offers/"+screen.next("offer")["offer"].(string)+"/answer", sdp(answerSDP))
	screen.untilCall(id, "active")
	r.rewriteRules(func(text string) string {
		text = strings.ReplaceAll(text, "  ana: {name: Ana Souza, capacity: 1}\n", "")
		return strings.NewReplacer("[ana, bruno]", "[bruno]", "[ana]", "[bruno]").Replace(text)
	})
	r.want(200, "", adminToken, "POST", "/api/v1/rules/reload", "")
	again := r.connect(ana) // her page is loaded again
	again.next("status")
	again.untilCall(id, "active")
	r.want(200, "", ana, "POST", "/api/v1/calls/"+id+"/hang-up", "")
	screen.untilCall(id, "ended")
	r.want(401, "unauthorized", ana, "GET", "/api/v1/me", "")
	again.untilCall(id, "ended")
	again.ends()
}

func TestOfTwoWhoAreRungOneHasTheCall(t *testing.T) {
	r := newRig(t)
	ana, screenA := r.online("ana")
	bruno, screenB := r.online("bruno")
	r.on("everybody")
	r.call("c", caller)
	offerA, offerB := screenA.next("offer")["offer"].(string), screenB.next("offer")["offer"].(string)
	r.want(200, "", bruno, "POST", "/api/v1/offers/"+offerB+"/answer", sdp(answerSDP))
	screenA.is("withdrawn", map[string]any{"offer": offerA, "reason": "taken", "by": "bruno"})
	for _, path := range []string{"/answer", "/decline"} {
		a := r.want(409, "taken", ana, "POST", "/api/v1/offers/"+offerA+path, sdp(answerSDP))
		if a.body["by"] != "other" {
			t.Errorf("%s: it was taken by %v", path, a.body["by"])
		}
	}
	screenB.untilCall("c", "active")
}

func TestACallerWhoLeavesEndsTheOffer(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	r.call("c", caller)
	offer := screen.next("offer")["offer"].(string)
	r.leave("c")
	screen.is("withdrawn", map[string]any{"offer": offer, "reason": "ended"})
	r.want(409, "ended", ana, "POST", "/api/v1/offers/"+offer+"/answer", sdp(answerSDP))
}

func TestAnOfferThatRingsOutIsMissedAndSetsTheAgentAway(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	r.on("quick")
	r.call("c", caller)
	offer := screen.next("offer")["offer"].(string)
	seen := map[string]map[string]any{}
	for range 2 { // the order in which the two are written is not promised
		ev := <-screen.events
		var data map[string]any
		r.must(json.Unmarshal([]byte(ev.Data), &data))
		seen[ev.Type] = data
	}
	if w := seen["withdrawn"]; w["offer"] != offer || w["reason"] != "expired" {
		t.Errorf("withdrawn is %v", w)
	}
	if s := seen["status"]; s["status"] != "away" || s["reason"] != "missed 1 calls in a row" {
		t.Errorf("status is %v", s)
	}
	r.want(409, "expired", ana, "POST", "/api/v1/offers/"+offer+"/answer", sdp(answerSDP))
}

func TestADeclinedOfferGoesToTheNextAgent(t *testing.T) {
	r := newRig(t)
	ana, screenA := r.online("ana")
	_, screenB := r.online("bruno")
	r.call("c", caller)
	offer := screenA.next("offer")["offer"].(string)
	for range 2 {
		if a := r.want(204, "", ana, "POST", "/api/v1/offers/"+offer+"/decline", ""); a.text != "" {
			t.Errorf("the answer has a body: %s", a.text)
		}
	}
	screenA.is("withdrawn", map[string]any{"offer": offer, "reason": "declined"})
	screenB.next("offer")
	r.want(409, "expired", ana, "POST", "/api/v1/offers/"+offer+"/answer", sdp(answerSDP))
}

func TestAnAcceptThatPositusRefusesIsABadGateway(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	r.positus.refuse("accept", &engine.ProviderError{Kind: engine.Refused, Status: 400, Message: "invalid SDP"})
	r.call("c", caller)
	offer := screen.next("offer")["offer"].(string)
	a := r.want(502, "positus_refused", ana, "POST", "/api/v1/offers/"+offer+"/answer", sdp(answerSDP))
	if !strings.Contains(a.body["message"].(string), "invalid SDP") {
		t.Errorf("the message is %v", a.body["message"])
	}
	screen.untilCall("c", "ended")
}

func TestAHangUpThatPositusDoesNotTakeIsNotCalledDone(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	r.call("c", caller)
	r.want(200, "", ana, "POST", "/api/v1/offers/"+screen.next("offer")["offer"].(string)+"/answer", sdp(answerSDP))
	r.positus.refuse("hang-up", &engine.ProviderError{Kind: engine.Unavailable, Status: 503})
	r.want(502, "positus_unavailable", adminToken, "POST", "/api/v1/calls/c/hang-up", "")
	rec := r.want(200, "", adminToken, "GET", "/api/v1/calls/c", "").body
	if rec["state"] != "active" || rec["hang_up"] == nil {
		t.Errorf("the record is %v", rec)
	}
	r.positus.refuse("hang-up", nil)
	r.want(200, "", adminToken, "POST", "/api/v1/calls/c/hang-up", "")
}

func TestOnlyTheAnswerersOwnURLEndsItsCall(t *testing.T) {
	const id = "wacid.with/slash+plus="
	r := newRig(t)
	r.on("bot")
	r.call(id, caller)
	r.until("the bot has the call", func() bool {
		return r.send(adminToken, "GET", "/api/v1/calls/"+url.PathEscape(id), "").body["state"] == "active"
	})
	own := strings.TrimPrefix(HangUpURL(r.url+"/", adminToken, id), r.url)
	for _, wrong := range []string{
		HangUpURL(r.url, "another secret", id),
		strings.Replace(HangUpURL(r.url, adminToken, "another call"), engine.Key("another call"), engine.Key(id), 1),
		HangUpURL(r.url, adminToken, "another call"),
	} {
		r.want(404, "unknown_call", "", "POST", strings.TrimPrefix(wrong, r.url), "")
	}
	r.want(405, "method_not_allowed", "", "GET", own, "")
	r.want(200, "", "", "POST", own, "")
	if rec := r.ended(id); rec["why"] != "hung up by the answerer" || r.positus.count("hang-up "+id) != 1 {
		t.Errorf("the record is %v, and Positus was told %q", rec, r.positus.did)
	}
	r.want(409, "not_active", "", "POST", own, "")
}

func TestAnAnswererThatDidNotGetTheCallMayNotEndIt(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	r.call("c", caller)
	r.want(200, "", ana, "POST", "/api/v1/offers/"+screen.next("offer")["offer"].(string)+"/answer", sdp(answerSDP))
	r.want(409, "not_yours", "", "POST", strings.TrimPrefix(HangUpURL(r.url, adminToken, "c"), r.url), "")
}

func TestOfTwoWindowsOfOneAgentOneHasTheCall(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	r.call("c", caller)
	path := "/api/v1/offers/" + screen.next("offer")["offer"].(string)
	r.want(200, "", ana, "POST", path+"/answer", sdp(answerSDP))
	for _, body := range []string{sdp(answerSDP + "a=other\r\n"), ""} {
		to := path + "/answer"
		if body == "" {
			to = path + "/decline"
		}
		if a := r.want(409, "taken", ana, "POST", to, body); a.body["by"] != "self" {
			t.Errorf("%s: it was taken by %v", to, a.body["by"])
		}
	}
}

// A browser refuses an offer whose last line does not end, and real ones arrive like that.
func TestOffersAreRepairedBeforeAnAgentSeesThem(t *testing.T) {
	r := newRig(t)
	_, screen := r.online("ana")
	r.must(r.engine.Receive(r.Context(), []engine.Event{{Connect: &engine.Connect{
		CallID: "c", From: caller, To: ourNumber, Timestamp: time.Now(), SDP: strings.TrimSuffix(offerSDP, "\r\n"),
	}}}))
	screen.is("offer", map[string]any{"sdp": offerSDP})
}
