package positus

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
)

const testSecret = "sEcReT-CANARY-0123456789"

// posted is what a handler did with one request.
type posted struct {
	status  int
	header  http.Header
	events  []engine.Event
	refused []string // reasons
	logs    string
}

// receiver takes the events of a webhook.
type receiver = func(context.Context, []engine.Event) error

// webhooks is the handler of a client that is never asked to send anything.
func webhooks(t *testing.T, cfg Config, receive receiver) http.Handler {
	t.Helper()
	cfg.Token = testToken
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.Webhooks(receive)
}

// post sends one request. If receive is nil, the events are kept.
func post(t *testing.T, cfg Config, receive receiver, r *http.Request) posted {
	t.Helper()
	var p posted
	var logs bytes.Buffer
	cfg.Logger = slog.New(slog.NewJSONHandler(&logs, nil))
	cfg.OnRefused = func(reason string) { p.refused = append(p.refused, reason) }
	if receive == nil {
		receive = func(_ context.Context, e []engine.Event) error { p.events = e; return nil }
	}
	w := httptest.NewRecorder()
	webhooks(t, cfg, receive).ServeHTTP(w, r)
	p.status, p.header, p.logs = w.Code, w.Header(), logs.String()
	return p
}

func webhook(method, target, body, remote string, forwarded ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = remote
	r.Header["X-Forwarded-For"] = forwarded
	return r
}

