package console

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestACapacitySetByHandAlwaysHasAnEnd(t *testing.T) {
	r := newRig(t)
	past := time.Now().Add(-time.Minute).Format(time.RFC3339)
	for body, code := range map[string]string{
		`{}`:                                       "nothing_to_change",
		`{"reason":"lunch"}`:                       "nothing_to_change",
		`{"capacity":3}`:                           "until_required",
		`{"capacity":3,"until":""}`:                "until_required",
		`{"capacity":3,"until":"soon"}`:            "invalid_until",
		`{"capacity":3,"until":"` + past + `"}`:    "invalid_until",
		`{"capacity":-1,"until":"1h"}`:             "invalid_capacity",
		`{"capacity":101,"until":"1h"}`:            "invalid_capacity",
		`{"capacity":"3","until":"1h"}`:            "invalid_json",
		`{"status":"away","until":"1h"}`:           "capacity_required",
		`{"status":"offline"}`:                     "invalid_status",
		`{"status":"gone"}`:                        "invalid_status",
		`{"capacity":2,"until":"1h","reason":"x"}`: "status_required",
	} {
		r.want(400, code, adminToken, "PATCH", "/api/v1/agents/ana", body)
	}
	for _, until := range []string{"2h", "18:00", "2099-01-31", "2099-01-31 12:00", "2099-01-31T12:00:00-03:00"} {
		a := r.want(200, "", adminToken, "PATCH", "/api/v1/agents/ana", fmt.Sprintf(`{"capacity":3,"until":%q}`, until))
		if a.body["capacity"] != 3.0 || a.body["capacity_until"] == nil {
			t.Errorf("until %s: %v", until, a.body)
		}
	}
	a := r.want(200, "", adminToken, "PATCH", "/api/v1/agents/ana",
		`{"capacity":null,"status":"away","reason":"lunch"}`)
	if a.body["capacity"] != 1.0 || a.body["capacity_until"] != nil || a.body["status"] != "offline" ||
		a.body["reason"] != "lunch" {
		t.Errorf("taken back: %v", a.body)
	}
	a = r.want(404, "unknown_agent", adminToken, "PATCH", "/api/v1/agents/anna", `{"status":"away"}`)
	if !strings.Contains(a.body["message"].(string), "ana, bruno") {
		t.Errorf("the message names nobody: %v", a.body["message"])
	}
}

func TestCapacityHoldsForTheNextCall(t *testing.T) {
	r := newRig(t)
	_, screen := r.online("ana")
	r.want(200, "", adminToken, "PATCH", "/api/v1/agents/ana", `{"capacity":2,"until":"1h"}`)
	r.call("c1", caller)
	screen.next("offer")
	r.call("c2", caller)
	screen.next("offer")
}

func TestListEntriesHoldAtOnceInAnySpelling(t *testing.T) {
	r := newRig(t)
	r.store.OnWake(func(string) {}) // at once does not mean once woken
	for _, spelling := range []string{"+5511977776666", "%2B5511977776666", "551177776666", "+55%20(11)%2097777-6666"} {
		path := "/api/v1/lists/blocked/" + spelling
		a := r.want(200, "", adminToken, "PUT", path, `{"note":"rude","until":"2099-01-31"}`)
		if a.body["number"] != callerKey || a.body["note"] != "rude" ||
			!strings.HasPrefix(a.body["until"].(string), "2099-02-01T00:00:00") {
			t.Errorf("%s: %v", spelling, a.body)
		}
		a = r.want(200, "", adminToken, "GET", "/api/v1/lists/blocked", "")
		if n := len(a.body["entries"].([]any)); n != 1 || a.body["in_file"] != 1.0 || a.body["store"] != false {
			t.Errorf("%s: the list is %v", spelling, a.body)
		}
		r.call("blocked by "+spelling, caller)
		if rec := r.ended("blocked by " + spelling); rec["outcome"] != "rejected" || rec["rule"] != "blocked callers" {
			t.Errorf("%s: the call was %v by %v", spelling, rec["outcome"], rec["rule"])
		}
		r.want(204, "", adminToken, "DELETE", path, "")
		r.want(404, "not_listed", adminToken, "DELETE", path, "")
	}
	r.call("free again", caller)
	if rec := r.ended("free again"); rec["rule"] == "blocked callers" {
		t.Error("what was deleted still holds")
	}

	a := r.want(200, "", adminToken, "PUT", "/api/v1/lists/vip/id:BR.13491208655302741918", "")
	if a.body["number"] != "id:BR.13491208655302741918" || a.body["until"] != nil {
		t.Errorf("an id: %v", a.body)
	}
	r.want(400, "invalid_number", adminToken, "PUT", "/api/v1/lists/vip/977776666", "")
	r.want(400, "invalid_until", adminToken, "PUT", "/api/v1/lists/vip/"+callerKey, `{"until":"2001-01-01"}`)
	a = r.want(404, "unknown_list", adminToken, "PUT", "/api/v1/lists/vips/"+callerKey, "")
	if !strings.Contains(a.body["message"].(string), "vip") {
		t.Errorf("the message names no list: %v", a.body["message"])
	}
	if all := r.want(200, "", adminToken, "GET", "/api/v1/lists", "").body["lists"].([]any); len(all) != 5 {
		t.Errorf("the lists are %v", all)
	}
}

