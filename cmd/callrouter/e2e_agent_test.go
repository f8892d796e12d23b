package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callrouter/console"
	"callrouter/console/client"
)

// agent is an agent's program: it listens to the agent's events as long as the test lasts, and connects again when the
// router is gone for a moment.
type agent struct {
	w      *world
	name   string
	token  string
	events chan console.Event
	picks  bool // picks up every offer at once
	given  atomic.Int64
	online chan struct{} // receives once the agent is connected
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

func newAgent(w *world, name, token string, picks bool) *agent {
	return &agent{
		w: w, name: name, token: token, picks: picks,
		events: make(chan console.Event, 1000), online: make(chan struct{}, 1),
	}
}

// agent lets an agent come to work, and returns once the router offers calls to it.
func (w *world) agent(name string, picks bool) *agent {
	w.t.Helper()
	a := newAgent(w, name, w.token(name), picks)
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
	for event, err := range a.w.api(a.token).Events(ctx) {
		if err != nil {
			return
		}
		switch e := event.(type) {
		case console.StatusEvent:
			if e.Status == console.StatusAvailable {
				select {
				case a.online <- struct{}{}:
				default:
				}
			}
		case console.OfferEvent:
			if a.picks {
				all.Go(func() { _, _, _ = a.try(e.Offer, anotherAnswer(e.SDP, a.given.Add(1))) })
			}
		}
		select {
		case a.events <- event:
		default: // nobody looks, and the router would take an agent who does not read for one who is gone
		}
	}
}

// next waits for an event of a kind; others before it are passed over.
func next[E console.Event](a *agent, d time.Duration) E {
	a.w.t.Helper()
	timeout := time.After(d)
	for {
		select {
		case event := <-a.events:
			if e, ok := event.(E); ok {
				return e
			}
		case <-timeout:
			var none E
			a.w.t.Fatalf("agent %s got no %T within %s\n%s", a.name, none, d, excerpt(&a.w.logs))
		}
	}
}

// outcome returns the HTTP status of a request that was made with the client, and the code of a refusal.
func outcome(err error) (status int, code string, unreachable error) {
	if refused, ok := errors.AsType[*client.Error](err); ok {
		return refused.Status, refused.Code, nil
	}
	if err != nil {
		return 0, "", err
	}
	return http.StatusOK, "", nil
}

func (a *agent) try(offer, sdp string) (status int, code string, unreachable error) {
	return outcome(a.w.api(a.token).Answer(context.Background(), offer, sdp))
}

// must is outcome for a router that is there.
func (a *agent) must(err error) (status int, code string) {
	a.w.t.Helper()
	status, code, err = outcome(err)
	if err != nil {
		a.w.t.Fatal(err)
	}
	return status, code
}

// answer answers an offer, and returns the status and the code of the error.
func (a *agent) answer(offer, sdp string) (int, string) {
	a.w.t.Helper()
	return a.must(a.w.api(a.token).Answer(a.w.t.Context(), offer, sdp))
}

func (a *agent) decline(offer string) int {
	a.w.t.Helper()
	status, _ := a.must(a.w.api(a.token).Decline(a.w.t.Context(), offer))
	return status
}

func (a *agent) hangUp(callID string) int {
	a.w.t.Helper()
	_, err := a.w.api(a.token).HangUp(a.w.t.Context(), callID)
	status, _ := a.must(err)
	return status
}