func TestWebhookAnswers(t *testing.T) {
	const path, remote, old = "/webhooks/positus/", "203.0.113.7:1234", "older-secret-0123456789"
	sample, err := os.ReadFile("testdata/webhooks/positus-sample-connect.json")
	if err != nil {
		t.Fatal(err)
	}
	body := string(sample)
	const slashed = "Kq7/Zx9+Tt2mWb4=Lp"
	secrets := []string{testSecret, old, slashed, ""}
	sources := prefixes(t, "198.51.100.0/24", "2001:db8::/32")
	proxies := prefixes(t, "10.0.0.0/8")
	for name, tc := range map[string]struct {
		r       *http.Request
		sources []netip.Prefix
		proxies []netip.Prefix
		status  int
		reason  string
	}{
		"good":             {r: webhook("POST", path+testSecret, body, remote), status: 200},
		"the other secret": {r: webhook("POST", path+old, body, remote), status: 200},
		"escaped secret": {
			r: webhook("POST", path+"%73EcReT-CANARY-0123456789", body, remote), status: 200,
		},
		"wrong secret": {
			r: webhook("POST", path+"x", body, remote), status: 404, reason: ReasonSecret,
		},
		"secret in another case": {
			r: webhook("POST", path+strings.ToLower(testSecret), body, remote), status: 404, reason: ReasonSecret,
		},
		"start of the secret": {
			r: webhook("POST", path+testSecret[:20], body, remote), status: 404, reason: ReasonSecret,
		},
		"no secret": {r: webhook("POST", path, body, remote), status: 404, reason: ReasonSecret},
		"secret and more": {
			r: webhook("POST", path+testSecret+"/x", body, remote), status: 404, reason: ReasonSecret,
		},
		"secret with slashes": {r: webhook("POST", path+slashed, body, remote), status: 200},
		"secret with slashes, escaped": {
			r: webhook("POST", path+url.PathEscape(slashed), body, remote), status: 200,
		},
		"part of a secret with slashes": {
			r: webhook("POST", path+"Kq7", body, remote), status: 404, reason: ReasonSecret,
		},
		"another path": {r: webhook("POST", "/"+testSecret, body, remote), status: 404},
		"GET":          {r: webhook("GET", path+testSecret, "", remote), status: 405},
		"PUT":          {r: webhook("PUT", path+testSecret, body, remote), status: 405},
		"wrong source": {
			r: webhook("POST", path+testSecret, body, remote), sources: sources, status: 403, reason: ReasonSource,
		},
		"wrong secret and source": {
			r: webhook("POST", path+"x", body, remote), sources: sources, status: 404, reason: ReasonSecret,
		},
		"good source": {
			r: webhook("POST", path+testSecret, body, "198.51.100.9:1"), sources: sources, status: 200,
		},
		"good source by proxy": {
			r: webhook("POST", path+testSecret, body, "10.0.0.1:1", "198.51.100.9"), sources: sources, proxies: proxies,
			status: 200,
		},
		"forged source by proxy": {
			r: webhook("POST", path+testSecret, body, "10.0.0.1:1", "198.51.100.9, 203.0.113.7"), sources: sources,
			proxies: proxies, status: 403, reason: ReasonSource,
		},
		"source in an unbelieved header": {
			r: webhook("POST", path+testSecret, body, remote, "198.51.100.9"), sources: sources, status: 403,
			reason: ReasonSource,
		},
		"garbage for a source": {
			r: webhook("POST", path+testSecret, body, "10.0.0.1:1", "198.51.100.9, x"), sources: sources,
			proxies: proxies, status: 403, reason: ReasonSource,
		},
		"not JSON": {
			r: webhook("POST", path+testSecret, "phone=+5511987654321", remote), status: 400, reason: ReasonNotJSON,
		},
		"a list": {r: webhook("POST", path+testSecret, "[]", remote), status: 200},
		"empty body": {
			r: webhook("POST", path+testSecret, "", remote), status: 400, reason: ReasonNotJSON,
		},
		"too deep": {
			r: webhook("POST", path+testSecret, strings.Repeat("[", 20_000), remote), status: 400,
			reason: ReasonNotJSON,
		},
		"unknown event": {
			r: webhook("POST", path+testSecret, `{"messages":[{"id":"x"}]}`, remote), status: 200,
		},
		"as large as allowed": {
			r: webhook("POST", path+testSecret, padded(MaxWebhook), remote), status: 200,
		},
		"too large": {
			r: webhook("POST", path+testSecret, padded(MaxWebhook+1), remote), status: 413, reason: ReasonTooLarge,
		},
		"too large without saying so": {
			r: unsized(webhook("POST", path+testSecret, padded(MaxWebhook+1), remote)), status: 413,
			reason: ReasonTooLarge,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := post(t, Config{Secrets: secrets, Sources: tc.sources, TrustedProxies: tc.proxies}, nil, tc.r)
			if p.status != tc.status {
				t.Errorf("status %d, want %d", p.status, tc.status)
			}
			if got := strings.Join(p.refused, ","); got != tc.reason {
				t.Errorf("reason %q, want %q", got, tc.reason)
			}
			if (len(p.events) > 0) != (tc.status == 200) {
				t.Errorf("received %v", p.events)
			}
			for _, secret := range []string{
				testSecret, testSecret[:12], old, "5511987654321", "554399951234", "SDP INFO",
			} {
				if strings.Contains(p.logs, secret) {
					t.Errorf("the log holds %q: %s", secret, p.logs)
				}
			}
			if n := strings.Count(p.logs, "\n"); n != len(p.refused) {
				t.Errorf("%d log lines for %d refusals", n, len(p.refused))
			}
		})
	}
}

func padded(size int) string {
	const empty = `{"calls":[],"x":""}`
	return `{"calls":[],"x":"` + strings.Repeat("a", size-len(empty)) + `"}`
}

func unsized(r *http.Request) *http.Request {
	r.ContentLength = -1
	return r
}

func TestNoSecretOpensNothing(t *testing.T) {
	for _, secrets := range [][]string{nil, {""}} {
		for _, path := range []string{"", "x", "%20", "%00"} {
			p := post(t, Config{Secrets: secrets}, nil,
				webhook("POST", "/webhooks/positus/"+path, "{}", "203.0.113.7:1"))
			if p.status != 404 {
				t.Errorf("%q, %q: %d", secrets, path, p.status)
			}
		}
	}
}

