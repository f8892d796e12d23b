package fake_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/positus/fake"
)

func TestActionsAreRefusedAsWhatsAppRefusesThem(t *testing.T) {
	accept := func(g *rig, c *fake.Call) reply { return g.accept(c) }
	reject := func(g *rig, c *fake.Call) reply { return g.post(fake.KindReject, idBody(c)) }
	hangUp := func(g *rig, c *fake.Call) reply { return g.post(fake.KindHangUp, idBody(c)) }
	callerHangsUp := func(_ *rig, c *fake.Call) reply { c.HangUp(); return reply{status: 200} }
	windowPasses := func(_ *rig, c *fake.Call) reply { c.Expire(); return reply{status: 200} }
	for name, tc := range map[string]struct {
		first, then    func(*rig, *fake.Call) reply
		status, code   int
		applied        []fake.Kind
		refusedBecause string
	}{
		"accept after accept":     {accept, accept, 400, 100, []fake.Kind{"accept"}, "already In Progress"},
		"reject after accept":     {accept, reject, 400, 100, []fake.Kind{"accept"}, "Reject an already"},
		"hang up after accept":    {accept, hangUp, 200, 0, []fake.Kind{"accept", "hang-up"}, ""},
		"accept after reject":     {reject, accept, 400, 100, []fake.Kind{"reject"}, "already In Progress"},
		"reject after reject":     {reject, reject, 400, 100, []fake.Kind{"reject"}, "already In Progress"},
		"hang up after reject":    {reject, hangUp, 400, 100, []fake.Kind{"reject"}, "Terminate an already"},
		"accept after hang-up":    {callerHangsUp, accept, 400, 100, nil, "already In Progress"},
		"reject after hang-up":    {callerHangsUp, reject, 400, 100, nil, "already In Progress"},
		"hang up after hang-up":   {callerHangsUp, hangUp, 400, 100, nil, "Terminate an already"},
		"hang up what rings":      {hangUp, hangUp, 400, 100, []fake.Kind{"hang-up"}, "Terminate an already"},
		"accept after the window": {windowPasses, accept, 500, 138007, nil, "answer window"},
		"reject after the window": {windowPasses, reject, 400, 100, nil, "already In Progress"},
		"accept an outbound call": {
			func(*rig, *fake.Call) reply { return reply{status: 200} }, accept, 400, 100, nil, "user-initiated",
		},
		"reject an outbound call": {
			func(*rig, *fake.Call) reply { return reply{status: 200} }, reject, 400, 100, nil, "user-initiated",
		},
		"hang up twice once active": {
			func(g *rig, c *fake.Call) reply { accept(g, c); return hangUp(g, c) }, hangUp, 400, 100,
			[]fake.Kind{"accept", "hang-up"}, "Terminate",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, g *rig) {
				c := g.place(fake.Phone{Outbound: strings.Contains(name, "outbound")})
				if r := tc.first(g, c); r.status != 200 {
					t.Fatalf("first action: %d %s", r.status, r.body)
				}
				r := tc.then(g, c)
				if r.status != tc.status || r.code() != tc.code {
					t.Errorf("got %d, code %d, want %d, code %d: %s", r.status, r.code(), tc.status, tc.code, r.body)
				}
				if got := g.AppliedTo(c.ID); !slices.Equal(got, tc.applied) {
					t.Errorf("applied %v, want %v", got, tc.applied)
				}
				log := g.ActionsFor(c.ID)
				if last := log[len(log)-1]; last.Code != tc.code || !strings.Contains(last.Reason, tc.refusedBecause) {
					t.Errorf("log says code %d, %q, want %d, %q", last.Code, last.Reason, tc.code, tc.refusedBecause)
				}
			})
		})
	}
}

