package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/tmaxmax/go-sse"

	"callrouter/console"
)

// maxEvent bounds an event, in bytes: an offer has an SDP in it.
const maxEvent = 1 << 20

// Me returns the agent whose token this is.
func (c *Client) Me(ctx context.Context) (console.Me, error) {
	var reply console.Me
	err := c.do(ctx, http.MethodGet, path("me"), nil, &reply)
	return reply, err
}

// SetMe sets the agent's own status.
func (c *Client) SetMe(ctx context.Context, s console.StatusRequest) (console.Me, error) {
	var reply console.Me
	err := c.do(ctx, http.MethodPut, path("me"), s, &reply)
	return reply, err
}

// Events connects the agent, and yields events until ctx ends. While it runs, and the status is available, calls are
// offered to the agent. The last pair may have an error: why the agent could not connect, or that the connection broke.
// Without one the router ended the stream, because it stops or because a new token was made for the agent.
//
// A caller who does not take events for some seconds counts as gone; answer calls in another goroutine.
func (c *Client) Events(ctx context.Context) iter.Seq2[console.Event, error] {
	return func(yield func(console.Event, error) bool) {
		resp, err := c.send(ctx, http.MethodGet, path("me", "events"), nil)
		if err != nil {
			yield(nil, err)
			return
		}
		defer resp.Body.Close()
		for ev, err := range sse.Read(resp.Body, &sse.ReadConfig{MaxEventSize: maxEvent}) {
			if err != nil {
				yield(nil, c.unreachable(err))
				return
			}
			event, err := console.ParseEvent(ev.Type, ev.Data)
			if err != nil {
				yield(nil, err)
				return
			}
			if event != nil && !yield(event, nil) { // later versions may have more kinds
				return
			}
		}
	}
}

// Answer picks up the call of an offer with an SDP answer. It returns once Positus has taken the accept.
func (c *Client) Answer(ctx context.Context, offer, sdp string) error {
	return c.do(ctx, http.MethodPost, path("offers", offer, "answer"), console.AnswerRequest{SDP: sdp}, &console.Answered{})
}

// Decline passes an offer on to the next agent.
func (c *Client) Decline(ctx context.Context, offer string) error {
	return c.do(ctx, http.MethodPost, path("offers", offer, "decline"), nil, nil)
}
