// Package client is the typed client of callrouter's internal HTTP API (package console): for commands of an
// administrator, with the admin token, and for agents' programs, with the token of an agent.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	connectTime = 5 * time.Second  // to reach the router
	requestTime = 90 * time.Second // for a whole request: a hang-up waits for Positus, a list of calls may be long
)

// Config is what a Client needs.
type Config struct {
	URL   string    // of the internal side, such as http://127.0.0.1:8081
	Token string    // the admin token, or an agent's
	Tee   io.Writer // gets the body of each successful reply as it came; nil: nobody
}

// Client talks to one router. It may be used by several goroutines, if Tee may.
type Client struct {
	base  string
	shown string // base without a password
	token string
	tee   io.Writer
	http  *http.Client

	silence time.Duration // of a stream of events that is given up
}

// New makes a client without connecting. The error says what is wrong with the URL.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if parse, ok := errors.AsType[*url.Error](err); ok {
		// Without the text of the URL, which may have a password.
		return nil, fmt.Errorf("not a URL: %w; write http://HOST:PORT", parse.Err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not the URL of a router; write http://HOST:PORT", u.Redacted())
	}
	return &Client{
		base: strings.TrimSuffix(cfg.URL, "/"), shown: strings.TrimSuffix(u.Redacted(), "/"),
		token: cfg.Token, tee: cfg.Tee, silence: maxSilence,
		http: &http.Client{
			// Nothing is kept open: a program makes few requests, and a router that stops need not wait for it.
			Transport: &http.Transport{
				DialContext: (&net.Dialer{Timeout: connectTime}).DialContext, DisableKeepAlives: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// do sends a request and decodes the reply into reply. body is sent as JSON; nil: none. A nil reply is not decoded.
func (c *Client) do(ctx context.Context, method, path string, body, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		return c.unreachable(err)
	}
	if c.tee != nil {
		if _, err := c.tee.Write(doc); err != nil {
			return err
		}
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(doc, reply); err != nil {
		return fmt.Errorf("cannot read the router's response: %w; check that both are of the same version", err)
	}
	return nil
}

// send returns a response of success, whose body the caller closes.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		doc, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(doc)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return nil, c.refused(resp.StatusCode, doc)
}

// unreachable leaves out the method and path that net/http puts into its errors.
func (c *Client) unreachable(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.shown, err)
}

func (c *Client) refused(status int, body []byte) error {
	var e struct{ Error, Message string }
	if json.Unmarshal(body, &e) != nil || e.Message == "" {
		return fmt.Errorf("%s %w (HTTP %d)", c.shown, ErrNotAPI, status)
	}
	return &Error{Status: status, Code: e.Error, Message: e.Message, Body: body}
}
