package positus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/failsafe-go/failsafe-go"

	"callrouter/engine"
)

// DefaultURL is where the Positus API is.
const DefaultURL = "https://api.positus.global/v2"

// Config is what a [Client] needs.
type Config struct {
	URL   string // of the API, with its version; [DefaultURL] if empty
	Token string // Bearer token, sent to URL and nowhere else

	// HTTP is used instead of a client of our own. Even then redirects are not followed.
	HTTP *http.Client
	// Normal brings the digits of a phone number into the form in which numbers are compared, so that a call of ours is
	// recognised under a number that WhatsApp writes differently. If nil, numbers are the same if their digits are.
	Normal func(digits string) string

	// Webhooks, see [Client.Webhooks].

	// Secrets are the last parts of the URL that are accepted: one, or two while they are being changed.
	Secrets []string
	// Sources are the addresses that may post, a second lock; any if empty.
	Sources []netip.Prefix
	// TrustedProxies are the proxies whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// OnRefused gets the reason (see [ReasonSecret] and those after it) of each webhook that was refused; may be nil.
	OnRefused func(reason string)

	Logger *slog.Logger     // silent if nil
	Now    func() time.Time // for dates in responses and pending calls; time.Now if nil
}

// Client acts on calls through the Positus API. It is an [engine.Provider], and safe for concurrent use.
//
// Each attempt has 2 seconds. A request that can be repeated without harm is repeated, with growing and jittered
// pauses, while the context's deadline leaves time for another attempt; a context without a deadline gets 10 seconds.
// Each kind of request has its own circuit breaker. Every error is a [*engine.ProviderError] without the token or a
// phone number.
type Client struct {
	base    string
	token   string
	http    *http.Client
	log     *slog.Logger
	now     func() time.Time
	normal  func(string) string
	retry   failsafe.Executor[*outcome]
	breaker map[kind]breaker
	makes   *pendingMakes
	missed  misses

	webhooks handler // without the receiver
}

var _ engine.Provider = (*Client)(nil)

// New makes a Client. It fails if the URL or the token cannot be used; nothing is sent.
func New(cfg Config) (*Client, error) {
	base, err := baseURL(cmp.Or(cfg.URL, DefaultURL))
	if err != nil {
		return nil, err
	}
	if cfg.Token == "" ||
		strings.ContainsFunc(cfg.Token, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return nil, errors.New("the Positus token is empty or has a space or a line break in it: " +
			"copy it again from the API tokens of your Positus account")
	}
	c := &Client{base: base, token: cfg.Token, log: cfg.Logger, now: cfg.Now, normal: cfg.Normal}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.normal == nil {
		c.normal = digitsOf
	}
	c.http = httpClient(cfg.HTTP)
	c.retry = failsafe.With[*outcome](retryPolicy())
	c.breaker = breakers(c.log)
	c.makes = newPendingMakes(c.now)
	c.webhooks = newHandler(cfg, c.log)
	return c, nil
}

func baseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("the URL of the Positus API cannot be read; check --positus-url: %w", err)
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" {
		return "", fmt.Errorf("the URL of the Positus API must have a scheme, a host and a path only, like %s; check "+
			"--positus-url", DefaultURL)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// Close frees idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Accept answers a call with an SDP answer, sent byte for byte.
func (c *Client) Accept(ctx context.Context, numberID, callID, sdp string) error {
	if err := checkSDP(accept, sdp); err != nil {
		return err
	}
	return c.act(ctx, accept, numberID, callID, struct {
		CallID string `json:"call_id"`
		SDP    string `json:"sdp"`
	}{callID, sdp})
}

type callBody struct {
	CallID string `json:"call_id"`
}

// Reject refuses a call that has not been accepted.
func (c *Client) Reject(ctx context.Context, numberID, callID string) error {
	return c.act(ctx, reject, numberID, callID, callBody{callID})
}

// HangUp ends a call that has been accepted.
func (c *Client) HangUp(ctx context.Context, numberID, callID string) error {
	return c.act(ctx, hangUp, numberID, callID, callBody{callID})
}

func (c *Client) act(ctx context.Context, k kind, numberID, callID string, body any) error {
	_, err := c.do(ctx, request{
		kind: k, method: http.MethodPost, path: numberPath(numberID) + "/calls/" + string(k), body: body,
		log: slog.String("call", engine.Key(callID)),
	})
	c.missed.note(numberID, err)
	return err
}

// SendText sends a text message to a user's number: digits, with or without "+". It repeats the message only if it is
// certain that it was not sent before.
func (c *Client) SendText(ctx context.Context, numberID, to, text string) error {
	type textBody struct {
		Body string `json:"body"`
	}
	if d := digitsOf(to); d != "" {
		to = "+" + d
	}
	_, err := c.do(ctx, request{
		kind: message, method: http.MethodPost, path: numberPath(numberID) + "/messages",
		body: struct {
			To   string   `json:"to"`
			Type string   `json:"type"`
			Text textBody `json:"text"`
		}{to, "text", textBody{text}},
	})
	return err
}

func numberPath(numberID string) string {
	return "/whatsapp/numbers/" + url.PathEscape(numberID)
}
