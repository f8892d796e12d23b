package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tmaxmax/go-sse"
)

// agent is an agent's program: it listens to the agent's events as long as the test lasts, and connects again when the
// router is gone for a moment.
type agent struct {
	w      *world
	name   string
	token  string
	events chan agentEvent
	picks  bool // answers every offer at once
	given  atomic.Int64
	online chan struct{} // receives once the agent is connected
}

// agentEvent is one event; Kind is its name, the rest what the kinds have.
type agentEvent struct {
	Kind       string
	Offer      string
	Queue      string
	SDP        string
	RingsUntil time.Time `json:"rings_until"`
	Call       struct{ ID, From, Name, Number string }
	Reason     string
	ID         string
	State      string
	Status     string
}

// token makes a token with the command that an administrator uses.
func (w *world) token(name string) string {
	w.t.Helper()
	cmd := command(w.t, environ(map[string]string{envAdminToken: w.admin}, nil),
		"agents", "token", name, "--server", "http://"+w.proc().internal)
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("agents token: %v", err)
	}
	token := strings.TrimSpace(string(out))
	w.keep(token)
	return token
}

// agent lets an agent come to work, and returns once the router offers calls to it.
func (w *world) agent(name string, picks bool) *agent {
	w.t.Helper()
	a := &agent{w: w, name: name, token: w.token(name), events: make(chan agentEvent, 1000), picks: picks, online: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			a.listen(ctx, &all)
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	w.t.Cleanup(func() { cancel(); all.Wait() })
	select {
	case <-a.online:
	case <-time.After(10 * time.Second):
		w.t.Fatalf("agent %s cannot connect\n%s", name, excerpt(&w.logs))
	}
	return a
}

// listen reads one stream of events to its end.
func (a *agent) listen(ctx context.Context, all *sync.WaitGroup) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.w.proc().internal+"/api/v1/me/events", nil)
	if err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	stream := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := stream.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	for ev, err := range sse.Read(resp.Body, &sse.ReadConfig{MaxEventSize: 1 << 20}) {
		if err != nil {
			return
		}
		e := agentEvent{Kind: ev.Type}
		if json.Unmarshal([]byte(ev.Data), &e) != nil {
			continue
		}
		if e.Kind == "status" && e.Status == "available" {
			select {
			case a.online <- struct{}{}:
			default:
			}
		}
		if e.Kind == "offer" && a.picks {
			all.Go(func() { _, _, _ = a.try(e.Offer, anotherAnswer(e.SDP, a.given.Add(1))) })
		}
		select {
		case a.events <- e:
		default: // nobody looks, and an agent who does not read would be taken for one who is gone
		}
	}
}

// next waits for an event of a kind; others before it are passed over.
func (a *agent) next(kind string, d time.Duration) agentEvent {
	a.w.t.Helper()
	timeout := time.After(d)
	for {
		select {
		case e := <-a.events:
			if e.Kind == kind {
				return e
			}
		case <-timeout:
			a.w.t.Fatalf("agent %s got no %s within %s\n%s", a.name, kind, d, excerpt(&a.w.logs))
		}
	}
}

func (a *agent) try(offer, sdp string) (int, []byte, error) {
	return a.w.try(http.MethodPost, "/api/v1/offers/"+url.PathEscape(offer)+"/answer", a.token, map[string]string{"sdp": sdp})
}

// answer answers an offer, and returns the status and the code of the error.
func (a *agent) answer(offer, sdp string) (int, string) {
	a.w.t.Helper()
	status, body, err := a.try(offer, sdp)
	if err != nil {
		a.w.t.Fatal(err)
	}
	return status, errorCode(body)
}

func (a *agent) decline(offer string) int {
	a.w.t.Helper()
	status, _ := a.w.ask(http.MethodPost, "/api/v1/offers/"+url.PathEscape(offer)+"/decline", a.token, nil)
	return status
}

func (a *agent) hangUp(callID string) int {
	a.w.t.Helper()
	status, _ := a.w.ask(http.MethodPost, "/api/v1/calls/"+url.PathEscape(callID)+"/hang-up", a.token, nil)
	return status
}

// errorCode is the code in the body of an error.
func errorCode(body []byte) string {
	var e struct{ Error string }
	_ = json.Unmarshal(body, &e) // anything else has no code
	return e.Error
}
