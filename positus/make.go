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

// Make starts a call to a user, who must have permitted it (see [Client.CallPermissions]). Positus answers without a
// call id; the call is known by the connect webhook that follows, which may come first. It is sent again only if it is
// certain that it was not sent before.
func (c *Client) Make(ctx context.Context, numberID string, m MakeRequest) error {
	to := digitsOf(m.To)
	if to == "" {
		return failure(makeCall, engine.Refused, "the number to call has no digits, and nothing was sent", nil)
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

// newMakeBody has the SDP in both places, as Positus documents it, but calls it what it is: its sample says "answer",
// and WhatsApp takes an offer (Meta: business-initiated calls).
func newMakeBody(to, sdp string) makeBody {
	b := makeBody{To: to}
	b.Connection.WebRTC.SDP = sdp
	b.Session.Type, b.Session.SDP = "offer", sdp
	return b
}

// Pending says whether a call of ours to this user was made within the last two minutes and has not shown up yet.
// Asking ends it: the next call is somebody else's.
func (c *Client) Pending(userDigits string) bool {
	d := digitsOf(userDigits)
	return d != "" && c.makes.take(c.normal(d))
}

const (
	pendingFor = 2 * time.Minute
	maxPending = 1000 // WhatsApp allows as many calls at once (Meta: calling FAQ)
)

// pendingMakes are the numbers that were called a moment ago.
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

// take ends the oldest that is pending for a number, and says whether there was one.
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
