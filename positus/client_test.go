package positus

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
)

// sent is what arrived at a server.
type sent struct {
	method, path, query string
	header              http.Header
	body                string
}

func serveOnce(t *testing.T, answer string) (*Client, <-chan sent) {
	t.Helper()
	got := make(chan sent, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		got <- sent{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header, string(body)}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{URL: server.URL + "/v2/", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, got
}

// TestRequestsHaveTheDocumentedBodies compares with the samples that Positus publishes, key by key in their order.
func TestRequestsHaveTheDocumentedBodies(t *testing.T) {
	sdp := "<<SDP INFO>>"
	for _, tc := range []struct {
		kind kind
		path string
		send func(*Client, map[string]any) error
	}{
		{accept, "/calls/accept", func(c *Client, s map[string]any) error {
			return c.Accept(t.Context(), testNumber, s["call_id"].(string), sdp)
		}},
		{reject, "/calls/reject", func(c *Client, s map[string]any) error {
			return c.Reject(t.Context(), testNumber, s["call_id"].(string))
		}},
		{hangUp, "/calls/hang-up", func(c *Client, s map[string]any) error {
			return c.HangUp(t.Context(), testNumber, s["call_id"].(string))
		}},
		{makeCall, "/calls/make", func(c *Client, s map[string]any) error {
			return c.Make(t.Context(), testNumber, MakeRequest{To: "+" + s["to"].(string), SDP: sdp})
		}},
		{message, "/messages", func(c *Client, s map[string]any) error {
			return c.SendText(t.Context(), testNumber, "5511999999999", "Hi!")
		}},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join("testdata/requests", string(tc.kind)+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var sample map[string]any
			if err := json.Unmarshal(file, &sample); err != nil {
				t.Fatal(err)
			}
			c, got := serveOnce(t, `{"success" : true}`)
			if err := tc.send(c, sample); err != nil {
				t.Fatal(err)
			}
			r := <-got
			want := compact(t, file)
			if tc.kind == makeCall {
				// The sample has one placeholder a place, and calls an offer an answer.
				want = strings.NewReplacer("<<RFC 4566 SDP>>", sdp, `"answer"`, `"offer"`).Replace(want)
			}
			if r.body != want {
				t.Errorf("body\n%s\nwant\n%s", r.body, want)
			}
			if path := "/v2/whatsapp/numbers/" + testNumber + tc.path; r.method != "POST" || r.path != path {
				t.Errorf("%s %s, want POST %s", r.method, r.path, path)
			}
			for key, value := range map[string]string{
				"Authorization": "Bearer " + testToken, "Accept": "application/json",
				"Content-Type": "application/json",
			} {
				if r.header.Get(key) != value {
					t.Errorf("%s: %q, want %q", key, r.header.Get(key), value)
				}
			}
		})
	}
}

func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var b strings.Builder
	quoted := false
	for i, c := range string(raw) {
		if c == '"' && raw[i-1] != '\\' {
			quoted = !quoted
		}
		if quoted || !strings.ContainsRune(" \r\n\t", c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func TestAcceptPassesTheAnswerByteForByte(t *testing.T) {
	sdp := "v=0\r\ns=<a>&\"\\/'\u2028\u2029é😀\x01\t\r\na=ice-pwd:q83v+/==\r\n\r\n"
	c, got := serveOnce(t, "")
	if err := c.Accept(t.Context(), "a/b", testCall, sdp); err != nil {
		t.Fatal(err)
	}
	r := <-got
	var body struct {
		CallID string `json:"call_id"`
		SDP    string `json:"sdp"`
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatal(err)
	}
	if body.SDP != sdp || body.CallID != testCall {
		t.Errorf("got %q, want %q", body, sdp)
	}
	if !strings.Contains(r.body, "<a>&") {
		t.Errorf("HTML was escaped: %s", r.body)
	}
	if r.path != "/v2/whatsapp/numbers/a%2Fb/calls/accept" {
		t.Errorf("the number is not escaped: %s", r.path)
	}
}

func TestAcceptRefusesWhatJSONCannotCarry(t *testing.T) {
	c, err := New(Config{URL: "http://127.0.0.1:1", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	for _, sdp := range []string{"", "v=0\xff"} {
		if p := providerError(t, c.Accept(t.Context(), testNumber, testCall, sdp)); p.Kind != engine.Refused {
			t.Errorf("%q: %v", sdp, p)
		}
	}
}

func TestCallPermissionsReadsTheDocumentedAnswer(t *testing.T) {
	answer, err := os.ReadFile("testdata/permissions.json")
	if err != nil {
		t.Fatal(err)
	}
	var wrapped struct{ Calling json.RawMessage }
	if err := json.Unmarshal(answer, &wrapped); err != nil {
		t.Fatal(err)
	}
	want := Permissions{
		Status:  "temporary",
		Expires: time.Unix(1748553340, 0).UTC(),
		Actions: []PermittedAction{
			{
				Name:    "send_call_permission_request",
				Allowed: true,
				Limits:  []PermissionLimit{{Period: "PT24H", Max: 1}, {Period: "P7D", Max: 2}},
			},
			{Name: "start_call", Allowed: true, Limits: []PermissionLimit{{Period: "PT24H", Max: 5}}},
		},
	}
	for name, body := range map[string]string{"Positus": string(answer), "Meta": string(wrapped.Calling)} {
		c, got := serveOnce(t, body)
		p, err := c.CallPermissions(t.Context(), testNumber, "5543999011234")
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(p, want) || !p.CanCall() {
			t.Errorf("%s: got %+v, want %+v", name, p, want)
		}
		r := <-got
		if r.method != "GET" || r.path != "/v2/whatsapp/numbers/"+testNumber+"/calls/call-permissions" ||
			r.query != "user_wa_id=5543999011234" ||
			r.body != "" {
			t.Errorf("%s: sent %+v", name, r)
		}
	}
	for _, body := range []string{"", "{}", `{"calling":"no"}`} {
		c, _ := serveOnce(t, body)
		if p, err := c.CallPermissions(t.Context(), testNumber, "1"); err == nil {
			t.Errorf("%q was read as %+v", body, p)
		}
	}
}

func TestNewRefusesWhatCannotBeUsed(t *testing.T) {
	for _, cfg := range []Config{
		{}, {Token: "a b"}, {Token: "a\n"}, {Token: "t", URL: "api.positus.global"}, {Token: "t", URL: "ftp://x"},
		{Token: "t", URL: "https://u:p@x"}, {Token: "t", URL: "https://x?a=b"}, {Token: "t", URL: "https://x\x00"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

func TestPendingIsUsedUpAndRunsOut(t *testing.T) {
	now := time.Now()
	withoutNine := func(d string) string {
		if len(d) == 13 {
			return d[:4] + d[5:]
		}
		return d
	}
	c, err := New(Config{Token: "t", Now: func() time.Time { return now }, Normal: withoutNine})
	if err != nil {
		t.Fatal(err)
	}
	c.makes.add(c.normal("5543999051234"))
	if c.Pending("5511987654321") || c.Pending("") {
		t.Error("somebody else is pending")
	}
	if !c.Pending("554399051234") {
		t.Error("the number in its other form is not pending")
	}
	if c.Pending("554399051234") {
		t.Error("it is pending after it was used")
	}
	c.makes.add("1")
	now = now.Add(2 * time.Minute)
	if c.Pending("1") {
		t.Error("it is pending for ever")
	}
	for range 3 * maxPending {
		c.makes.add("2")
	}
	if n := len(c.makes.at); n != maxPending {
		t.Errorf("%d are kept, want %d", n, maxPending)
	}
}

func TestMakeIsPendingUnlessItWasRefused(t *testing.T) {
	for status, want := range map[int]bool{200: true, 400: false, 401: false, 500: true} {
		synctest.Test(t, func(t *testing.T) {
			var f *fixture
			f, done := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
				if status == 200 && !f.Pending(testPhone) {
					t.Error("it is not pending before the answer, which the webhook may overtake")
				}
				w.WriteHeader(status)
			})
			defer done()
			_ = run(t.Context(), f.Client, makeCall)
			if status == 200 {
				return
			}
			if got := f.Pending(testPhone); got != want {
				t.Errorf("after %d: pending is %v", status, got)
			}
		})
	}
}
