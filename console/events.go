package console

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"

	"callrouter/engine"
)

const (
	commentEvery = 5 * time.Second // so that both ends detect a dead connection
	lookEvery    = 2 * time.Second // how late an event may be if its wake was lost
	writeTime    = 5 * time.Second // a connection that takes nothing for this long is dead

	// ackWithin is how long a page that confirms rings may take. A page that a browser has put to sleep keeps its
	// connection and confirms nothing.
	ackWithin = 2500 * time.Millisecond

	// returnWithin is how long a page takes at most to be loaded again.
	returnWithin = 700 * time.Millisecond
)

// stream is one connection of an agent, and what was already sent on it.
type stream struct {
	api     *api
	who     identity
	tab     string // the name of the window; empty: it has none
	ack     bool   // it confirms rings
	session *sse.Session
	control *http.ResponseController
	status  *StatusEvent
	wrapUp  WrapUpEvent
	offers  map[string]bool         // by offer id: sent and not withdrawn
	calls   map[string]engine.State // by call id: the agent's own calls that are going on
	broken  error                   // why nothing can be written any more
}

// events is an agent's stream of events. While it is open the agent is present.
func (a *api) events(w http.ResponseWriter, r *http.Request, who identity) error {
	query := r.URL.Query()
	if err := checkTab(query.Get("tab")); err != nil {
		return err
	}
	session, err := sse.Upgrade(w, r)
	if err != nil {
		return problem(http.StatusInternalServerError, "internal", "this server cannot stream: "+err.Error())
	}
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not gather events
	if r.Method == http.MethodHead {          // asks for headers, and is nobody's presence
		w.Header().Set("Content-Type", "text/event-stream")
		return nil
	}
	s := &stream{
		api: a, who: who, tab: query.Get("tab"), ack: query.Get("ack") == "1",
		session: session, control: http.NewResponseController(w),
		offers: map[string]bool{}, calls: map[string]engine.State{},
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-a.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	wake, unsubscribe := a.Engine.Subscribe(engine.TopicAgent(who.agent))
	defer unsubscribe()
	if err := a.Engine.Present(ctx, who.agent, rand.Text()); err != nil {
		return err
	}
	valid, err := s.look(ctx)
	switch {
	case err != nil && s.status == nil: // nothing was sent, so the response can still be an error
		return err
	case err == nil && !valid:
		return unauthorized(
			"this token was just replaced, or its agent removed from the rules file; connect with a new token")
	}
	s.run(ctx, wake)
	if s.ack {
		for offer := range s.offers {
			a.Engine.ExpectReturn(who.agent, offer, returnWithin)
		}
	}
	return nil
}

// run sends what changes until the connection or the token ends.
func (s *stream) run(ctx context.Context, wake <-chan struct{}) {
	look, comment := time.NewTicker(lookEvery), time.NewTicker(commentEvery)
	defer look.Stop()
	defer comment.Stop()
	for s.broken == nil {
		select {
		case <-ctx.Done():
			return
		case <-comment.C:
			m := &sse.Message{}
			m.AppendComment("still here")
			s.write(m)
			continue
		case <-wake:
		case <-look.C:
		}
		valid, err := s.look(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.api.Logger.Warn("could not read an agent's events; they are sent once the store is back",
				"agent", s.who.agent, "error", err)
		case err == nil && !valid:
			return
		}
	}
}

// look reads what the agent's screen should show, and sends what changed since the last look. It returns false once the
// agent's token has ended, or once a reload has removed the agent and the last call is over. After an error the next
// look continues where this one stopped.
func (s *stream) look(ctx context.Context) (valid bool, err error) {
	if valid, err = s.api.stillValid(ctx, s.who); err != nil || !valid {
		return false, err
	}
	v, err := s.api.Engine.View(ctx, s.who.agent)
	if err != nil {
		return true, err
	}
	s.tellStatus(v.State)
	pending := map[string]bool{}
	for _, o := range v.Offers {
		pending[o.Offer.ID] = true
	}
	if err := s.withdraw(ctx, pending); err != nil {
		return true, err
	}
	for _, o := range v.Offers {
		s.tellOffer(ctx, o)
	}
	s.tellWrapUp(v)
	err = s.tellCalls(ctx, v.Calls)
	return err != nil || busy(v) || s.api.employed(s.who.agent), err
}

func (s *stream) stamp() Stamp { return Stamp{Now: s.api.Engine.Now()} }

func (s *stream) tellStatus(state engine.AgentState) {
	now := StatusEvent{Status: statusOf(state), Missed: state.Missed}
	if state.Away {
		now.Reason = state.Reason
	}
	if s.status == nil || *s.status != now {
		s.status = new(now)
		now.Stamp = s.stamp()
		s.send(now)
	}
}

// tellOffer sends an offer once. From a window that confirms rings, it expects that soon.
func (s *stream) tellOffer(ctx context.Context, o engine.OfferedCall) {
	if s.offers[o.Offer.ID] {
		return
	}
	s.offers[o.Offer.ID] = true
	event := OfferEvent{
		Stamp: s.stamp(), Offer: o.Offer.ID, Queue: o.Offer.Queue, SDP: engine.RepairSDP(o.Call.Offer),
		RingsUntil: o.Offer.RingsUntil, RingForS: ringTime(o.Offer), Rule: o.Call.Rule, By: string(o.Call.By),
		NumberName: o.Call.Number, Payload: o.Call.Payload, Listed: s.api.listed(o.Call),
		Call: OfferedCall{
			ID: o.Call.ID, Key: o.Call.Key(), From: numberOf(o.Call), Name: o.Call.Name, Number: o.Call.Number,
		},
	}
	before, err := s.api.callsBefore(ctx, o.Call)
	switch {
	case err != nil: // the offer matters more
		s.api.Logger.Warn("could not read the caller's earlier calls; the agent sees the offer without them",
			"call", o.Call.Key(), "error", err)
	case o.Call.CallerKey != "":
		event.Earlier = &Earlier{Count: len(before)}
		if len(before) > 0 {
			event.Earlier.Last = &before[0]
		}
	}
	s.send(event)
	if s.ack && o.Offer.RangAt.IsZero() {
		s.api.Engine.ExpectRing(s.who.agent, o.Offer.ID, ackWithin)
	}
}

// tellWrapUp sends when the wrap-up ends, whenever that changes.
func (s *stream) tellWrapUp(v engine.AgentView) {
	var now WrapUpEvent
	if v.WrapUp != nil && v.State.WrapUpUntil.After(s.api.Engine.Now()) {
		now = WrapUpEvent{Until: &v.State.WrapUpUntil, Call: v.WrapUp.ID, Key: v.WrapUp.Key()}
	}
	was := s.wrapUp
	if was.Call == now.Call && (was.Until == nil) == (now.Until == nil) && (was.Until == nil || was.Until.Equal(*now.Until)) {
		return
	}
	s.wrapUp = now
	now.Stamp = s.stamp()
	s.send(now)
}

// withdraw sends which of the offers sent earlier no longer ring, and why.
func (s *stream) withdraw(ctx context.Context, pending map[string]bool) error {
	for id := range s.offers {
		if pending[id] {
			continue
		}
		c, o, err := s.api.Engine.Offered(ctx, s.who.agent, id)
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
		reason := string(engine.OfferEnded) // a record that is gone has ended
		if err == nil {
			if o.Result == engine.OfferAnswered {
				delete(s.offers, id)
				s.calls[c.ID] = "" // it is the agent's call from here on
				if s.tab != "" && c.Tab != s.tab {
					s.send(WithdrawnEvent{Stamp: s.stamp(), Offer: id, Reason: "answered_elsewhere"})
				}
				continue
			}
			if reason = withdrawal(c, o, s.api.Engine.Now()); reason == "" {
				continue
			}
		}
		delete(s.offers, id)
		s.send(WithdrawnEvent{Stamp: s.stamp(), Offer: id, Reason: reason, By: s.takenBy(c, reason)})
	}
	return nil
}

// takenBy returns the name of the agent who was first, of an offer that another agent took.
func (s *stream) takenBy(c *engine.Call, reason string) string {
	if reason != string(engine.OfferTaken) {
		return ""
	}
	return s.api.nameOf(c.Agent)
}

// withdrawal returns why an offer no longer rings, or "" if it still rings.
func withdrawal(c *engine.Call, o engine.Offer, now time.Time) string {
	switch o.Result {
	case engine.OfferTaken:
		return "taken"
	case engine.OfferDeclined:
		return "declined"
	case engine.OfferMissed, engine.OfferUnreachable:
		return "expired"
	case engine.OfferEnded:
		return "ended"
	}
	switch {
	case c.State == engine.Ended:
		return "ended"
	case !now.Before(o.RingsUntil): // rung out, which the call's owner notes in a moment
		return "expired"
	}
	return ""
}

// tellCalls sends each change of state of the agent's own calls. A call that no longer holds one of the agent's slots
// has ended, or is about to.
func (s *stream) tellCalls(ctx context.Context, going []*engine.Call) error {
	seen := map[string]bool{}
	for _, c := range going {
		seen[c.ID] = true
		s.tellCall(c)
	}
	for id := range s.calls {
		if seen[id] {
			continue
		}
		c, err := s.api.Store.Get(ctx, engine.Key(id))
		if errors.Is(err, engine.ErrNotFound) {
			delete(s.calls, id)
			s.send(CallEvent{Stamp: s.stamp(), ID: id, Key: engine.Key(id), State: engine.Ended, Direction: direction})
			continue
		}
		if err != nil {
			return err
		}
		s.tellCall(c)
		if !c.Live() {
			delete(s.calls, id)
		}
	}
	return nil
}

func (s *stream) tellCall(c *engine.Call) {
	if s.calls[c.ID] != c.State {
		s.calls[c.ID] = c.State
		s.send(s.newCallEvent(c))
	}
}

func (s *stream) newCallEvent(c *engine.Call) CallEvent {
	e := CallEvent{
		Stamp: s.stamp(), ID: c.ID, Key: c.Key(), State: c.State, From: numberOf(c), Name: c.Name, Queue: c.Queue,
		Rule: c.Rule, Direction: direction, Tab: orNull(c.Tab), ActiveAt: orNull(c.ActiveAt), EndedAt: orNull(c.EndedAt),
		Outcome: c.Outcome,
	}
	by, code := c.EndedBy()
	e.By, e.Code = by, orNull(code)
	return e
}

// send writes one event.
func (s *stream) send(e Event) {
	doc, err := json.Marshal(e)
	if err != nil {
		s.broken = err
		return
	}
	m := &sse.Message{Type: sse.Type(e.kind())}
	m.AppendData(string(doc))
	s.write(m)
}

// write gives the connection writeTime to take a message. After a failure nothing more is written.
func (s *stream) write(m *sse.Message) {
	if s.broken != nil {
		return
	}
	s.broken = errors.Join(s.control.SetWriteDeadline(time.Now().Add(writeTime)), s.session.Send(m), s.session.Flush())
	if s.broken == nil {
		s.broken = s.control.SetWriteDeadline(time.Time{}) // in between nothing is written, and nothing is due
	}
}
