package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callrouter/console"
	"callrouter/console/client"
	"callrouter/positus/fake"
)

// turn is one time that an agent became free, until the phone rings.
type turn struct {
	agent     string
	how       string    // what makes the agent free
	sent      time.Time // what makes the agent free was begun
	confirmed time.Time // the router replied
	rang      time.Time // zero: the phone did not ring
	call      string    // that rang
	declined  time.Time // the router replied to the refusal; zero: the agent picked up
}

// wait is how long the agent was free before the phone rang.
func (t turn) wait() time.Duration { return max(0, t.rang.Sub(t.confirmed)) }

// agent works at one router of a site.
type agent struct {
	name, queue string
	site        *site
	api         *client.Client

	mu      sync.Mutex
	stop    context.CancelFunc // ends the stream of events
	turns   []*turn
	now     *turn  // waits for a ring
	talking string // the call
	failed  []error
}

// hire makes an agent, with a token.
func hire(ctx context.Context, s *site, i, queues int) (*agent, error) {
	a := &agent{name: agentName(i), queue: queueName(i % queues), site: s}
	token, err := s.admin.NewToken(ctx, a.name)
	if err != nil {
		return nil, err
	}
	a.api, err = client.New(client.Config{URL: s.inner[i%len(s.inner)], Token: token})
	return a, err
}

// connect opens a stream of events, and returns once the agent is there.
func (a *agent) connect(ctx context.Context) {
	streaming, stop := context.WithCancel(ctx)
	here := make(chan struct{})
	a.mu.Lock()
	a.stop = stop
	a.mu.Unlock()
	t := a.begin(reconnects)
	go func() {
		once := sync.OnceFunc(func() { a.confirm(t); close(here) })
		defer once()
		for event, err := range a.api.Events(streaming) {
			if err != nil && streaming.Err() == nil {
				a.fail(fmt.Errorf("%s: events: %w", a.name, err))
				return
			}
			switch e := event.(type) {
			case console.StatusEvent:
				once()
			case console.OfferEvent:
				a.rings(ctx, e)
			}
		}
	}()
	select {
	case <-here:
	case <-ctx.Done():
	}
}

// begin notes that the agent is about to become free.
func (a *agent) begin(how string) *turn {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = &turn{agent: a.name, how: how, sent: time.Now()}
	a.turns = append(a.turns, a.now)
	return a.now
}

// confirm notes that the router has confirmed that.
func (a *agent) confirm(t *turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.confirmed = time.Now()
}

func (a *agent) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = append(a.failed, err)
}

// rings is called as the phone rings. The agent picks up after a moment, or now and then declines.
func (a *agent) rings(ctx context.Context, e console.OfferEvent) {
	now := time.Now()
	a.mu.Lock()
	t, n := a.now, len(a.turns)
	if t != nil {
		a.now, t.rang, t.call = nil, now, e.Call.ID
	}
	a.mu.Unlock()
	if t == nil {
		a.fail(fmt.Errorf("%s: the phone rings while the agent is not free", a.name))
		return
	}
	go func() {
		<-time.After(50 * time.Millisecond)
		if n%declinesEvery == 0 {
			a.decline(ctx, e, t)
		} else {
			a.answer(ctx, e)
		}
	}()
}

// declinesEvery is how many calls ring at an agent for each that is declined.
const declinesEvery = 10

func (a *agent) decline(ctx context.Context, e console.OfferEvent, t *turn) {
	next := a.begin(declines)
	err := a.api.Decline(ctx, e.Offer)
	a.confirm(next)
	a.mu.Lock()
	t.declined = time.Now()
	a.mu.Unlock()
	if err != nil {
		a.fail(fmt.Errorf("%s: declining: %w", a.name, err))
	}
}

func (a *agent) answer(ctx context.Context, e console.OfferEvent) {
	if err := a.api.Answer(ctx, e.Offer, fake.TextAnswer(e.SDP)); err != nil {
		a.fail(fmt.Errorf("%s: answering: %w", a.name, err))
		t := a.begin(hangsUp)
		_, _ = a.api.HangUp(ctx, e.Call.ID) // perhaps the agent has the call all the same
		a.confirm(t)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.talking = e.Call.ID
}

// takeCall returns the call that the agent talks in, and makes it nobody's; "" if there is none.
func (a *agent) takeCall() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	call := a.talking
	a.talking = ""
	return call
}

// busy reports whether the agent talks.
func (a *agent) busy() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.talking != ""
}

// The ways in which an agent becomes free.
const (
	hangsUp      = "hangs up"
	callerLeaves = "caller leaves"
	wasAway      = "was away"
	reconnects   = "reconnects"
	declines     = "declines"
)

// free ends the agent's call in one of the ways, if there is one.
func (a *agent) free(ctx context.Context, how string) {
	call := a.takeCall()
	if call == "" {
		return
	}
	var err error
	switch how {
	case callerLeaves:
		t := a.begin(how)
		a.confirm(t)
		a.site.fake.Find(call).HangUp()
	case wasAway:
		_, away := a.api.SetMe(ctx, console.StatusRequest{Status: console.StatusAway, Reason: "break"})
		_, hangUp := a.api.HangUp(ctx, call)
		<-time.After(300 * time.Millisecond)
		t := a.begin(how)
		_, back := a.api.SetMe(ctx, console.StatusRequest{Status: console.StatusAvailable})
		a.confirm(t)
		err = errors.Join(away, hangUp, back)
	case reconnects:
		a.mu.Lock()
		a.stop()
		a.mu.Unlock()
		<-time.After(300 * time.Millisecond)
		_, err = a.api.HangUp(ctx, call)
		a.connect(ctx)
	default:
		t := a.begin(how)
		_, err = a.api.HangUp(ctx, call)
		a.confirm(t)
	}
	if err != nil {
		a.fail(fmt.Errorf("%s: becoming free: %w", a.name, err))
	}
}
