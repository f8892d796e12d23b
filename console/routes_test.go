package console

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

// policy is who may use each route. A route that is not here fails the walk.
var policy = map[string]string{
	"GET /api/v1/agents":                           "admin",
	"PATCH /api/v1/agents/{agent}":                 "admin",
	"POST /api/v1/agents/{agent}/token":            "admin",
	"POST /api/v1/agents/{agent}/link":             "admin",
	"POST /api/v1/session":                         "session",
	"GET /api/v1/session":                          "session",
	"DELETE /api/v1/session":                       "session",
	"GET /api/v1/calls":                            "admin",
	"GET /api/v1/calls/stale":                      "admin",
	"GET /api/v1/calls/{id}":                       "admin",
	"POST /api/v1/calls/{id}/hang-up":              "admin, agent",
	"GET /api/v1/rules":                            "admin",
	"POST /api/v1/rules/reload":                    "admin",
	"GET /api/v1/store/backup":                     "admin",
	"GET /api/v1/lists":                            "admin",
	"GET /api/v1/lists/{list}":                     "admin",
	"PUT /api/v1/lists/{list}/{number}":            "admin",
	"DELETE /api/v1/lists/{list}/{number}":         "admin",
	"GET /api/v1/hours":                            "admin",
	"GET /api/v1/hours/{hours}/switch":             "admin",
	"PUT /api/v1/hours/{hours}/switch":             "admin",
	"DELETE /api/v1/hours/{hours}/switch":          "admin",
	"GET /api/v1/me":                               "agent",
	"PUT /api/v1/me":                               "agent",
	"GET /api/v1/me/events":                        "agent",
	"GET /api/v1/me/calls":                         "agent",
	"GET /api/v1/me/calls/{id}/earlier":            "agent",
	"PUT /api/v1/me/calls/{id}/note":               "agent",
	"POST /api/v1/me/calls/{id}/audio":             "agent",
	"DELETE /api/v1/me/wrap-up":                    "agent",
	"POST /api/v1/me/wrap-up":                      "agent",
	"POST /api/v1/offers/{offer}/ringing":          "agent",
	"POST /api/v1/offers/{offer}/answer":           "agent",
	"POST /api/v1/offers/{offer}/decline":          "agent",
	"POST /api/v1/answerers/{key}/{token}/hang-up": "signed",
	"GET /console":                                 "anybody",
	"GET /console/":                                "anybody",
	"GET /healthz":                                 "anybody",
	"GET /readyz":                                  "anybody",
	"GET /metrics":                                 "anybody",
}

func TestEveryRouteAsksForTheRightCredential(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	r.call("call-1", caller)
	offer := screen.next("offer")["offer"].(string)
	replaced := r.token("bruno")
	bruno := r.token("bruno")
	path := strings.NewReplacer("{agent}", "ana", "{id}", "call-1", "{list}", "vip", "{number}", callerKey,
		"{hours}", "office", "{offer}", offer, "{key}", "000000000000000000000000", "{token}", "wrong")

	seen := map[string]bool{}
	for _, rt := range r.api.routes() {
		who, ok := policy[rt.pattern]
		if !ok {
			t.Errorf("the route %q has no policy", rt.pattern)
			continue
		}
		seen[rt.pattern] = true
		method, pattern, _ := strings.Cut(rt.pattern, " ")
		status := func(token string) int {
			body := ""
			if strings.HasSuffix(pattern, "/answer") {
				body = sdp(answerSDP)
			}
			query := ""
			if strings.HasSuffix(pattern, "/session") {
				body, query = `{"token":"wrong"}`, "?role=agent"
			}
			a := r.send(token, method, path.Replace(pattern)+query, body)
			if a.status == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: 401 without WWW-Authenticate", rt.pattern)
			}
			return a.status
		}
		want := map[string]int{"": 401, "wrong": 401, replaced: 401, adminToken + "x": 401}
		switch who {
		case "admin":
			want[ana], want[bruno] = 403, 403
		case "agent":
			want[adminToken] = 403
			if strings.Contains(pattern, "{offer}") {
				want[bruno] = 404 // of another agent
			}
		case "admin, agent":
			want[bruno], want[ana], want[adminToken] = 404, 404, 409 // nobody has answered it yet
		case "signed":
			want = map[string]int{"": 404, "wrong": 404, ana: 404, adminToken: 404}
		case "session": // a bearer token is no session, and opens none
			code := map[string]int{"POST": 401, "GET": 401, "DELETE": 204}[method]
			want = map[string]int{"": code, "wrong": code, ana: code, adminToken: code}
		case "anybody":
			want = map[string]int{"": 200, "wrong": 200, ana: 200}
		}
		for token, code := range want {
			if got := status(token); got != code {
				t.Errorf("%s with the token %.12q: %d, want %d", rt.pattern, token, got, code)
			}
		}
	}
	for pattern := range policy {
		if !seen[pattern] {
			t.Errorf("the route %q is gone", pattern)
		}
	}
	if n := r.positus.total(); n != 0 {
		t.Errorf("the walk did %d things at Positus", n)
	}
	r.want(200, "", adminToken, "GET", "/api/v1/calls/call-1", "")
}