func TestWebhookIsSentAgainIfItCannotBeTaken(t *testing.T) {
	for name, receive := range map[string]func(context.Context, []engine.Event) error{
		"error": func(context.Context, []engine.Event) error { return errors.New("the store is down") },
		"panic": func(context.Context, []engine.Event) error { panic("planted") },
	} {
		p := post(t, Config{Secrets: []string{testSecret}}, receive,
			webhook("POST", "/webhooks/positus/"+testSecret, "{}", "203.0.113.7:1"))
		if p.status != 503 || p.header.Get("Retry-After") != "1" || strings.Join(p.refused, ",") != ReasonNotTaken {
			t.Errorf("%s: %d %v %v", name, p.status, p.header, p.refused)
		}
	}
}

func TestWebhookTellsNothingOfTheErrorToTheSender(t *testing.T) {
	w := httptest.NewRecorder()
	down := func(context.Context, []engine.Event) error { return errors.New("redis at 10.1.2.3") }
	r := webhook("POST", "/webhooks/positus/"+testSecret, "{}", "203.0.113.7:1")
	webhooks(t, Config{Secrets: []string{testSecret}}, down).ServeHTTP(w, r)
	if strings.Contains(w.Body.String(), "redis") {
		t.Error(w.Body.String())
	}
}

func TestNothingWaitsLongerThanTwoSeconds(t *testing.T) {
	stuck := func(ctx context.Context, _ []engine.Event) error { <-ctx.Done(); return ctx.Err() }
	for name, tc := range map[string]struct {
		secret string
		length int // of the body that is announced; two bytes come
		status int
	}{
		"the store hangs":                 {testSecret, 2, 503},
		"a body that stops":               {testSecret, 100, 408},
		"a body that stops, wrong secret": {"x", 100, 404},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newMemory()
				server := &http.Server{Handler: webhooks(t, Config{Secrets: []string{testSecret}}, stuck)}
				go func() { _ = server.Serve(network) }()
				defer func() { _ = server.Close() }()
				conn, err := network.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()

				began := time.Now()
				_, err = fmt.Fprintf(conn, "POST /webhooks/positus/%s HTTP/1.1\r\nHost: x\r\n"+
					"Content-Length: %d\r\n\r\n{}", tc.secret, tc.length)
				if err != nil {
					t.Fatal(err)
				}
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != tc.status {
					t.Errorf("status %d, want %d", res.StatusCode, tc.status)
				}
				if spent := time.Since(began); spent > 2*time.Second {
					t.Errorf("it took %s", spent)
				}
			})
		})
	}
}

// TestWhoSendsTooMuchHearsSo: many clients write all of a body before they listen.
func TestWhoSendsTooMuchHearsSo(t *testing.T) {
	server := httptest.NewServer(webhooks(t, Config{Secrets: []string{testSecret}}, nil))
	defer server.Close()
	for _, length := range []int{MaxWebhook + 1, 2 * MaxWebhook} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST /webhooks/positus/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
			testSecret, length, strings.Repeat(" ", length)); err != nil {
			t.Errorf("%d bytes: writing: %v", length, err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%d bytes: reading: %v", length, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes: status %d", length, res.StatusCode)
		}
	}
}

// TestWhatWasReadIsKeptThoughTheSenderLeft: a sender that gives up early may never send it again.
func TestWhatWasReadIsKeptThoughTheSenderLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var seen error
	r := webhook("POST", "/webhooks/positus/"+testSecret, "{}", "203.0.113.7:1").WithContext(ctx)
	p := post(t, Config{Secrets: []string{testSecret}}, func(ctx context.Context, _ []engine.Event) error {
		cancel()
		seen = ctx.Err()
		return nil
	}, r)
	if p.status != 200 || seen != nil {
		t.Errorf("%d, %v", p.status, seen)
	}
}
