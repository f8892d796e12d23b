package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/tmaxmax/go-sse"

	"callrouter/console"
)

const (
	maxEvent   = 1 << 20          // bytes of an event: an offer has an SDP in it
	maxSilence = 15 * time.Second // without a sign of the router, which sends a comment every 5 s
)

var errSilent = errors.New("nothing was heard from it for too long")

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
// A connection that has been silent for 15 s is given up. A caller who does not take events for some seconds counts as
// gone, so answer calls in another goroutine.
func (c *Client) Events(ctx context.Context) iter.Seq2[console.Event, error] {
	return func(yield func(console.Event, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		silence := time.AfterFunc(c.silence, func() { cancel(errSilent) })
		defer silence.Stop()
		resp, err := c.send(ctx, http.MethodGet, path("me", "events"), nil)
		if err != nil {
			yield(nil, c.silent(ctx, err))
			return
		}
		defer resp.Body.Close()
		body := heard{resp.Body, func() { silence.Reset(c.silence) }}
		for ev, err := range sse.Read(body, &sse.ReadConfig{MaxEventSize: maxEvent}) {
			if err != nil {
				yield(nil, c.silent(ctx, c.unreachable(err)))
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

// silent says that a connection was given up because of silence, if it was.
func (c *Client) silent(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSilent) {
		return c.unreachable(errSilent)
	}
	return err
}

// heard calls back for whatever is read.
type heard struct {
	io.Reader
	call func()
}

func (h heard) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	if n > 0 {
		h.call()
	}
	return n, err
}

// Answer picks up the call of an offer with an SDP answer. It returns once Positus has taken the accept.
func (c *Client) Answer(ctx context.Context, offer, sdp string) error {
	body := console.AnswerRequest{SDP: sdp}
	return c.do(ctx, http.MethodPost, path("offers", offer, "answer"), body, &console.Answered{})
}

// Decline passes an offer on to the next agent.
func (c *Client) Decline(ctx context.Context, offer string) error {
	return c.do(ctx, http.MethodPost, path("offers", offer, "decline"), nil, nil)
}

// Ringing confirms that an offer rings, for a client that connects with ack=1.
func (c *Client) Ringing(ctx context.Context, offer string) error {
	return c.do(ctx, http.MethodPost, path("offers", offer, "ringing"), nil, nil)
}

// MyCalls returns the calls of the last day that the agent was offered, newest first; limit 0: 100 of them.
func (c *Client) MyCalls(ctx context.Context, limit int) ([]console.MyCall, error) {
	var reply console.MyCalls
	to := path("me", "calls")
	if limit > 0 {
		to += "?limit=" + strconv.Itoa(limit)
	}
	err := c.do(ctx, http.MethodGet, to, nil, &reply)
	return reply.Calls, err
}

// EarlierCalls returns what the caller of a call did before, newest first. The agent was offered that call within a day.
func (c *Client) EarlierCalls(ctx context.Context, call string) ([]console.EarlierCall, error) {
	var reply console.EarlierCalls
	err := c.do(ctx, http.MethodGet, path("me", "calls", call, "earlier"), nil, &reply)
	return reply.Calls, err
}

// SetNote keeps what the agent writes about an own call, up to a day after its end.
func (c *Client) SetNote(ctx context.Context, call string, n console.NoteRequest) (console.MyCall, error) {
	var reply console.MyCall
	err := c.do(ctx, http.MethodPut, path("me", "calls", call, "note"), n, &reply)
	return reply, err
}

// SetAudio says what the agent's side measured of the audio of an own call.
func (c *Client) SetAudio(ctx context.Context, call string, a console.AudioRequest) error {
	return c.do(ctx, http.MethodPost, path("me", "calls", call, "audio"), a, nil)
}

// EndWrapUp makes the agent free for the next call at once.
func (c *Client) EndWrapUp(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, path("me", "wrap-up"), nil, nil)
}

// ProlongWrapUp moves the end of the agent's wrap-up, once, and by five minutes at most.
func (c *Client) ProlongWrapUp(ctx context.Context, by time.Duration) error {
	return c.do(ctx, http.MethodPost, path("me", "wrap-up"), console.WrapUpRequest{For: by.String()}, nil)
}
