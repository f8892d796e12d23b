package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"callrouter/engine"
)

func TestCallsAreFoundAndNeverShowTheSDP(t *testing.T) {
	const id = "wacid.HBgM/+=="
	r := newRig(t)
	_, screen := r.online("ana")
	r.call(id, caller)
	screen.next("offer")
	r.want(200, "", adminToken, "PUT", "/api/v1/lists/blocked/+5521977776666", "")
	r.call("other", "5521977776666")
	r.ended("other")

	a := r.want(200, "", adminToken, "GET", "/api/v1/calls/"+url.PathEscape(id), "")
	for _, name := range []string{
		"id", "state", "outcome", "action", "rule", "by", "from", "number", "rules_version", "received_at", "trace",
		"facts", "transitions",
	} {
		if _, ok := a.body[name]; !ok {
			t.Errorf("the record has no %s", name)
		}
	}
	if a.body["id"] != id || a.body["state"] != "offered" || a.body["rule"] != "sales line" ||
		a.body["from"] != callerKey || a.body["outcome"] != nil {
		t.Errorf("the record is %v", a.body)
	}
	byKey := r.want(200, "", adminToken, "GET", "/api/v1/calls/"+a.body["key"].(string), "")
	if byKey.body["id"] != id {
		t.Errorf("by its key: %v", byKey.body)
	}
	list := r.want(200, "", adminToken, "GET", "/api/v1/calls", "")
	if strings.Contains(a.text+list.text, "CANARY") || strings.Contains(list.text, "192.0.2.") {
		t.Error("a record shows the SDP")
	}
	since := time.Now().Add(-time.Hour).In(time.FixedZone("", 3600)).Format(time.RFC3339) // its plus is not escaped
	for query, n := range map[string]int{
		"": 2, "state=ended": 1, "state=offered": 1, "state=active": 0, "outcome=rejected": 1, "outcome=reaped": 0,
		"limit=1":              1,
		"caller=5511977776666": 1, "caller=+5511977776666": 1, "caller=%2B55+11+97777-6666": 1, "caller=id:BR.1": 0,
		"since=1h": 2, "since=2001-01-01": 2, "since=" + since: 2, "since=2099-01-01": 0, "order=newest": 2,
		"order=oldest&limit=1": 1,
		// The last time the clock showed it: a minute, or a day less a minute ago.
		"since=" + r.clock(-time.Minute): 2, "since=" + r.clock(time.Minute): 2,
		"state=&outcome=&limit=": 2,
	} {
		if got := len(r.want(200, "", adminToken, "GET", "/api/v1/calls?"+query, "").body["calls"].([]any)); got != n {
			t.Errorf("%s: %d calls, want %d", query, got, n)
		}
	}
	for query, allowed := range map[string]string{
		"state=done": "received, deciding, waiting", "outcome=lost": "answered, rejected",
		"since=yesterday": "cannot be read",
		"caller=nobody":   "country code", "caller=11977776666": "country code", "limit=0": "1 to 10000",
		"limit=many": "1 to 10000", "order=odd": "newest, oldest", "from=1": "state, outcome, since",
	} {
		a := r.want(400, "", adminToken, "GET", "/api/v1/calls?"+query, "")
		if !strings.Contains(a.body["message"].(string), allowed) {
			t.Errorf("%s: the message is %q", query, a.body["message"])
		}
	}
	r.want(404, "unknown_call", adminToken, "GET", "/api/v1/calls/nonsense", "")
	r.want(409, "not_active", adminToken, "POST", "/api/v1/calls/"+url.PathEscape(id)+"/hang-up", "")
	if stale := r.want(200, "", adminToken, "GET", "/api/v1/calls/stale", "").body["calls"].([]any); len(stale) != 0 {
		t.Errorf("stale: %v", stale)
	}
}

// A list is written record by record. Where one cannot be told, the list is cut off, and nobody takes it for the whole.
func TestListsAreWrittenRecordByRecord(t *testing.T) {
	r := newRig(t)
	r.want(200, "", adminToken, "PUT", "/api/v1/lists/blocked/+5521977776666", "")
	r.call("one", "5521977776666")
	r.ended("one")
	list, err := r.store.List(t.Context(), engine.Filter{})
	r.must(err)
	known, unknown := list[0], list[0].Clone()
	unknown.RulesVersion = "0000000000000000"
	for i := range unknown.Facts {
		unknown.Facts[i].Version = ""
	}

	w := &countingWriter{ResponseRecorder: httptest.NewRecorder()}
	r.must(r.api.writeCalls(w, httptest.NewRequest("GET", "/", nil), []*engine.Call{known, known, unknown}, "cursor"))
	var reply Calls
	r.must(json.Unmarshal(w.Body.Bytes(), &reply))
	if len(reply.Calls) != 3 || reply.Next != "cursor" || w.writes != 4 {
		t.Errorf("%d calls in %d writes, next %q; want 3 in 4", len(reply.Calls), w.writes, reply.Next)
	}

	r.must(r.store.Close()) // nobody can say now what the unknown version was
	w = &countingWriter{ResponseRecorder: httptest.NewRecorder()}
	if err := r.api.writeCalls(w, httptest.NewRequest("GET", "/", nil), []*engine.Call{unknown, known}, ""); err == nil ||
		w.writes > 0 {
		t.Errorf("an error at the first record: %v, after %d writes", err, w.writes)
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler || w.writes != 1 || json.Valid(w.Body.Bytes()) {
			t.Errorf("an error behind the first record: %v, after %d writes", p, w.writes)
		}
	}()
	_ = r.api.writeCalls(w, httptest.NewRequest("GET", "/", nil), []*engine.Call{known, unknown}, "")
}

