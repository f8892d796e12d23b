package console

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// signIn begins a session, and returns its cookie.
func (r *rig) signIn(body string) string {
	r.Helper()
	a := r.want(200, "", "", "POST", "/api/v1/session", body)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return cookie
}

// with sends a request with a session cookie, and checks the status and the code.
func (r *rig) with(cookie string, status int, code, method, path, body string, headers ...string) answer {
	r.Helper()
	a := r.send("", method, path, body, append([]string{"Cookie", cookie}, headers...)...)
	if a.status != status || code != "" && a.body["error"] != code {
		r.Fatalf("%s %s: got %d %s, want %d %s", method, path, a.status, a.text, status, code)
	}
	return a
}

// link makes a link, and returns the body that redeems it.
func (r *rig) link(agent string) string {
	r.Helper()
	a := r.want(200, "", adminToken, "POST", "/api/v1/agents/"+agent+"/link", "")
	u, err := url.Parse(a.body["url"].(string))
	r.must(err)
	fragment, err := url.ParseQuery(u.EscapedFragment())
	r.must(err)
	if u.Host != strings.TrimPrefix(r.url, "http://") || u.Path != "/console/agent" || fragment.Get("code") == "" {
		r.Fatalf("the link is %s", u)
	}
	return `{"code":"` + fragment.Get("code") + `"}`
}

func TestASessionIsACookieThatNoScriptReads(t *testing.T) {
	r := newRig(t)
	token := r.token("ana")
	a := r.want(200, "", "", "POST", "/api/v1/session", `{"token":"`+token+`"}`)
	if a.body["role"] != "agent" || a.body["agent"] != "ana" || a.body["name"] != "Ana Souza" {
		t.Errorf("the session is %s", a.text)
	}
	set := a.header.Get("Set-Cookie")
	for _, want := range []string{"callrouter_agent_", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} {
		if !strings.Contains(set, want) {
			t.Errorf("%q is not in %q", want, set)
		}
	}
	if strings.Contains(set, "Secure") || strings.Contains(set, token) {
		t.Errorf("the cookie is %q", set)
	}
	cookie, _, _ := strings.Cut(set, ";")
	r.with(cookie, 200, "", "GET", "/api/v1/me", "")
	r.with(cookie, 200, "", "GET", "/api/v1/session?role=agent", "")
	r.with(cookie, 401, "unauthorized", "GET", "/api/v1/session?role=admin", "")
	r.with(cookie, 400, "invalid_role", "GET", "/api/v1/session", "")
	req, _ := http.NewRequest("GET", "/", nil)
	_, value, _ := strings.Cut(cookie, "=")
	asAdmin := r.api.cookieName(req, RoleAdmin) + "=" + value // an agent who renames the own cookie is no administrator
	r.with(asAdmin, 401, "unauthorized", "GET", "/api/v1/agents", "")
	r.with(cookie+"x", 401, "unauthorized", "GET", "/api/v1/me", "")
	for _, rt := range r.api.routes() {
		if policy[rt.pattern] == "admin" {
			method, path, _ := strings.Cut(rt.pattern, " ")
			r.with(cookie, 403, "forbidden", method, path, "")
		}
	}
	r.with(cookie, 403, "cross_origin", "GET", "/api/v1/me/events", "", "Sec-Fetch-Site", "same-site")
	r.with(cookie, 403, "cross_origin", "PUT", "/api/v1/me", `{"status":"away"}`, "Origin", "https://elsewhere.example")
	out := r.with(cookie, 204, "", "DELETE", "/api/v1/session?role=agent", "")
	if !strings.Contains(out.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("the cookie stays: %q", out.header.Get("Set-Cookie"))
	}
	r.token("ana")
	r.with(cookie, 401, "unauthorized", "GET", "/api/v1/me", "")
}

func TestOneBrowserMayHaveBothRoles(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	r.call("c", caller)
	r.want(200, "", ana, "POST", "/api/v1/offers/"+screen.next("offer")["offer"].(string)+"/answer", sdp(answerSDP))
	screen.untilCall("c", "active")
	admin := r.signIn(`{"token":"` + adminToken + `"}`)
	bruno := r.signIn(r.link("bruno"))
	r.with(admin, 403, "forbidden", "GET", "/api/v1/me", "")
	r.with(bruno, 404, "unknown_call", "POST", "/api/v1/calls/c/hang-up", "")
	both := admin + "; " + bruno
	r.with(both, 200, "", "GET", "/api/v1/me", "")
	r.with(both, 200, "", "GET", "/api/v1/agents", "")
	r.with(both, 200, "", "POST", "/api/v1/calls/c/hang-up", "")
}

func TestALinkWorksOnceAndLeavesTheTokenAlone(t *testing.T) {
	r := newRig(t)
	token := r.token("ana")
	code := r.link("ana")
	cookie := r.signIn(code)
	r.with(cookie, 200, "", "GET", "/api/v1/me", "")
	r.want(200, "", token, "GET", "/api/v1/me", "")
	r.want(401, "unauthorized", "", "POST", "/api/v1/session", code)
	r.want(404, "unknown_agent", adminToken, "POST", "/api/v1/agents/nobody/link", "")
	second := r.link("bruno") // who has no token
	r.with(r.signIn(second), 200, "", "GET", "/api/v1/me", "")

	late := r.link("ana")
	r.api.Now = func() time.Time { return time.Now().Add(linkTime + time.Second) }
	r.handler = New(r.api.Config)
	w := record(r.handler, "POST", "/api/v1/session", late, "")
	if w.Code != http.StatusUnauthorized {
		t.Errorf("an old link: %d", w.Code)
	}
}

