package engine_test

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"callrouter/engine"
)

// caller calls, and stays for as long as people do: until it is over, or until they had enough. Some of what the
// platform tells about it is told twice, and some never.
func (m *month) caller(i int) {
	id := "call " + strconv.Itoa(i)
	payload := []string{"closed", "greet", "bot", "bot", "desk", "desk", "desk"}[m.draw(7)]
	for range 1 + m.draw(6)/5 {
		if err := m.p.connect(id, "", payload); err != nil {
			m.t.Errorf("call %d: %v", i, err)
		}
	}
	patience, talk := m.seconds(3, 45), m.seconds(10, 300)
	stays := false
	switch m.draw(30) {
	case 0: // a call that nobody ends
		stays = true
	case 1, 2: // one that takes longer than calls may
		talk = m.seconds(500, 1500)
	}
	picked := m.stay(i, patience, talk, stays)
	if m.draw(14) == 0 {
		return // the terminate is lost
	}
	pass(m.seconds(0, 2))
	for range 1 + m.draw(6)/5 {
		if err := m.p.terminate(id, picked); err != nil {
			m.t.Errorf("call %d: %v", i, err)
		}
	}
	m.mu.Lock()
	m.calls[i].told = time.Now()
	m.mu.Unlock()
}

// stay waits until a call is over, and reports whether it was picked up.
func (m *month) stay(i int, patience, talk time.Duration, stays bool) (picked bool) {
	m.mu.Lock()
	changed := m.calls[i].changed
	m.mu.Unlock()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for {
		tired := false
		select {
		case <-changed:
		case <-enough.C:
			tired = true
		case <-m.over:
			return picked
		}
		m.mu.Lock()
		c := &m.calls[i]
		if tired && !(stays && picked) {
			c.state = "over"
		}
		if c.state == "accepted" && !picked {
			picked = true
			enough.Reset(talk)
		}
		if c.state == "over" {
			c.changed = nil
			m.mu.Unlock()
			return picked
		}
		m.mu.Unlock()
	}
}

// index is the number of a call.
func (m *month) index(id string) int {
	i, err := strconv.Atoi(id[len("call "):])
	if err != nil {
		m.t.Errorf("an action for a call that there is not: %q", id)
	}
	return i
}

// act does what the platform is asked for, if it is up and the call is in a state for it.
func (m *month) act(ctx context.Context, action, id, from, to string) error {
	i := m.index(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down[action] {
		if i%2 == 0 { // it hangs, or it answers at once
			m.mu.Unlock()
			<-ctx.Done()
			m.mu.Lock()
		}
		return &engine.ProviderError{Kind: engine.Unavailable, Status: 503}
	}
	c := &m.calls[i]
	if c.state != from {
		return &engine.ProviderError{Kind: engine.Gone, Status: 404, Message: "no such call"}
	}
	if c.state = to; to == "accepted" {
		c.accepted = time.Now()
	}
	if c.changed != nil {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
	return nil
}

func (m *month) Accept(ctx context.Context, _, id, _ string) error {
	return m.act(ctx, "accept", id, "ringing", "accepted")
}

func (m *month) Reject(ctx context.Context, _, id string) error {
	return m.act(ctx, "reject", id, "ringing", "over")
}

func (m *month) SendText(context.Context, string, string, string) error { return nil }

// HangUp also sees to it that attempts come in time, go on, and never two at once.
func (m *month) HangUp(ctx context.Context, _, id string) error {
	i := m.index(id)
	m.mu.Lock()
	c := &m.calls[i]
	now := time.Now()
	m.tries++
	switch {
	case c.trying:
		m.t.Errorf("call %d: two hang-ups at once", i)
	case c.accepted.IsZero(): // an accept that may have been carried out and was not
	case c.firstTry.IsZero():
		c.firstTry = now
		m.overrun = max(m.overrun, now.Sub(c.accepted)-maxCall)
	case now.Sub(c.tried) > time.Minute+sweepEvery:
		m.t.Errorf("call %d: %v between two hang-ups", i, now.Sub(c.tried))
	}
	c.trying = true
	m.mu.Unlock()
	err := m.act(ctx, "hang-up", id, "accepted", "over")
	m.mu.Lock()
	c.trying, c.tried = false, time.Now()
	m.mu.Unlock()
	return err
}

// ended receives the end of each call.
func (m *month) ended(c *engine.Call) {
	i := m.index(c.ID)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outcomes[c.Outcome]++
	if m.calls[i].ended++; m.calls[i].ended > 1 {
		m.t.Errorf("call %d ended twice, now as %s (%s)", i, c.Outcome, c.Why)
	}
	if problem := incomplete(c); problem != "" {
		m.t.Errorf("call %d, %s: %s", i, c.Outcome, problem)
	}
	if (c.Outcome == engine.Reaped) && m.calls[i].firstTry.IsZero() {
		m.t.Errorf("call %d was recorded as hung up, and was not", i)
	}
}

// incomplete says what is missing in the record of a call that has ended.
func incomplete(c *engine.Call) string {
	ends := 0
	for _, t := range c.Transitions {
		if t.State == engine.Ended {
			ends++
		}
	}
	switch {
	case c.State != engine.Ended, ends != 1:
		return fmt.Sprintf("it is %s and ended %d times", c.State, ends)
	case c.Outcome == "", c.RulesVersion == "", c.EndedAt.Before(c.ReceivedAt):
		return "the outcome, the version of the rules or the times are missing"
	case !c.Due.IsZero(), c.HangUp != nil, c.Step != nil:
		return "something is still to be done"
	}
	for _, o := range c.Offers {
		if o.Result == "" {
			return "it still rings at " + o.Agent
		}
	}
	return ""
}

// judge looks at every call once the month is over.
func (m *month) judge() {
	live, err := m.p.store.Due(context.Background(), time.Now().Add(24*time.Hour), nil, 10)
	if err != nil || len(live) > 0 || m.p.e.Kept() > 0 {
		m.t.Errorf("still in hand: %v, %d in memory, %v", live, m.p.e.Kept(), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, c := range m.calls {
		due := c.accepted.Add(maxCall + sweepEvery)
		switch {
		case c.ended != 1:
			m.t.Errorf("call %d ended %d times", i, c.ended)
		case c.state != "over":
			m.t.Errorf("call %d is over here and %s on the platform", i, c.state)
		case c.accepted.IsZero(), !c.told.IsZero() && !c.told.After(due):
		case c.firstTry.IsZero(), c.firstTry.After(due):
			m.t.Errorf("call %d: accepted at %s, first hang-up %s", i, c.accepted, c.firstTry)
		}
	}
}
