package fake

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Phone is a caller, and everything that happens in the call without further instructions. The zero value of each field
// is the ordinary case: the call rings until it is answered, refused or out of time, and lasts until someone hangs up.
//
// What a business meets on this platform, and how to play it:
//
//	an ordinary call                        Phone{Number: …}
//	hangs up while ringing                  HangUpAfter, or Call.HangUp
//	terminate overtakes connect             TerminateFirst; at random: DeliveryDials.Jitter
//	connect twice, at once and late         ConnectRepeat: {0, 25 * time.Second}
//	connect again after terminate           ConnectAfterEnd
//	nobody answers                          Window, or Call.Expire
//	accept after the window                 Window or Call.Expire, then accept: 138007
//	accepted, no audio arrives              NoMedia; a Media phone that hears nothing does the same
//	audio stops in mid-call                 MediaStopsAfter; a Media phone notices by itself
//	two agents accept at once               nothing to set: the second accept is refused
//	hang-up fails, terminate comes anyway   Faults: {KindHangUp: {{Status: 500, Process: true}}}
//	hang-up works, terminate never comes    NoTerminate
//	no "from", user id only                 UserID without Number
//	12-digit Brazilian number               Number: "554399951234"
//	a landline is called                    a landline in Config.Numbers
//	several calls in one body               Server.CallBatch
//	unknown event, unknown fields           Server.Post, Form.Extra
//	Meta's envelope                         Form.Envelope
//	SDP in the older place, plain, wrapped  Form.SDP, Form.WrapSDP
//	sdp_type "answer" on an inbound call    the default; Form.SDPType puts it right
//	no payment method: 131044               Server.PostError
//	a stale connect                         Age: 10 * time.Minute, with NoTerminate if nothing else is to come
//	a webhook from elsewhere                Config.WebhookClient with another source, DeliveryDials.Header
//	accept's reply comes after terminate    HangUpOnAccept
//	lost, late and false replies            Faults, Server.FailNext
type Phone struct {
	// Number is the caller's wa_id, digits only. Empty with a UserID: a user who is known by username alone, whose
	// webhooks have no "from" (Meta: user-initiated calls).
	Number string
	// UserID and ParentUserID are the business-scoped user ids, Name and Username the profile in contacts.
	UserID, ParentUserID, Name, Username string
	// To is the Positus number id that is called, or its digits; digits that no id has are a number nobody serves.
	// Empty will do where the server has one number.
	To string
	// CTAPayload and DeeplinkPayload say which call button or link was used.
	CTAPayload, DeeplinkPayload string

	// Offer is the make of the offer; SDP, if set, is sent instead.
	Offer OfferKind
	SDP   string
	// Media makes the phone a WebRTC peer on loopback that connects to whoever answers, hears the audio and can speak.
	Media bool
	// Form is the shape of this call's webhooks, the server's dial if nil.
	Form *Form

	// Window is how long the call can be accepted, from its timestamp; zero is a random time within Config's.
	Window time.Duration
	// HangUpAfter is when the caller gives up while it rings, TalkFor when the caller hangs up once accepted.
	HangUpAfter, TalkFor time.Duration
	// HangUpOnAccept hangs up as the accept is carried out: the terminate webhook is posted before the accept's reply.
	HangUpOnAccept bool
	// NoMedia ends the accepted call with 138021 after Config.NoMediaAfter; MediaStopsAfter the same,
	// Config.SilenceAfter after that much of the call.
	NoMedia         bool
	MediaStopsAfter time.Duration

	// Age is how old the call is when it is placed: its timestamp lies that far back, and its window has run as long.
	Age time.Duration
	// ConnectDelay and TerminateDelay hold a webhook back; what follows it in the same call waits for it.
	ConnectDelay, TerminateDelay time.Duration
	// ConnectRepeat posts the same connect webhook again, each that long after the first.
	ConnectRepeat []time.Duration
	// ConnectAfterEnd, if not zero, posts connect again, that long after terminate.
	ConnectAfterEnd time.Duration
	// TerminateFirst is a caller who hangs up at once, with terminate posted before connect.
	TerminateFirst bool
	// NoTerminate never posts terminate.
	NoTerminate bool
	// Outbound makes the connect webhook that of a business-initiated call, although no make preceded it.
	Outbound bool
	// Faults spoil the requests about this call, before any of Server.FailNext.
	Faults map[Kind][]Fault
}

// Call places a call and returns at once; its connect webhook is on its way. It fails when the phone has neither number
// nor user id, when To is not clear, when the audio cannot be set up, and after Close.
func (s *Server) Call(p Phone) (*Call, error) {
	calls, err := s.CallBatch(p)
	if err != nil {
		return nil, err
	}
	return calls[0], nil
}