func TestWhatIsNotThereIsJSON(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		method, path, code, allow string
		status                    int
	}{
		{"GET", "/", "not_found", "", 404},
		{"GET", "/api/v1/callers", "not_found", "", 404},
		{"GET", "/api/v1/calls/a/b", "not_found", "", 404},
		{"POST", "/api/v1/calls", "method_not_allowed", "GET, HEAD", 405},
		{"DELETE", "/metrics", "method_not_allowed", "GET, HEAD", 405},
		{"PUT", "/api/v1/agents/ana", "method_not_allowed", "PATCH", 405},
	} {
		a := r.want(c.status, c.code, "", c.method, c.path, "")
		if a.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: Allow is %q, want %q", c.method, c.path, a.header.Get("Allow"), c.allow)
		}
	}
}

func TestAnotherOriginsPageMayNotChangeAnything(t *testing.T) {
	r := newRig(t)
	for _, origin := range []string{"https://evil.example", "null"} {
		a := r.send(adminToken, "POST", "/api/v1/agents/ana/token", "", "Origin", origin, "Sec-Fetch-Site",
			"cross-site")
		if a.status != 403 || a.body["error"] != "cross_origin" {
			t.Errorf("origin %s: %d %s", origin, a.status, a.text)
		}
	}
	if a := r.send(adminToken, "POST", "/api/v1/agents/ana/token", "", "Origin", r.url); a.status != 200 {
		t.Errorf("the same origin: %d %s", a.status, a.text)
	}
}

func TestAnAgentWhoLeftTheRulesIsLockedOut(t *testing.T) {
	r := newRig(t)
	bruno, screen := r.online("bruno")
	r.rewriteRules(func(s string) string {
		s = strings.ReplaceAll(s, "[ana, bruno]", "[ana]")
		return strings.Replace(s, "  bruno: {capacity: 2}\n", "", 1)
	})
	r.want(200, "", adminToken, "POST", "/api/v1/rules/reload", "")
	r.want(401, "unauthorized", bruno, "GET", "/api/v1/me", "")
	screen.ends()
	r.want(404, "unknown_agent", adminToken, "POST", "/api/v1/agents/bruno/token", "")
}

func TestANewTokenEndsTheOneBefore(t *testing.T) {
	r := newRig(t)
	first, screen := r.online("ana")
	second := r.token("ana")
	if len(second) < 43 || first == second {
		t.Fatalf("the tokens are %q and %q", first, second)
	}
	r.want(401, "unauthorized", first, "GET", "/api/v1/me", "")
	screen.ends()
	r.want(200, "", second, "GET", "/api/v1/me", "")
}

func TestAnEmptyAdminTokenLetsNobodyIn(t *testing.T) {
	r := newRig(t)
	cfg := r.api.Config
	cfg.AdminToken = ""
	a := newAPI(cfg)
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer  ", "Basic Og=="} {
		req, err := http.NewRequest("GET", "/", nil)
		r.must(err)
		req.Header.Set("Authorization", header)
		if _, err := a.byBearer(req); err == nil {
			t.Errorf("%q was let in", header)
		}
	}
}

func TestAStoreThatIsAwayIsSaid(t *testing.T) {
	r := newRig(t)
	ana := r.token("ana")
	r.must(r.store.Close())
	for token, path := range map[string]string{
		adminToken: "/api/v1/calls", ana: "/api/v1/me", "unknown": "/api/v1/me/events",
	} {
		if a := r.want(503, "store_unavailable", token, "GET", path, ""); a.header.Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After is %q", path, a.header.Get("Retry-After"))
		}
	}
	r.want(200, "", "", "GET", "/healthz", "")
}

// rewriteRules changes the rules file on the disk.
func (r *rig) rewriteRules(change func(string) string) {
	r.Helper()
	text, err := os.ReadFile(r.rules.path)
	r.must(err)
	next := change(string(text))
	if next == string(text) {
		r.Fatal("the rules file was not changed")
	}
	r.must(os.WriteFile(r.rules.path, []byte(next), 0o600))
}
