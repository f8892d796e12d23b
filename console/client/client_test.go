package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callrouter/console"
	"callrouter/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "tok_CANARY"

// seen is what a server got, and what it replies.
type seen struct {
	method, path, query, auth, kind, body string

	status int
	reply  string
	header http.Header
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	s.method, s.path, s.query, s.body = r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(b)
	s.auth, s.kind = r.Header.Get("Authorization"), r.Header.Get("Content-Type")
	for k, v := range s.header {
		w.Header()[k] = v
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.reply)
}

// serve starts a server that replies to everything with s, and makes a client of it.
func serve(t *testing.T, s *seen, tee io.Writer) *Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := New(Config{URL: server.URL + "/", Token: token, Tee: tee})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRequests(t *testing.T) {
	t.Parallel()
	three := 3
	for name, tc := range map[string]struct {
		do    func(context.Context, *Client) (any, error)
		reply string
		want  string // method, path, query and body of the request
		gets  string
	}{
		"agents": {
			func(ctx context.Context, c *Client) (any, error) { return c.Agents(ctx) }, `{"agents":[{"agent":"ana"}]}`,
			"GET /api/v1/agents", "ana",
		},
		"capacity": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.PatchAgent(ctx, "a/b",
					console.AgentPatch{Capacity: console.Optional[int]{Set: true, Value: &three}, Until: "2h"})
			}, `{"agent":"a/b"}`,
			`PATCH /api/v1/agents/a%2Fb {"capacity":3,"until":"2h"}`, "a/b",
		},
		"no capacity": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.PatchAgent(ctx, "ana", console.AgentPatch{Capacity: console.Optional[int]{Set: true}})
			},
			`{"agent":"ana"}`,
			`PATCH /api/v1/agents/ana {"capacity":null}`, "ana",
		},
		"status": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.PatchAgent(ctx, "ana", console.AgentPatch{Status: console.StatusAway, Reason: "lunch"})
			},
			`{"agent":"ana","status":"away"}`,
			`PATCH /api/v1/agents/ana {"status":"away","reason":"lunch"}`, "away",
		},
		"new token": {
			func(ctx context.Context, c *Client) (any, error) { return c.NewToken(ctx, "ana") },
			`{"agent":"ana","token":"abc"}`,
			"POST /api/v1/agents/ana/token", "abc",
		},
		"new link": {
			func(ctx context.Context, c *Client) (any, error) { return c.NewLink(ctx, "ana") },
			`{"agent":"ana","url":"http://h/console/agent#code=c"}`,
			"POST /api/v1/agents/ana/link", "#code=c",
		},
		"calls": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.Calls(ctx, Filter{
					State: "ended", Caller: "+55 11", Since: "2h", Outcome: "failed", Limit: 7, Oldest: true,
				})
			}, `{"calls":[{"id":"one"}]}`,
			"GET /api/v1/calls caller=%2B55+11&limit=7&order=oldest&outcome=failed&since=2h&state=ended", "one",
		},
		"all calls": {
			func(ctx context.Context, c *Client) (any, error) { return c.Calls(ctx, Filter{}) }, `{"calls":[]}`,
			"GET /api/v1/calls", "[]",
		},
		"call": {
			func(ctx context.Context, c *Client) (any, error) { return c.Call(ctx, "wacid.A/b+c=") },
			`{"id":"wacid.A/b+c="}`,
			"GET /api/v1/calls/wacid.A%2Fb+c=", "wacid.A/b+c=",
		},
		"stale": {
			func(ctx context.Context, c *Client) (any, error) { return c.Stale(ctx) },
			`{"calls":[{"do":"hang up","id":"one"}]}`,
			"GET /api/v1/calls/stale", "hang up",
		},
		"hang up": {
			func(ctx context.Context, c *Client) (any, error) { return c.HangUp(ctx, "one") },
			`{"id":"one","state":"ended"}`,
			"POST /api/v1/calls/one/hang-up", "ended",
		},
		"lists": {
			func(ctx context.Context, c *Client) (any, error) { return c.Lists(ctx) }, `{"lists":[{"list":"vip"}]}`,
			"GET /api/v1/lists", "vip",
		},
		"list": {
			func(ctx context.Context, c *Client) (any, error) { return c.List(ctx, "vip") },
			`{"list":"vip","in_file":5}`,
			"GET /api/v1/lists/vip", "5",
		},
		"entry": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.PutEntry(ctx, "vip", "+55 11 98888-7777", console.EntryRequest{Note: "a friend"})
			},
			`{"number":"+5511988887777"}`,
			`PUT /api/v1/lists/vip/+55%2011%2098888-7777 {"note":"a friend"}`, "+5511988887777",
		},
		"no entry": {
			func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteEntry(ctx, "vip", "id:x") }, "",
			"DELETE /api/v1/lists/vip/id:x", "",
		},
		"hours": {
			func(ctx context.Context, c *Client) (any, error) { return c.Hours(ctx) }, `{"hours":[{"hours":"office"}]}`,
			"GET /api/v1/hours", "office",
		},
		"switch": {
			func(ctx context.Context, c *Client) (any, error) { return c.Switch(ctx, "office") }, `{"hours":"office"}`,
			"GET /api/v1/hours/office/switch", "office",
		},
		"set switch": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.SetSwitch(ctx, "office", console.SwitchRequest{State: console.SwitchOpen, Until: "2h"})
			},
			`{"hours":"office","open":true}`,
			`PUT /api/v1/hours/office/switch {"state":"open","until":"2h"}`, "true",
		},
		"clear switch": {
			func(ctx context.Context, c *Client) (any, error) { return nil, c.ClearSwitch(ctx, "office") }, "",
			"DELETE /api/v1/hours/office/switch", "",
		},
		"rules": {
			func(ctx context.Context, c *Client) (any, error) { return c.Rules(ctx) }, `{"version":"abc"}`,
			"GET /api/v1/rules", "abc",
		},
		"reload": {
			func(ctx context.Context, c *Client) (any, error) { return c.Reload(ctx) },
			`{"version":"abc","problems":[]}`,
			"POST /api/v1/rules/reload", "abc",
		},
		"me": {
			func(ctx context.Context, c *Client) (any, error) { return c.Me(ctx) }, `{"agent":"ana"}`,
			"GET /api/v1/me", "ana",
		},
		"set me": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.SetMe(ctx, console.StatusRequest{Status: console.StatusAvailable})
			},
			`{"agent":"ana"}`,
			`PUT /api/v1/me {"status":"available"}`, "ana",
		},
		"answer": {
			func(ctx context.Context, c *Client) (any, error) { return nil, c.Answer(ctx, "o1", "v=0\r\n<") },
			`{"offer":"o1","result":"answered"}`,
			`POST /api/v1/offers/o1/answer {"sdp":"v=0\r\n\u003c"}`, "",
		},
		"ringing": {
			func(ctx context.Context, c *Client) (any, error) { return nil, c.Ringing(ctx, "o1") }, "",
			"POST /api/v1/offers/o1/ringing", "",
		},
		"my calls": {
			func(ctx context.Context, c *Client) (any, error) { return c.MyCalls(ctx, 7) },
			`{"calls":[{"id":"one","result":"missed"}]}`, "GET /api/v1/me/calls limit=7", "missed",
		},
		"earlier": {
			func(ctx context.Context, c *Client) (any, error) { return c.EarlierCalls(ctx, "a/b") },
			`{"calls":[{"queue":"sales"}]}`, "GET /api/v1/me/calls/a%2Fb/earlier", "sales",
		},
		"note": {
			func(ctx context.Context, c *Client) (any, error) {
				return c.SetNote(ctx, "one", console.NoteRequest{Note: "calls again"})
			}, `{"id":"one","note":"calls again"}`,
			`PUT /api/v1/me/calls/one/note {"note":"calls again","disposition":""}`, "calls again",
		},
		"audio": {
			func(ctx context.Context, c *Client) (any, error) {
				return nil, c.SetAudio(ctx, "one", console.AudioRequest{State: "connected", ClickToMS: 140})
			}, "",
			`POST /api/v1/me/calls/one/audio {"state":"connected","tab":"","click_to_audio_ms":140,"rtt_ms":0,"loss":0,"jitter_ms":0}`,
			"",
		},
		"end wrap-up": {
			func(ctx context.Context, c *Client) (any, error) { return nil, c.EndWrapUp(ctx) }, "",
			"DELETE /api/v1/me/wrap-up", "",
		},
		"prolong wrap-up": {
			func(ctx context.Context, c *Client) (any, error) { return nil, c.ProlongWrapUp(ctx, time.Minute) }, "",
			`POST /api/v1/me/wrap-up {"for":"1m0s"}`, "",
		},
		"decline": {
			func(ctx context.Context, c *Client) (any, error) { return nil, c.Decline(ctx, "o1") }, "",
			"POST /api/v1/offers/o1/decline", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tee bytes.Buffer
			s := &seen{status: http.StatusOK, reply: tc.reply}
			if tc.reply == "" {
				s.status = http.StatusNoContent
			}
			got, err := tc.do(t.Context(), serve(t, s, &tee))
			if err != nil {
				t.Fatal(err)
			}
			sent := s.method + " " + s.path
			for _, part := range []string{s.query, s.body} {
				if part != "" {
					sent += " " + part
				}
			}
			if sent != tc.want {
				t.Errorf("sent %s\nwant %s", sent, tc.want)
			}
			if s.auth != "Bearer "+token || (s.kind == "application/json") != (s.body != "") {
				t.Errorf("Authorization %q, Content-Type %q", s.auth, s.kind)
			}
			if tee.String() != tc.reply {
				t.Errorf("the tee got %q, want %q", &tee, tc.reply)
			}
			if text := fmt.Sprintf("%+v", got); !strings.Contains(text, tc.gets) {
				t.Errorf("got %s, want %s in it", text, tc.gets)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const body = `{"error":"not_active","message":"only an active call","more":1}`
	var tee bytes.Buffer
	_, err := serve(t, &seen{status: http.StatusConflict, reply: body}, &tee).HangUp(t.Context(), "one")
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != http.StatusConflict || e.Code != "not_active" || err.Error() != "only an active call" ||
		string(e.Body) != body {
		t.Errorf("%#v", err)
	}
	if tee.Len() > 0 {
		t.Errorf("the tee got a refusal: %s", &tee)
	}

	refused := &seen{
		status: http.StatusUnprocessableEntity,
		reply: `{"error":"rules_refused","message":"no","version":"abc",` +
			`"problems":[{"message":"a typo","source":"  - x"}]}`,
	}
	r, err := serve(t, refused, nil).Reload(t.Context())
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != "rules_refused" || r.Version != "abc" {
		t.Errorf("%+v, %v", r, err)
	}
	if ps := console.ProblemsOf(r.Problems); len(ps) != 1 || ps[0].Message != "a typo" || ps[0].Source != "  - x" {
		t.Errorf("problems %+v", ps)
	}
}

func TestNoRouter(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*seen{
		"another program": {status: http.StatusNotFound, reply: "404 page not found\n"},
		"other JSON":      {status: http.StatusBadRequest, reply: `{"error":{"code":1}}`},
		"redirect":        {status: http.StatusFound, header: http.Header{"Location": {"http://192.0.2.1/"}}},
	} {
		_, err := serve(t, s, nil).Agents(t.Context())
		if !errors.Is(err, ErrNotAPI) ||
			!strings.Contains(err.Error(), fmt.Sprintf("does not look like a callrouter API (HTTP %d)", s.status)) {
			t.Errorf("%s: %v", name, err)
		}
		for _, err := range serve(t, s, nil).Events(t.Context()) {
			if !errors.Is(err, ErrNotAPI) {
				t.Errorf("%s: events: %v", name, err)
			}
		}
	}
	c, err := New(Config{URL: "http://user:secret@127.0.0.1:1", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Rules(t.Context())
	if !errors.Is(err, ErrUnreachable) ||
		!strings.HasPrefix(err.Error(), "cannot reach a router at http://user:xxxxx@127.0.0.1:1: ") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"secret", token, "/api/"} {
		if strings.Contains(err.Error(), text) {
			t.Errorf("the error has %q in it: %v", text, err)
		}
	}
	for _, text := range []string{"", "localhost:8081", "127.0.0.1:8081", "ftp://host", "http://", "http://a b/"} {
		if _, err := New(Config{URL: text}); err == nil || !strings.Contains(err.Error(), "http://HOST:PORT") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRepliesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	var tee bytes.Buffer
	_, err := serve(t, &seen{status: http.StatusOK, reply: "<html>"}, &tee).Agents(t.Context())
	if err == nil || !strings.Contains(err.Error(), "cannot read the router's response") || tee.String() != "<html>" {
		t.Errorf("%v, tee %q", err, &tee)
	}
	full := fullWriter{errors.New("the disk is full")}
	fine := &seen{status: http.StatusOK, reply: "{}"}
	if _, err := serve(t, fine, full).Agents(t.Context()); !errors.Is(err, full.err) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := serve(t, fine, nil).Agents(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

type fullWriter struct{ err error }

func (w fullWriter) Write([]byte) (int, error) { return 0, w.err }

func TestEvents(t *testing.T) {
	t.Parallel()
	stream := "event: status\ndata: {\"status\":\"away\",\"reason\":\"lunch\"}\n\n: still here\n\n" +
		"event: later\ndata: what later versions have\n\n" +
		"event: offer\ndata: {\"offer\":\"o1\",\"queue\":\"sales\",\"sdp\":\"v=0\\r\\n\"," +
		"\"call\":{\"id\":\"c1\",\"from\":\"+551\"}}\n\n" +
		"event: withdrawn\ndata: {\"offer\":\"o1\",\"reason\":\"taken\"}\n\n" +
		"event: call\ndata: {\"id\":\"c1\",\"state\":\"active\"}\n\n"
	want := []console.Event{
		console.StatusEvent{Status: "away", Reason: "lunch"},
		console.OfferEvent{
			Offer: "o1", Queue: "sales", SDP: "v=0\r\n", Call: console.OfferedCall{ID: "c1", From: "+551"},
		},
		console.WithdrawnEvent{Offer: "o1", Reason: "taken"},
		console.CallEvent{ID: "c1", State: engine.Active},
	}
	s := &seen{status: http.StatusOK, reply: stream, header: http.Header{"Content-Type": {"text/event-stream"}}}
	c := serve(t, s, nil)
	var got []console.Event
	for e, err := range c.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
	if s.path != "/api/v1/me/events" || s.auth != "Bearer "+token {
		t.Errorf("%s, %s", s.path, s.auth)
	}
	for range c.Events(t.Context()) {
		break // ends the connection
	}
	s.reply = "event: offer\ndata: no JSON\n\n"
	for e, err := range c.Events(t.Context()) {
		if e != nil || err == nil || !strings.HasPrefix(err.Error(), `event "offer": `) {
			t.Errorf("%v, %v", e, err)
		}
	}
}

func TestEventsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "event: status\ndata: {\"status\":\"available\"}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := New(Config{URL: server.URL, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range c.Events(ctx) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("%v", last)
	}
}

// A router whose machine is gone says nothing, not even that.
func TestEventsEndInSilence(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]string{
		"at once": "", "after a while": "event: status\ndata: {}\n\n: still here\n\n",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if first != "" {
				_, _ = io.WriteString(w, first)
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		c, err := New(Config{URL: server.URL, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		c.silence = 100 * time.Millisecond
		var last error
		for _, err := range c.Events(t.Context()) {
			last = err
		}
		if !errors.Is(last, ErrUnreachable) || !errors.Is(last, errSilent) {
			t.Errorf("%s: %v", name, last)
		}
	}
}