// CallBatch places several calls whose connect webhooks share one body. Form, ConnectDelay and ConnectRepeat of the
// first phone hold for that body. A phone with TerminateFirst has bodies of its own.
func (s *Server) CallBatch(phones ...Phone) ([]*Call, error) {
	if len(phones) == 0 {
		return nil, errors.New("fake: a batch without calls: pass at least one phone")
	}
	var calls []*Call
	for _, p := range phones {
		c, err := s.prepare(p)
		if err != nil {
			for _, c := range calls {
				c.closePeer()
			}
			return nil, err
		}
		calls = append(calls, c)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		for _, c := range calls {
			c.closePeer()
		}
		return nil, errors.New("fake: the server is closed: make a new one with New")
	}
	defer s.mu.Unlock()
	var together []*Call
	for _, c := range calls {
		s.register(c)
		if c.phone.TerminateFirst {
			c.finish(End{By: Caller})
			s.sendConnect(c)
			continue
		}
		together = append(together, c)
	}
	if len(together) > 0 {
		s.sendConnect(together...)
	}
	for _, c := range together {
		s.spawn(c.ring)
	}
	return calls, nil
}

// prepare makes a call that is not placed yet.
func (s *Server) prepare(p Phone) (*Call, error) {
	if p.Number == "" && p.UserID == "" {
		return nil, errors.New("fake: a phone needs a Number or a UserID")
	}
	numberID, business, err := s.resolve(p.To)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	c := s.newCall(p, numberID, business, false)
	fields := randomFields(p.Offer, rand.New(rand.NewPCG(s.rand.Uint64(), s.rand.Uint64())), c.placed)
	s.mu.Unlock()
	if p.Media {
		if c.peer, err = newPeer(&fields, s.now, s.cfg.AudioAddr); err != nil {
			return nil, err
		}
	}
	c.Offer = p.SDP
	setDefault(&c.Offer, p.Offer.text(fields))
	c.sdp = c.Offer
	if p.Outbound {
		c.sdp = TextAnswer(c.Offer)
	}
	return c, nil
}

// resolve finds the number that is called.
func (s *Server) resolve(to string) (numberID, business string, err error) {
	if business, ok := s.cfg.Numbers[to]; ok {
		return to, business, nil
	}
	if to == "" && len(s.cfg.Numbers) == 1 {
		for id, digits := range s.cfg.Numbers {
			return id, digits, nil
		}
	}
	for id, digits := range s.cfg.Numbers {
		if digits == to {
			return id, digits, nil
		}
	}
	if to == "" || strings.Trim(to, "0123456789") != "" {
		return "", "", fmt.Errorf("fake: Phone.To %q is neither one of the %d number ids nor digits: set it", to,
			len(s.cfg.Numbers))
	}
	return "", to, nil
}

// newCall makes a ringing call; s.mu is held. Its id finds it only after register.
func (s *Server) newCall(p Phone, numberID, business string, made bool) *Call {
	user := p.Number
	setDefault(&user, p.UserID)
	window := p.Window
	if span := s.cfg.AnswerWindowMax - s.cfg.AnswerWindowMin; window == 0 {
		window = s.cfg.AnswerWindowMin + time.Duration(s.rand.Int64N(int64(max(span, 0))+1))
	}
	c := &Call{
		ID: newCallID(s.rand, user, business, p.Outbound || made), NumberID: numberID,
		server: s, phone: p, business: business, made: made, window: window - p.Age, placed: s.now().Add(-p.Age),
		faults: faultList{}, answered: make(chan struct{}), over: make(chan struct{}),
	}
	for kind, faults := range p.Faults {
		c.faults.add(kind, faults)
	}
	return c
}

// register adds a ringing call to the server; s.mu is held.
func (s *Server) register(c *Call) {
	s.calls[c.ID] = c
	s.order = append(s.order, c)
	c.enter(Ringing, c.initiator())
}

// sendConnect posts the connect webhook of one or more calls in one body; s.mu is held.
func (s *Server) sendConnect(calls ...*Call) {
	first := calls[0]
	form := first.form()
	var ids []string
	var parts []part
	var after []<-chan struct{}
	for _, c := range calls {
		ids, parts = append(ids, c.ID), append(parts, c.connectPart(form))
		after = c.following(after)
	}
	done := s.send("connect", ids, webhookBody(form, parts), first.phone.ConnectDelay, first.phone.ConnectRepeat, after)
	for _, c := range calls {
		c.last = done
	}
}