func TestRequestsThatAreNotUnderstood(t *testing.T) {
	g := overHTTP(t)
	c := g.place(fake.Phone{})
	id, _ := json.Marshal(c.ID)
	calls := "/whatsapp/numbers/" + numberID + "/calls/"
	for name, tc := range map[string]struct {
		method, path, bearer, body string
		status, code               int
	}{
		"wrong token":  {"POST", calls + "accept", "another", `{}`, 401, 0},
		"no token":     {"POST", calls + "accept", "", `{}`, 401, 0},
		"unknown path": {"POST", calls + "pre-accept", token, `{}`, 404, 0},
		"wrong method": {"GET", calls + "accept", token, ``, 405, 0},
		"unknown number id": {
			"POST", "/whatsapp/numbers/nobody/calls/reject", token, `{"call_id":` + string(id) + `}`, 404, 0,
		},
		"bad JSON":         {"POST", calls + "reject", token, `{"call_id":`, 400, 100},
		"unknown call":     {"POST", calls + "hang-up", token, `{"call_id":"wacid.none"}`, 400, 100},
		"no call id":       {"POST", calls + "reject", token, `{}`, 400, 100},
		"no SDP":           {"POST", calls + "accept", token, `{"call_id":` + string(id) + `}`, 400, 100},
		"make without SDP": {"POST", calls + "make", token, `{"to":"5511999990000"}`, 400, 100},
		"message not text": {
			"POST", "/whatsapp/numbers/" + numberID + "/messages", token, `{"to":"+55","type":"image"}`, 400, 100,
		},
		"permission of none": {"GET", calls + "call-permissions", token, ``, 400, 100},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := g.request(t.Context(), tc.method, tc.path, tc.bearer, tc.body)
			if err != nil || r.status != tc.status || r.code() != tc.code {
				t.Errorf("got %d, code %d, %v, want %d, code %d: %s", r.status, r.code(), err, tc.status, tc.code,
					r.body)
			}
		})
	}
	if c.State() != fake.Ringing {
		t.Errorf("the call is %s after nothing but mistakes", c.State())
	}
	for _, r := range g.Requests() {
		if r.Applied() {
			t.Errorf("applied: %+v", r)
		}
	}
}

func TestTwoAcceptsAtOnceOneWins(t *testing.T) {
	g := overHTTP(t)
	for i := range 20 {
		c := g.place(fake.Phone{Media: i%5 == 0})
		statuses := make([]int, 4)
		var all sync.WaitGroup
		for i := range statuses {
			all.Go(func() {
				if r, err := g.try(context.Background(), fake.KindAccept, acceptBody(c)); err == nil {
					statuses[i] = r.status
				}
			})
		}
		all.Wait()
		slices.Sort(statuses)
		if !slices.Equal(statuses, []int{200, 400, 400, 400}) {
			t.Fatalf("statuses %v", statuses)
		}
		if got := g.AppliedTo(c.ID); len(got) != 1 {
			t.Fatalf("applied %v", got)
		}
	}
}

func TestSDPThatWhatsAppRefusesIsRefusedAndCheckCanBeSwitchedOff(t *testing.T) {
	g := overHTTP(t)
	c := g.place(fake.Phone{})
	passive := strings.Replace(fake.TextAnswer(c.Offer), "setup:active", "setup:passive", 1)
	r := g.post(fake.KindAccept, map[string]any{"call_id": c.ID, "sdp": passive})
	if r.status != 400 || r.code() != 100 || !strings.Contains(string(r.body), "a=setup:passive") {
		t.Errorf("got %d: %s", r.status, r.body)
	}
	if c.State() != fake.Ringing {
		t.Errorf("state %s", c.State())
	}
	g.Adjust(func(d *fake.Dials) { d.SkipSDPCheck = true })
	if r := g.post(fake.KindAccept, map[string]any{"call_id": c.ID, "sdp": "rubbish"}); r.status != 200 ||
		c.Answer() != "rubbish" {
		t.Errorf("unchecked: %d: %s", r.status, r.body)
	}
}

