package fake

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// State is how far a call has come.
type State string

// A call rings, is accepted or rejected, and ends; a call that nobody answers goes from ringing to ended.
const (
	Ringing  State = "ringing"
	Accepted State = "accepted"
	Rejected State = "rejected"
	Ended    State = "ended"
)

// Party is who did something in a call.
type Party string

// The phone's owner; the business, through the API; WhatsApp, when a time ran out or the audio failed.
const (
	Caller   Party = "caller"
	Business Party = "business"
	Network  Party = "network"
)

// Event is one step in the life of a call.
type Event struct {
	At    time.Time
	State State
	By    Party
}

// End is how a call ended, as in its terminate webhook.
type End struct {
	At       time.Time
	By       Party
	Status   string        // COMPLETED or FAILED
	Code     int           // WhatsApp error code, 0 if none
	Duration time.Duration // since it was accepted, 0 if it never was
}

// Call is one call, from the side of its phone.
type Call struct {
	ID       string // wacid.…, with + / = in it
	NumberID string // Positus number id that is called, empty if no id has the number
	Offer    string // the SDP that opened the call: the phone's, or that of make

	server     *Server
	phone      Phone
	business   string
	made       bool   // started by make
	sdp        string // what its connect webhook carries
	placed     time.Time
	window     time.Duration
	peer       *peer
	faults     faultList
	answered   chan struct{} // closed when it no longer rings
	over       chan struct{} // closed when it ended
	state      State
	events     []Event
	changed    signal
	applying   bool // an accept is being carried out
	acceptedAt time.Time
	answer     string
	end        End
	last       <-chan struct{} // its latest webhook, closed when posted
}

// Calls returns every call so far, those that make started too, in order.
func (s *Server) Calls() []*Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// Find returns the call with that id, nil if there is none.
func (s *Server) Find(callID string) *Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[callID]
}

// State returns how far the call has come.
func (c *Call) State() State {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.state
}

// Events returns the steps of the call so far.
func (c *Call) Events() []Event {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return slices.Clone(c.events)
}

// End returns how the call ended, and false while it lasts.
func (c *Call) End() (End, bool) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.end, c.state == Ended
}

// Answer returns the SDP with which the business accepted, byte for byte, empty before.
func (c *Call) Answer() string {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.answer
}

// Wait returns once the call has reached a state. It fails if the call ends without it, or if ctx ends.
func (c *Call) Wait(ctx context.Context, state State) error {
	for {
		c.server.mu.Lock()
		reached := slices.ContainsFunc(c.events, func(e Event) bool { return e.State == state })
		now, end, changed := c.state, c.end, c.changed.wait()
		c.server.mu.Unlock()
		switch {
		case reached:
			return nil
		case now == Ended:
			return fmt.Errorf("fake: the call ended (by the %s, code %d) and was never %s", end.By, end.Code, state)
		}
		select {
		case <-changed:
		case <-c.server.ctx.Done():
			return fmt.Errorf("fake: server closed while waiting for %s, the call is %s", state, now)
		case <-ctx.Done():
			return fmt.Errorf("fake: waiting for %s, the call is %s: %w", state, now, ctx.Err())
		}
	}
}

// HangUp makes the phone's owner hang up, or decline a call that make started. It reports whether the call was live.
func (c *Call) HangUp() bool { return c.finishNow(End{By: Caller}) }

// Expire lets the answer window run out now. It reports whether the call was still ringing.
func (c *Call) Expire() bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.state == Ringing && c.finish(End{By: Network})
}

// Fail ends the call as failed, with a WhatsApp code such as 138020. It reports whether the call was live.
func (c *Call) Fail(code int) bool { return c.finishNow(End{By: Network, Code: code}) }

// PickUp answers a call that make started. It reports whether that call was ringing.
func (c *Call) PickUp() bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.state != Ringing || !c.outbound() {
		return false
	}
	c.pickedUp(Caller)
	c.postStatus("ACCEPTED")
	return true
}

func (c *Call) finishNow(e End) bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.finish(e)
}

// The functions below need s.mu, unless their comments say otherwise.

func (c *Call) enter(state State, by Party) {
	c.state = state
	c.events = append(c.events, Event{c.server.now(), state, by})
	c.changed.fire()
}

