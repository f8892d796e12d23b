package console

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How often an address may fail to sign in.
const (
	triesAllowed = 10
	triesWithin  = time.Minute
	triesKept    = 10_000 // addresses
)

// tries counts failed sign-ins by address.
type tries struct {
	mu   sync.Mutex
	from map[netip.Addr]*failures
}

type failures struct {
	n     int
	until time.Time // then they are forgotten
}

// blocked returns how long an address has to wait, or 0.
func (t *tries) blocked(from netip.Addr, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.from[from]
	if f == nil || f.n < triesAllowed || !now.Before(f.until) {
		return 0
	}
	return f.until.Sub(now)
}

func (t *tries) failed(from netip.Addr, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.from[from]
	if f == nil || !now.Before(f.until) {
		if t.from == nil || len(t.from) >= triesKept { // many addresses: forgetting them all is better than memory
			t.from = map[netip.Addr]*failures{}
		}
		f = &failures{until: now.Add(triesWithin)}
		t.from[from] = f
	}
	f.n++
}

func tooManyTries(w http.ResponseWriter, wait time.Duration) error {
	w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
	return problem(http.StatusTooManyRequests, "too_many_tries",
		"too many failed sign-ins from this address; wait a minute and try again")
}

// source is whom a request is counted for: its address, or of IPv6 its network, because one machine has many addresses
// there.
func (a *api) source(r *http.Request) netip.Addr {
	addr := a.ClientAddr(r)
	if p, err := addr.Prefix(64); err == nil && addr.Is6() {
		return p.Masked().Addr()
	}
	return addr
}

func peerAddr(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

func (a *api) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(a.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// secure reports whether the browser's connection is encrypted, here or at a proxy that is trusted.
func (a *api) secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" && a.trusts(peerAddr(r))
}

// onlyOwnHost refuses pages and sessions under a name that is not the console's, if the operator has set one.
func (a *api) onlyOwnHost(next http.Handler) http.Handler {
	own, err := url.Parse(a.ConsoleURL)
	if a.ConsoleURL == "" || err != nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forBrowsers := strings.HasPrefix(r.URL.Path, "/console") || strings.HasPrefix(r.URL.Path, "/api/v1/session") ||
			r.Header.Get("Cookie") != ""
		if forBrowsers && !strings.EqualFold(r.Host, own.Host) {
			a.fail(w, r, problem(http.StatusMisdirectedRequest, "wrong_host", "the console is at "+a.ConsoleURL+"/console/"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