func TestASwitchHoldsAtOnceAndHasAnEnd(t *testing.T) {
	const path = "/api/v1/hours/office/switch"
	r := newRig(t)
	r.store.OnWake(func(string) {}) // at once does not mean once woken
	for body, code := range map[string]string{
		`{"state":"closed"}`:                            "until_required",
		`{"state":"shut","until":"1h"}`:                 "invalid_state",
		`{"until":"1h"}`:                                "invalid_state",
		`{"state":"closed","until":"2001-01-01 10:00"}`: "invalid_until",
		`{"state":"closed","till":"1h"}`:                "invalid_json",
		``:                                              "invalid_json",
	} {
		r.want(400, code, adminToken, "PUT", path, body)
	}
	if a := r.want(200, "", adminToken, "GET", path, ""); a.body["state"] != nil || a.body["open"] != true {
		t.Errorf("without a switch: %v", a.body)
	}
	r.want(200, "", adminToken, "PUT", path, `{"state":"closed","until":"1h","reason":"flood"}`)
	set := r.want(200, "", adminToken, "GET", path, "")
	if set.body["state"] != "closed" || set.body["reason"] != "flood" || set.body["until"] == nil ||
		set.body["open"] != false {
		t.Errorf("with a switch: %v", set.body)
	}
	r.call("c1", caller)
	if rec := r.ended("c1"); rec["rule"] != "closed" {
		t.Errorf("the call was decided by %v", rec["rule"])
	}
	for range 2 {
		r.want(204, "", adminToken, "DELETE", path, "")
	}
	hours := r.want(200, "", adminToken, "GET", "/api/v1/hours", "").body["hours"].([]any)
	if len(hours) != 1 || hours[0].(map[string]any)["state"] != nil {
		t.Errorf("the hours are %v", hours)
	}
	r.call("c2", caller)
	if rec := r.ended("c2"); rec["rule"] == "closed" {
		t.Error("the switch still holds")
	}
	r.want(404, "unknown_hours", adminToken, "PUT", "/api/v1/hours/offise/switch", `{"state":"open","until":"1h"}`)
}

func TestABadRulesFileIsRefusedAndTheOldOneGoesOn(t *testing.T) {
	r := newRig(t)
	before := r.want(200, "", adminToken, "GET", "/api/v1/rules", "").body
	if before["version"] == "" || before["loaded_at"] == nil || before["last_refusal"] != nil ||
		before["timezone"] != "America/Sao_Paulo" {
		t.Fatalf("the status is %v", before)
	}
	r.rewriteRules(func(s string) string { return strings.Replace(s, `open("office")`, `open("offise")`, 1) })
	a := r.want(422, "rules_refused", adminToken, "POST", "/api/v1/rules/reload", "")
	p := a.body["problems"].([]any)[0].(map[string]any)
	if a.body["ok"] != false || p["severity"] != "error" || p["line"] == nil || p["message"] == "" || p["code"] == "" ||
		!strings.Contains(p["source"].(string), `open("offise")`) {
		t.Errorf("the problems are %v", a.body)
	}
	after := r.want(200, "", adminToken, "GET", "/api/v1/rules", "").body
	if after["version"] != before["version"] ||
		after["last_refusal"].(map[string]any)["problems"].([]any)[0].(map[string]any)["source"] != p["source"] {
		t.Errorf("the status is %v", after)
	}
	r.rewriteRules(func(s string) string {
		return strings.Replace(s, `open("offise")`, `open("office")`, 1) + "\n# new\n"
	})
	good := r.want(200, "", adminToken, "POST", "/api/v1/rules/reload", "").body
	if good["version"] == before["version"] || good["last_refusal"] != nil {
		t.Errorf("the status is %v", good)
	}
}
