package router

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callrouter/engine"
	"callrouter/positus/fake"
)

const (
	business = "551122361741"
	numberID = "n-1"
	token    = "a-token"
	secret   = "0123456789abcdef"
)

// TestRouterInThisProcess: a router is started with nothing but a Config, decides a call that comes through the
// stand-in of Positus, and leaves nothing behind when it is stopped.
func TestRouterInThisProcess(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	path := filepath.Join(dir, "rules.yaml")
	write(
		t,
		path,
		"version: 1\ntimezone: UTC\nnumbers: {main: {phone: \"+"+business+"\", positus_id: "+numberID+"}}\ndefault: reject\n",
	)
	file, problems := LoadRules(path)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	positus := fake.New(fake.Config{Token: token, Numbers: map[string]string{numberID: business}})
	if err := positus.Start(); err != nil {
		t.Fatal(err)
	}
	r, err := Start(t.Context(), Config{
		Rules: file, Store: filepath.Join(dir, "calls.db"), Retention: time.Hour,
		Listen: "127.0.0.1:0", InternalListen: "127.0.0.1:0", AdminToken: token, WebhookSecrets: []string{secret},
		PositusURL: positus.URL(), PositusToken: token, AudioLoopback: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.public.ReadTimeout == 0 || r.internal.ReadTimeout == 0 {
		t.Error("a listener waits for a request for as long as the client likes")
	}
	positus.SetWebhookURL("http://" + r.PublicAddr() + "/webhooks/positus/" + secret)
	call, err := positus.Call(fake.Phone{Number: "5521977776666"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	wake, cancel := r.Engine().Subscribe(engine.TopicCall(engine.Key(call.ID)))
	defer cancel()
	for {
		c, err := r.Store().Get(ctx, engine.Key(call.ID))
		if err == nil && c.State == engine.Ended {
			if c.Outcome != engine.Rejected {
				t.Errorf("the call is %s (%s), want rejected", c.Outcome, c.Why)
			}
			break
		}
		select {
		case <-wake:
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	if err := positus.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}

// TestStartSaysWhatCannotBeOpened: the error names what is wrong, and whatever was opened before is closed.
func TestStartSaysWhatCannotBeOpened(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	path := filepath.Join(dir, "rules.yaml")
	write(
		t,
		path,
		"version: 1\ntimezone: UTC\nnumbers: {main: {phone: \"+"+business+"\", positus_id: "+numberID+"}}\ndefault: reject\n",
	)
	file, _ := LoadRules(path)
	cfg := Config{
		Rules: file, Store: filepath.Join(dir, "calls.db"), Listen: "127.0.0.1:0", InternalListen: "nowhere:1", AdminToken: token,
		WebhookSecrets: []string{
			secret,
		}, PositusURL: "http://127.0.0.1:1", PositusToken: token, Log: slog.New(slog.DiscardHandler),
	}
	if _, err := Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "--internal-listen") {
		t.Errorf("started with an address that is not there: %v", err)
	}
	cfg.Store = dir
	if _, err := Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("started with a folder for a store: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "calls.db")); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}
