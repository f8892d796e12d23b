package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrouter/store/storetest"
)

// What serve says when it cannot start, all of it at once, and with which code it ends.
func TestServeRefusesToStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	tests := map[string]struct {
		env  map[string]string
		args []string
		file string // rules
		code int
		says []string
		not  []string
	}{
		"no secret at all": {
			env:  map[string]string{envPositusToken: "", envWebhookSecret: "", envAdminToken: ""},
			code: 2, says: []string{envPositusToken, envWebhookSecret, envAdminToken, "openssl rand", "_FILE"},
		},
		"short secrets": {
			env:  map[string]string{envWebhookSecret: "canary-short"},
			code: 2, says: []string{envWebhookSecret, "16"}, not: []string{"canary-short", envPositusToken},
		},
		"a secret with a question mark": {
			env:  map[string]string{envWebhookSecret: "canary?0123456789abcdef"},
			code: 2, says: []string{envWebhookSecret, "openssl rand"}, not: []string{"canary"},
		},
		"a secret with a hash": {
			env:  map[string]string{envWebhookSecret: "canary#0123456789abcdef"},
			code: 2, says: []string{envWebhookSecret, "openssl rand"}, not: []string{"canary"},
		},
		"a secret with a percent sign": {
			env:  map[string]string{envWebhookSecret: "canary%410123456789abcdef"},
			code: 2, says: []string{envWebhookSecret, "openssl rand"}, not: []string{"canary"},
		},
		"a secret with a space": {
			env:  map[string]string{envWebhookSecret: "canary 0123456789abcdef"},
			code: 2, says: []string{envWebhookSecret, "openssl rand"}, not: []string{"canary"},
		},
		"a secret with an empty part": {
			env:  map[string]string{envWebhookSecret: "canary//0123456789abcdef"},
			code: 2, says: []string{envWebhookSecret, "openssl rand"}, not: []string{"canary"},
		},
		"a store with a slash in its password": {
			args: []string{"--store", "redis://:canary/Zx9+Tt2=@host"}, code: 2, says: []string{"percent-escaped"},
			not: []string{"canary", "Zx9"},
		},
		"a secret's file is missing": {
			env:  map[string]string{envAdminToken: "", envAdminToken + "_FILE": "/nowhere/token"},
			code: 2, says: []string{envAdminToken, "/nowhere/token"},
		},
		"bad rules": {
			file: strings.Replace(worldRules, "payload == \"reject\"", "open(\"offise\") and", 1) + "surprise: 1\n",
			code: 1, says: []string{"rules.yaml:", "surprise"},
		},
		"no rules file": {
			args: []string{"--rules", "nowhere.yaml"},
			code: 2,
			says: []string{"nowhere.yaml"},
		},
		"the public port is in use": {
			args: []string{"--listen", taken.Addr().String()},
			code: 2,
			says: []string{"in use", "--listen"},
		},
		"the internal port is in use": {
			args: []string{"--internal-listen", taken.Addr().String()},
			code: 2,
			says: []string{"in use", "--internal-listen"},
		},
		"the store's folder is not there": {
			args: []string{"--store", "/nowhere/at/all.db"},
			code: 2,
			says: []string{"/nowhere/at/all.db"},
		},
		"Redis is not there": {
			args: []string{"--store", "redis://user:canary-password@127.0.0.1:1"},
			code: 2,
			says: []string{"127.0.0.1:1"},
			not:  []string{"canary-password"},
		},
		"an unknown setting": {args: []string{"--stoer", "x"}, code: 2, says: []string{"--stoer"}},
		"an odd address of a source": {
			args: []string{"--webhook-sources", "10.0.0.0/99"},
			code: 2,
			says: []string{"--webhook-sources", "10.0.0.0/99"},
		},
		"an odd address of the console": {
			args: []string{"--console-url", "calls.example.com/console"},
			code: 2,
			says: []string{"--console-url", "https://HOST"},
		},
		"ICE servers that are none": {
			env:  map[string]string{"CALLROUTER_ICE_SERVERS": `{"urls": "stun:x"}`},
			code: 2,
			says: []string{"CALLROUTER_ICE_SERVERS", `[{"urls": "stun:stun.example.com"}]`},
		},
		"an address that is no Positus API": {
			args: []string{"--positus-url", "ftp://x"},
			code: 2,
			says: []string{"https://api.positus.global/v2"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{env: test.env})
			if test.file != "" {
				w.write(test.file)
			}
			p := launch(t, &w.logs, environ(w.base, test.env), append([]string{"serve"}, test.args...)...)
			if code := p.exit(t, 15*time.Second); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			text := w.logs.String()
			for _, s := range test.says {
				if !strings.Contains(text, s) {
					t.Errorf("it does not say %q:\n%s", s, text)
				}
			}
			for _, s := range test.not {
				if strings.Contains(text, s) {
					t.Errorf("it says %q:\n%s", s, text)
				}
			}
		})
	}
}

// A second router on the same file is refused at once, and the first goes on.
func TestStoreInUse(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	var second logs
	p := launch(t, &second, environ(w.base, nil), "serve")
	began := time.Now()
	if code := p.exit(t, 10*time.Second); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, s := range []string{"in use by another callrouter", "redis://", filepath.Base(w.store)} {
		if !strings.Contains(second.String(), s) {
			t.Errorf("it does not say %q:\n%s", s, second.String())
		}
	}
	w.action(w.call(phone("reject")), 5*time.Second)
}

// A Redis that would throw data away under memory pressure is refused.
func TestRedisThatForgetsIsRefused(t *testing.T) {
	t.Parallel()
	r := storetest.NewRedis(t, "maxmemory 50mb", "maxmemory-policy allkeys-lru")
	w := newWorld(t, plan{store: r.URL})
	p := launch(t, &w.logs, environ(w.base, nil), "serve")
	if code := p.exit(t, 15*time.Second); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if !strings.Contains(w.logs.String(), "noeviction") {
		t.Errorf("it does not say noeviction:\n%s", w.logs.String())
	}
}
