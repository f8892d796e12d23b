package positus

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"callrouter/engine"
)

// MakeRequest starts a call to a user.
type MakeRequest struct {
	To  string // the user's number in digits, with or without "+"
	SDP string // our SDP offer
}

// Make starts a call to a user, who must have permitted it (see [Client.CallPermissions]). Positus responds without a
// call id: the connect webhook has it, and may come before the response. The request is repeated only if it is certain
// that it was not sent before.
func (c *Client) Make(ctx context.Context, numberID string, m MakeRequest) error {
	to := digitsOf(m.To)
	if to == "" {
		return failure(makeCall, engine.Refused,
			"the number to call has no digits, and nothing was sent: check the number", nil)
	}
	if err := checkSDP(makeCall, m.SDP); err != nil {
		return err
	}
	c.makes.add(c.normal(to))
	_, err := c.do(ctx, request{
		kind: makeCall, method: http.MethodPost, path: numberPath(numberID) + "/calls/make",
		body: newMakeBody(to, m.SDP), log: slog.String("number", numberID),
	})
	var refused *engine.ProviderError
	if errors.As(err, &refused) && refused.Kind != engine.Unavailable {
		c.makes.take(c.normal(to))
	}
	return err
}

type makeBody struct {
	To         string `json:"to"`
	Connection struct {
		WebRTC struct {
			SDP string `json:"sdp"`
		} `json:"webrtc"`
	} `json:"connection"`
	Session struct {
		Type string `json:"sdp_type"`
		SDP  string `json:"sdp"`
	} `json:"session"`
}

// newMakeBody puts the SDP in both places, as Positus documents it. The sdp_type is "offer", which WhatsApp takes
// (Meta: business-initiated calls), although Positus' sample says "answer".
func newMakeBody(to, sdp string) makeBody {
	b := makeBody{To: to}
	b.Connection.WebRTC.SDP = sdp
	b.Session.Type, b.Session.SDP = "offer", sdp
	return b
}

// Pending reports whether Make started a call to this user within the last two minutes and its webhook is still
// missing. Returning true ends it, so that the user's next call is not mistaken for one of ours.
func (c *Client) Pending(userDigits string) bool {
	if !c.makes.any() { // normalizing a number costs more than all else
		return false
	}
	d := digitsOf(userDigits)
	return d != "" && c.makes.take(c.normal(d))
}

const (
	pendingFor = 2 * time.Minute
	maxPending = 1000 // WhatsApp allows as many calls at once (Meta: calling FAQ)
)

// pendingMakes holds the numbers whose connect webhook is still missing.
type pendingMakes struct {
	now func() time.Time
	mu  sync.Mutex
	at  []pendingMake // oldest first
}

type pendingMake struct {
	to    string
	until time.Time
}

func newPendingMakes(now func() time.Time) *pendingMakes { return &pendingMakes{now: now} }

func (p *pendingMakes) add(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire()
	if len(p.at) >= maxPending {
		p.at = p.at[1:]
	}
	p.at = append(p.at, pendingMake{to, p.now().Add(pendingFor)})
}

// any reports whether there is an entry.
func (p *pendingMakes) any() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire()
	return len(p.at) > 0
}

// take removes the oldest entry of a number, and reports whether there was one.
func (p *pendingMakes) take(to string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire()
	for i, m := range p.at {
		if m.to == to {
			p.at = append(p.at[:i:i], p.at[i+1:]...)
			return true
		}
	}
	return false
}

func (p *pendingMakes) expire() {
	now := p.now()
	for len(p.at) > 0 && !now.Before(p.at[0].until) {
		p.at = p.at[1:]
	}
}
