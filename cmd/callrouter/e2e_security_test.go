package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/positus/fake"
)

// post posts a body to a path of the public side.
func (w *world) post(path string, body io.Reader) int {
	w.t.Helper()
	resp, err := w.client.Post("http://"+w.proc().public+path, "application/json", body)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode
}

// What the public side refuses, and what it does not have.
func TestPublicSideRefuses(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	right := "/webhooks/positus/" + w.secret
	w.keep("canary-guess")
	tests := map[string]struct {
		path string
		body string
		want int
	}{
		"wrong secret":    {"/webhooks/positus/canary-guess-of-the-secret", `{"calls":[]}`, 404},
		"no secret":       {"/webhooks/positus/", `{"calls":[]}`, 404},
		"half the secret": {right[:len(right)-1], `{"calls":[]}`, 404},
		"not JSON":        {right, `calls: canary-guess`, 400},
		"half a JSON":     {right, `{"calls":[{"id":"canary-guess`, 400},
		"nothing":         {right, ``, 400},
		"5 MiB":           {right, `{"calls":"` + strings.Repeat("x", 5<<20) + `"}`, 413},
		"20,000 deep": {
			right,
			`{"calls":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
			400,
		},
		"nothing to do":            {right, `{"calls":[]}`, 200},
		"fields of the wrong type": {right, `{"calls":[{"id":5,"event":["connect"],"to":{}}]}`, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := w.post(test.path, strings.NewReader(test.body)); got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
	}
	t.Run("5 MiB of unknown length", func(t *testing.T) {
		if got := w.post(right, io.MultiReader(bytes.NewReader(make([]byte, 5<<20)))); got != 413 {
			t.Errorf("status %d, want 413", got)
		}
	})
	for _, path := range []string{"/metrics", "/api/v1/calls", "/api/v1/me", "/debug/pprof/", "/"} {
		if status, _ := w.get(path); status != http.StatusNotFound {
			t.Errorf("%s of the public side: %d", path, status)
		}
	}
	if status, _ := w.get("/webhooks/positus/" + w.secret); status != http.StatusMethodNotAllowed {
		t.Errorf("GET of the webhook: %d", status)
	}
	if n := len(w.fake.Requests()); n != 0 {
		t.Errorf("%d requests went to Positus", n)
	}
}

// A source that is not allowed is refused although it knows the secret; what it says of itself is not believed.
func TestWebhookSources(t *testing.T) {
	t.Parallel()
	w := start(t, plan{args: []string{"--webhook-sources", "137.184.60.206"}})
	w.fake.Adjust(func(d *fake.Dials) {
		d.Delivery.Header = http.Header{"X-Forwarded-For": {"137.184.60.206"}}
	})
	call := w.call(phone("reject"))
	d, err := w.fake.WaitDelivery(w.ctx(5*time.Second), func(fake.Delivery) bool { return true })
	if err != nil || d.Status != http.StatusForbidden {
		t.Errorf("status %d, %v", d.Status, err)
	}
	if _, ok := w.record(call.ID); ok {
		t.Error("the call was taken")
	}
	behind := start(t, plan{args: []string{"--webhook-sources", "137.184.60.0/24", "--trusted-proxies", "127.0.0.1"}})
	behind.fake.Adjust(func(d *fake.Dials) {
		d.Delivery.Header = http.Header{"X-Forwarded-For": {"137.184.60.206"}}
	})
	behind.action(behind.call(phone("reject")), 5*time.Second)
}

// Two secrets hold while one replaces the other.
func TestSecretIsRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{})
	next := "canary-next-secret-0123456789"
	w.keep(next)
	w.base[envWebhookSecret] += "," + next
	w.start()
	w.action(w.call(phone("reject")), 5*time.Second)
	w.fake.SetWebhookURL("http://" + w.proc().public + "/webhooks/positus/" + next)
	w.action(w.call(phone("reject")), 5*time.Second)
}

// The administrator's doors are shut for everybody else.
func TestInternalSideNeedsATokenOfTheRightKind(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	ana := w.token("ana")
	second := w.token("ana") // ends the first
	for name, test := range map[string]struct {
		path, token string
		want        int
	}{
		"no token":                    {"/api/v1/calls", "", 401},
		"a wrong token":               {"/api/v1/calls", "canary-guess", 401},
		"the webhook's secret":        {"/api/v1/calls", w.secret, 401},
		"an agent at the admin's":     {"/api/v1/calls", second, 403},
		"an agent's ended token":      {"/api/v1/me", ana, 401},
		"an agent":                    {"/api/v1/me", second, 200},
		"the administrator":           {"/api/v1/calls", w.admin, 200},
		"the administrator as agent":  {"/api/v1/me", w.admin, 403},
		"anybody at the metrics":      {"/metrics", "", 200},
		"nobody at what is not there": {"/api/v1/secrets", w.admin, 404},
	} {
		if status, body := w.ask(http.MethodGet, test.path, test.token, nil); status != test.want {
			t.Errorf("%s: %d %s, want %d", name, status, body, test.want)
		}
	}
}

// Everything that could tempt a log line into saying who called, in both formats. What is checked at the end of every
// test is checked here with the most.
func TestLogsAndMetricsKeepSecrets(t *testing.T) {
	t.Parallel()
	for _, text := range []bool{false, true} {
		t.Run(map[bool]string{false: "json", true: "text"}[text], func(t *testing.T) {
			t.Parallel()
			w := start(t, plan{text: text})
			w.agent("crowd", true)
			w.provoke()
			w.seeMetrics()
			w.restart()
			w.call(phone("crowd"))
			w.active(w.fake.Calls()[len(w.fake.Calls())-1].ID, 5*time.Second)
			if log := w.logs.String(); !strings.Contains(log, engine.Key(w.fake.Calls()[0].ID)) {
				t.Error("the log does not name the call by its key, so it says nothing of it")
			}
		})
	}
}

// provoke makes the router log about calls: refusals and errors of Positus that repeat the caller's number, bodies that
// cannot be read, messages that fail, unknown numbers.
func (w *world) provoke() {
	w.t.Helper()
	var calls []*fake.Call
	for i, way := range []string{"reject", "bot", "crowd", "message", "play", "reject", "bot"} {
		p := phone(way)
		body := fmt.Sprintf(
			`{"errors":[{"code":100,"title":"Invalid +%s","details":"call %%s to %s, Bearer %s"}],"message":"+%s"}`,
			p.Number,
			p.Number,
			w.base[envPositusToken],
			p.Number,
		)
		fault := fake.Fault{Status: []int{400, 500, 503, 401, 429, 404, 200}[i], Body: body}
		p.Faults = map[fake.Kind][]fake.Fault{
			fake.KindReject: {fault}, fake.KindAccept: {fault}, fake.KindHangUp: {fault}, fake.KindMessage: {fault},
		}
		calls = append(calls, w.call(p))
	}
	elsewhere := phone("reject")
	elsewhere.To = "5511987650000"
	calls = append(calls, w.call(elsewhere))
	w.post("/webhooks/positus/"+w.secret+"x", strings.NewReader(`{"from":"5511987651111"}`))
	w.post("/webhooks/positus/"+w.secret, strings.NewReader(`{"from":"5511987651111"`))
	w.post(
		"/webhooks/positus/"+w.secret,
		strings.NewReader(`{"calls":[{"id":"wacid.5511987651111","event":"hologram","from":"5511987651111"}]}`),
	)
	w.fake.FailNext(fake.KindMessage, fake.Fault{Status: 400, Body: `{"message":"to +5511987651111"}`})
	calls = append(calls, w.call(phone("message")))
	w.agent("ana", false)
	hurried := phone("sales")
	hurried.HangUpAfter = 100 * time.Millisecond
	calls = append(calls, w.call(hurried))
	for _, c := range calls {
		within(w.t, 5*time.Second, "the webhook is taken", func() bool { return w.taken(c.ID) > 0 })
	}
	wait(1500 * time.Millisecond) // for attempts and their failures
}

// The check itself: it finds what is private in the ways in which it could be written.
func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	for _, line := range []string{`caller +5511987654321`, `from=5511987654321`, `"to":"11987654321"`, `+55 11 98765-4321`, `canary-x`} {
		if len(leaks(line, []string{"canary-x"})) == 0 {
			t.Errorf("nothing was found in %s", line)
		}
	}
	for _, line := range []string{
		`call 6b1f0a44c9d2 from +55119****4321`, `call=6b1f11987654321044c9d211`, `rules=11987654321044c9`, `seconds_sum{request="accept"} 0.011979999999`,
	} {
		if found := leaks(line, []string{"canary-x"}); len(found) != 0 {
			t.Errorf("found %q in %s, where there is nothing", found, line)
		}
	}
}