func TestASessionIsRenewedAndEnds(t *testing.T) {
	r := newRig(t)
	cookie := r.signIn(r.link("ana"))
	at := func(d time.Duration) *http.Response {
		cfg := r.api.Config
		cfg.Now = func() time.Time { return time.Now().Add(d) }
		return record(New(cfg), "GET", "/api/v1/me", "", cookie).Result()
	}
	for d, want := range map[time.Duration]struct {
		status  int
		renewed bool
	}{0: {200, false}, sessionTime/2 - time.Minute: {200, false}, sessionTime/2 + time.Minute: {200, true}, sessionTime + time.Minute: {401, false}} {
		if got := at(d); got.StatusCode != want.status || (got.Header.Get("Set-Cookie") != "") != want.renewed {
			t.Errorf("after %s: %d, Set-Cookie %q", d, got.StatusCode, got.Header.Get("Set-Cookie"))
		}
	}
}

func TestFailedSignInsAreLimited(t *testing.T) {
	r := newRig(t)
	good := `{"token":"` + r.token("ana") + `"}`
	for range triesAllowed {
		r.want(401, "unauthorized", "", "POST", "/api/v1/session", `{"token":"guess"}`)
	}
	a := r.want(429, "too_many_tries", "", "POST", "/api/v1/session", good)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	var all tries
	one, now := netip.MustParseAddr("192.0.2.1"), time.Now()
	for range triesAllowed {
		all.failed(one, now)
	}
	if all.blocked(one, now) == 0 || all.blocked(one, now.Add(triesWithin)) > 0 || all.blocked(netip.MustParseAddr("192.0.2.2"), now) > 0 {
		t.Error("the wrong address is blocked, or for the wrong time")
	}
}

func TestAProxyThatIsTrustedTellsTheScheme(t *testing.T) {
	r := newRig(t)
	cfg := r.api.Config
	cfg.ClientAddr = func(req *http.Request) netip.Addr { return netip.MustParseAddr(req.Header.Get("X-Client")) }
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	a := newAPI(cfg)
	for _, c := range []struct {
		peer, client, want string
		secure             bool
	}{
		{"192.0.2.1:1", "198.51.100.7", "198.51.100.7", true},
		{"198.51.100.9:1", "198.51.100.9", "198.51.100.9", false},
		{"[2001:db8::1:2:3:4]:1", "2001:db8::1:2:3:4", "2001:db8::", false},
	} {
		req, _ := http.NewRequest("POST", "/api/v1/session", nil)
		req.RemoteAddr = c.peer
		req.Header.Set("X-Client", c.client)
		req.Header.Set("X-Forwarded-Proto", "https")
		if got := a.source(req).String(); got != c.want || a.secure(req) != c.secure {
			t.Errorf("%s for %q: %s, secure %t", c.peer, c.client, got, a.secure(req))
		}
		if strings.HasPrefix(a.cookieName(req, RoleAgent), "__Host-") != c.secure {
			t.Errorf("%s: the cookie is %s", c.peer, a.cookieName(req, RoleAgent))
		}
	}
}

func TestCookiesOfTwoInstallationsDiffer(t *testing.T) {
	r := newRig(t)
	req, _ := http.NewRequest("GET", "/", nil)
	cfg := r.api.Config
	cfg.AdminToken = "another"
	if newAPI(cfg).cookieName(req, RoleAgent) == r.api.cookieName(req, RoleAgent) {
		t.Error("they have one name")
	}
	cookie := r.signIn(r.link("ana"))
	if w := record(New(cfg), "GET", "/api/v1/me", "", cookie); w.Code != http.StatusUnauthorized {
		t.Errorf("the session of another installation: %d", w.Code)
	}
	cfg.AdminToken = ""
	for _, body := range []string{`{"token":""}`, `{"token":"x"}`, r.link("ana")} {
		if w := record(New(cfg), "POST", "/api/v1/session", body, ""); w.Code != http.StatusUnauthorized {
			t.Errorf("without an admin token %s signs in: %d", body, w.Code)
		}
	}
}

func TestAForeignHostIsRefusedWhereTheConsoleHasAName(t *testing.T) {
	r := newRig(t)
	cfg := r.api.Config
	cfg.ConsoleURL = "https://calls.example.com/"
	h := New(cfg)
	for host, want := range map[string]int{"calls.example.com": 401, "evil.example": 421} {
		if w := record(h, "GET", "http://"+host+"/api/v1/session?role=agent", "", ""); w.Code != want {
			t.Errorf("%s: %d, want %d", host, w.Code, want)
		}
	}
	if w := record(h, "GET", "http://127.0.0.1/healthz", "", ""); w.Code != 200 {
		t.Errorf("programs need no name: %d", w.Code)
	}
}
