package positus

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"callrouter/engine"
)

const (
	attemptTimeout = 2 * time.Second
	maxResponse    = 1 << 20 // bytes read of a response
)

// httpClient returns a client that follows no redirect, so that the token goes to one host only, and that ignores the
// proxies of the environment.
func httpClient(given *http.Client) *http.Client {
	c := http.Client{}
	if given != nil {
		c = *given
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.Transport == nil {
		dialer := &net.Dialer{Timeout: 1500 * time.Millisecond, KeepAlive: 15 * time.Second}
		c.Transport = &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    1500 * time.Millisecond,
			MaxIdleConns:           128,
			MaxIdleConnsPerHost:    128,
			IdleConnTimeout:        60 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
			// Without pings a dead HTTP/2 connection would swallow one request after another.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 2 * time.Second, PingTimeout: time.Second},
		}
	}
	return &c
}

// request is one request to the API, which may take several attempts.
type request struct {
	kind   kind
	method string
	path   string
	query  url.Values
	body   any
	log    slog.Attr
}

// outcome is the result of one attempt.
type outcome struct {
	err    *engine.ProviderError // nil if it was carried out
	body   []byte
	fault  bool          // of Positus, so it counts against the breaker
	again  bool          // repeating may help and does no harm
	once   bool          // repeat it only once
	unsure bool          // it may have been carried out in spite of the error
	unsent bool          // the breaker is open, so nothing was sent
	either bool          // the response leaves open whether the call is in progress or over
	after  time.Duration // the Retry-After header; negative if there is none
	wait   time.Duration // pause before the next attempt
	retry  bool          // there will be a next attempt
}

// try makes one attempt.
func (c *Client) try(ctx context.Context, r request, payload []byte) *outcome {
	b := c.breaker[r.kind]
	if !b.TryAcquirePermit() {
		return openBreaker(r.kind, b)
	}
	o := c.send(ctx, r, payload)
	if o.fault {
		b.RecordFailure()
	} else {
		b.RecordSuccess()
	}
	return o
}

func (c *Client) send(parent context.Context, r request, payload []byte) *outcome {
	ctx, cancel := context.WithTimeout(parent, attemptTimeout)
	defer cancel()
	// A request whose header was never written cannot have been carried out.
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})

	req, err := c.request(ctx, r, payload)
	if err != nil {
		return &outcome{
			after: -1,
			err: failure(r.kind, engine.Refused,
				"the request could not be made, and nothing was sent: check --positus-url and positus_id",
				withoutURL(err)),
		}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.broken(parent, r.kind, err, sent.Load())
	}
	defer func() { _ = res.Body.Close() }() // nothing is written to it
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	if err != nil && res.StatusCode < 300 {
		return c.broken(parent, r.kind, err, true)
	}
	return c.responded(r.kind, res, body)
}

func (c *Client) request(ctx context.Context, r request, payload []byte) (*http.Request, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if payload != nil {
		body = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "callrouter")
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// broken returns the outcome of an attempt without a response.
func (c *Client) broken(parent context.Context, k kind, err error, sent bool) *outcome {
	o := &outcome{
		after:  -1,
		unsure: sent,
		again:  k.repeatable() || !sent,
		fault:  true,
		err:    failure(k, engine.Unavailable, networkHint(err), withoutURL(err)),
	}
	if errors.Is(parent.Err(), context.Canceled) {
		o.again, o.fault = false, false
		o.err.Message = string(k) + ": cancelled before Positus responded, so it may or may not have been carried out"
	}
	return o
}

// networkHint returns what went wrong with the network, and what to check.
func networkHint(err error) string {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &dns):
		return "the name of the Positus API cannot be resolved: check --positus-url and DNS"
	case errors.As(err, &cert):
		return "the certificate of the Positus API is not valid: check --positus-url, the clock and the root " +
			"certificates"
	case errors.As(err, &network) && network.Timeout():
		return "no response from Positus in time: check the network, and the status of Positus"
	}
	return "Positus cannot be reached: check the network and --positus-url"
}

// withoutURL takes the URL off an error, because it may contain a phone number.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