func TestSuccessBodiesAreThoseOfTheSamples(t *testing.T) {
	g := overHTTP(t)
	accept, reject, hungUp := g.place(fake.Phone{}), g.place(fake.Phone{}), g.place(fake.Phone{})
	for _, r := range []reply{
		g.accept(accept),
		g.post(fake.KindReject, idBody(reject)),
		g.post(fake.KindHangUp, idBody(hungUp)),
		g.post(fake.KindMake, strings.ReplaceAll(string(sample(t, "calls-make-body")), "<<RFC 4566 SDP>>", "v=0")),
	} {
		if r.status != 200 || !slices.Equal(shape(r.body), shape(sample(t, "calls-accept-response"))) {
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
	r := g.post(fake.KindMessage, string(sample(t, "messages-text-body")))
	if want := []string{"message:string", "messages[].id:string"}; r.status != 200 ||
		!slices.Equal(shape(r.body), want) {
		t.Errorf("message: %d %s", r.status, r.body)
	}
	r, err := g.request(t.Context(), "GET", "/whatsapp/numbers/"+numberID+"/calls/call-permissions?user_wa_id="+caller,
		token, "")
	if err != nil || !slices.Equal(shape(r.body), shape(sample(t, "calls-permission-response"))) {
		t.Errorf("permission: %v\n%s\nwant %s", err, shape(r.body), shape(sample(t, "calls-permission-response")))
	}
}

func TestRefusalsComeInEveryShape(t *testing.T) {
	g := overHTTP(t)
	for kind, want := range map[fake.ErrorShape]string{
		fake.ErrorsArray: `"errors":[{"code":100,`,
		fake.ErrorObject: `"error":{"code":100,"error_data":{"details":"Invalid call_id"`,
		fake.ErrorText:   `{"message":"Invalid call_id"}`,
		fake.ErrorHTML:   "<html>",
		fake.ErrorEmpty:  "",
	} {
		g.Adjust(func(d *fake.Dials) { d.Errors = kind })
		r := g.post(fake.KindReject, map[string]any{"call_id": "wacid.x"})
		if r.status != 400 || !strings.Contains(string(r.body), want) || (want == "") != (len(r.body) == 0) {
			t.Errorf("shape %d: %d %s", kind, r.status, r.body)
		}
	}
}

func TestMakeRingsThePhoneAndIsRefusedTwiceOrWithoutPermission(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		body := map[string]any{
			"to":      caller,
			"session": map[string]any{"sdp_type": "offer", "sdp": fake.TextOffer(fake.OfferCurrent, 1, time.Now())},
		}
		if r := g.post(fake.KindMake, body); r.status != 200 || string(r.body) != `{"success":true}` {
			t.Fatalf("make: %d %s", r.status, r.body)
		}
		if r := g.post(fake.KindMake, body); r.status != 400 || r.code() != 138003 {
			t.Errorf("second make: %d %s", r.status, r.body)
		}
		c := g.Find(g.Requests()[0].CallID)
		synctest.Wait()
		if got := g.receiver.events(); !slices.Equal(got, []string{"RINGING", "connect"}) {
			t.Fatalf("webhooks %v", got)
		}
		connect := g.receiver.call(1, 0)
		if connect["from"] != business || connect["to"] != caller || connect["direction"] != "BUSINESS_INITIATED" {
			t.Errorf("connect %v", connect)
		}
		if sdp := connect["session"].(map[string]any)["sdp"].(string); fake.CheckAnswer(c.Offer, sdp) != nil {
			t.Errorf("not an answer to our offer: %s", sdp)
		}
		elapse(3 * time.Second)
		if c.State() != fake.Accepted {
			t.Fatalf("state %s", c.State())
		}
		if r := g.post(fake.KindHangUp, idBody(c)); r.status != 200 {
			t.Errorf("hang up: %s", r.body)
		}
		synctest.Wait()
		if got := g.receiver.events(); !slices.Equal(got, []string{"RINGING", "connect", "ACCEPTED", "terminate"}) {
			t.Errorf("webhooks %v", got)
		}
		g.Adjust(func(d *fake.Dials) { d.Permission = "no_permission" })
		if r := g.post(fake.KindMake, body); r.status != http.StatusUnauthorized || r.code() != 138006 {
			t.Errorf("without permission: %d %s", r.status, r.body)
		}
	}, func(c *fake.Config) {
		c.Dials.Statuses, c.Dials.PickUpAfter, c.Dials.Form.Direction = true, 2*time.Second, true
	})
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// shape lists the paths in a JSON text with the type of each value, sorted, once each.
func shape(body []byte) []string {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return []string{err.Error()}
	}
	paths := map[string]bool{}
	var walk func(string, any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, item := range v {
				walk(strings.TrimPrefix(path+"."+k, "."), item)
			}
		case []any:
			for _, item := range v {
				walk(path+"[]", item)
			}
		case string:
			paths[path+":string"] = true
		case float64:
			paths[path+":number"] = true
		case bool:
			paths[path+":bool"] = true
		}
	}
	walk("", v)
	list := make([]string, 0, len(paths))
	for p := range paths {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}