// countingWriter counts how often something is written.
type countingWriter struct {
	*httptest.ResponseRecorder
	writes int
}

func (w *countingWriter) Write(b []byte) (int, error) {
	w.writes++
	return w.ResponseRecorder.Write(b)
}

// Somebody calls with digits that are no valid number: the calls are found by what the record shows and by what came.
func TestCallersWithoutAValidNumberAreFound(t *testing.T) {
	r := newRig(t)
	r.want(400, "invalid_caller", adminToken, "GET", "/api/v1/calls?caller=15550001111", "")
	r.call("odd", "15550001111")
	r.ended("odd")
	for _, caller := range []string{"15550001111", "%2B15550001111"} {
		found := r.want(200, "", adminToken, "GET", "/api/v1/calls?caller="+caller, "")
		if got := len(found.body["calls"].([]any)); got != 1 {
			t.Errorf("%s: %d calls", caller, got)
		}
	}
}

// clock is what a clock in the zone of the rules shows, or showed, so long from now.
func (r *rig) clock(d time.Duration) string {
	return time.Now().Add(d).In(r.engine.Rules().Location()).Format("15:04")
}

func TestBodiesAreReadStrictly(t *testing.T) {
	r := newRig(t)
	ana := r.token("ana")
	big := func(n int) string { return `{"status":"away","reason":"` + strings.Repeat("x", n) + `"}` }
	for _, c := range []struct {
		name, body, kind, code string
		status                 int
	}{
		{"no body", "", "application/json", "invalid_json", 400},
		{"not JSON", "status=away", "", "invalid_json", 400},
		{"cut short", `{"status":"away"`, "application/json", "invalid_json", 400},
		{"a list", `["away"]`, "application/json", "invalid_json", 400},
		{"an unknown field", `{"status":"away","mood":"bad"}`, "application/json", "invalid_json", 400},
		{"something behind", `{"status":"away"} {}`, "application/json", "invalid_json", 400},
		{"garbage behind", `{"status":"away"}x`, "application/json", "invalid_json", 400},
		{"a wrong type", `{"status":1}`, "application/json", "invalid_json", 400},
		{"another format", `{"status":"away"}`, "application/xml", "unsupported_media_type", 415},
		{"too large", big(64 << 10), "application/json", "too_large", 413},
		{"too much behind", `{"status":"away"}` + strings.Repeat(" ", 64<<10), "application/json", "too_large", 413},
		{"curl's default", `{"status":"away"}`, "application/x-www-form-urlencoded", "", 200},
		{"with a charset", `{"status":"away"}` + "\n", "application/json; charset=utf-8", "", 200},
		{"large enough", big(60 << 10), "", "", 200},
	} {
		a := r.send(ana, "PUT", "/api/v1/me", c.body, "Content-Type", c.kind)
		if a.status != c.status || c.code != "" && a.body["error"] != c.code {
			t.Errorf("%s: %d %.200s, want %d %s", c.name, a.status, a.text, c.status, c.code)
		}
	}
	a := r.send(ana, "PUT", "/api/v1/me", `{"mood":"bad"}`)
	if m := a.body["message"].(string); !strings.Contains(m, `unknown field "mood"`) ||
		!strings.Contains(m, "status, reason") {
		t.Errorf("the message is %q", m)
	}
	r.want(404, "unknown_offer", ana, "POST", "/api/v1/offers/x-1/answer", sdp(strings.Repeat("a", 900<<10)))
	r.want(413, "too_large", ana, "POST", "/api/v1/offers/x-1/answer", sdp(strings.Repeat("a", 1<<20)))
}

// Pages that follow each other are the whole list.
func TestPagesOfCalls(t *testing.T) {
	r := newRig(t)
	want := []any{}
	for i := range 5 {
		id := fmt.Sprint("call ", i)
		r.call(id, "5521977776666")
		want = append(want, id)
	}
	got, next, pages := []any{}, "", 0
	for ok := true; ok && pages < 9; pages++ {
		a := r.want(200, "", adminToken, "GET", "/api/v1/calls?order=oldest&limit=2&cursor="+next, "")
		for _, c := range a.body["calls"].([]any) {
			got = append(got, c.(map[string]any)["id"])
		}
		next, ok = a.body["next"].(string)
	}
	if !slices.Equal(got, want) || pages != 3 {
		t.Errorf("%d pages with %v, want 3 with %v", pages, got, want)
	}
	a := r.want(200, "", adminToken, "GET", "/api/v1/calls?limit=5", "")
	if next, there := a.body["next"]; there {
		t.Errorf("a list without an end: %v", next)
	}
	for _, cursor := range []string{"x", "1", "1-2", "-000000000000000000000000", "x-000000000000000000000000"} {
		r.want(400, "invalid_cursor", adminToken, "GET", "/api/v1/calls?cursor="+cursor, "")
	}
}

// A damaged record is not an outage of the store.
func TestDamagedRecord(t *testing.T) {
	r := newRig(t)
	w := httptest.NewRecorder()
	r.api.fail(w, httptest.NewRequest("GET", "/api/v1/calls/x", nil), fmt.Errorf("store x: %w", engine.ErrDamaged))
	if body := w.Body.String(); w.Code != 500 || !strings.Contains(body, `"damaged_record"`) ||
		strings.Contains(body, "cannot be reached") {
		t.Errorf("%d %s", w.Code, body)
	}
}