// pickedUp puts the call through and starts what the phone does afterwards.
func (c *Call) pickedUp(by Party) {
	c.enter(Accepted, by)
	c.acceptedAt = c.server.now()
	close(c.answered)
	cfg, p := c.server.cfg, c.phone
	if p.TalkFor > 0 {
		c.finishAfter(p.TalkFor, End{By: Caller})
	}
	if p.NoMedia {
		c.finishAfter(cfg.NoMediaAfter, End{By: Network, Code: 138021})
	}
	if p.MediaStopsAfter > 0 {
		c.finishAfter(p.MediaStopsAfter+cfg.SilenceAfter, End{By: Network, Code: 138021})
	}
	if c.peer != nil {
		c.server.spawn(c.listen)
	}
}

// finish ends the call, once, and sends the webhooks that follow.
func (c *Call) finish(e End) bool {
	if c.state == Ended {
		return false
	}
	s, rang := c.server, c.state == Ringing
	e.At, e.Status = s.now(), "COMPLETED"
	if c.acceptedAt.IsZero() {
		if missed := c.form().MissedStatus; missed != "" {
			e.Status = missed
		}
	} else {
		e.Duration = e.At.Sub(c.acceptedAt)
	}
	if e.Code != 0 {
		e.Status = "FAILED"
	}
	c.end = e
	c.enter(Ended, e.By)
	close(c.over)
	if c.acceptedAt.IsZero() {
		close(c.answered)
	}
	if rang && e.By == Caller {
		c.postStatus("REJECTED")
	}
	if !c.phone.NoTerminate {
		form := c.form()
		body := webhookBody(form, []part{c.terminatePart(form)})
		c.last = s.send("terminate", []string{c.ID}, body, c.phone.TerminateDelay, nil, c.following(nil))
	}
	if c.phone.ConnectAfterEnd > 0 {
		s.spawn(c.connectAgain)
	}
	if c.peer != nil {
		s.spawn(c.peer.close)
	}
	return true
}

func (c *Call) finishAfter(d time.Duration, e End) {
	c.server.spawn(func() {
		if c.server.pause(d, c.over) {
			c.finishNow(e)
		}
	})
}

// ring waits, without the lock, for whichever comes first: an action, the caller's patience, or the end of the window.
func (c *Call) ring() {
	wait, by := c.window, Network
	if p := c.phone.HangUpAfter; p > 0 && p < wait {
		wait, by = p, Caller
	}
	if !c.server.pause(wait, c.answered) {
		return
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.state == Ringing {
		c.finish(End{By: by})
	}
}

// connectAgain posts connect once more after terminate; it takes the lock itself.
func (c *Call) connectAgain() {
	c.server.mu.Lock()
	last := c.last
	c.server.mu.Unlock()
	select {
	case <-last:
	case <-c.server.ctx.Done():
	}
	if !c.server.pause(c.phone.ConnectAfterEnd, nil) {
		return
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	form := c.form()
	c.server.send("connect", []string{c.ID}, webhookBody(form, []part{c.connectPart(form)}), 0, nil, nil)
}

// postStatus posts the status webhook of a call that make started, if the dial asks for them.
func (c *Call) postStatus(status string) {
	if !c.made || !c.server.dials.Statuses {
		return
	}
	body := webhookBody(c.form(), []part{c.statusPart(status, c.server.now())})
	c.last = c.server.send("status", []string{c.ID}, body, 0, nil, c.following(nil))
}

// following adds the call's latest webhook to what the next one waits for.
func (c *Call) following(after []<-chan struct{}) []<-chan struct{} {
	if c.last == nil {
		return after
	}
	return append(after, c.last)
}

func (c *Call) form() Form {
	if c.phone.Form != nil {
		return *c.phone.Form
	}
	return c.server.dials.Form
}

func (c *Call) outbound() bool { return c.made || c.phone.Outbound }

func (c *Call) initiator() Party {
	if c.outbound() {
		return Business
	}
	return Caller
}

func (c *Call) direction() string {
	if c.outbound() {
		return "BUSINESS_INITIATED"
	}
	return "USER_INITIATED"
}

// closePeer gives up the audio of a call that was never placed; no lock is needed.
func (c *Call) closePeer() {
	if c.peer != nil {
		c.peer.close()
	}
}
