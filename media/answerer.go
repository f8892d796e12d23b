package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"callrouter/engine"
)

// answerLimit bounds an answerer's response, in bytes. An SDP answer is about 1 KiB.
const answerLimit = 256 << 10

// Answerer implements [engine.Answerer] over HTTP. It is safe for concurrent use.
type Answerer struct {
	client *http.Client
	logger *slog.Logger
}

var _ engine.Answerer = (*Answerer)(nil)

// NewAnswerer makes an Answerer. It may post to internal URLs. It follows no redirects and uses no proxy, so a call's
// details go to the URL in the rules file and nowhere else. A nil logger logs nothing.
func NewAnswerer(logger *slog.Logger) *Answerer {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Answerer{
		logger: logger,
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:               nil,
				MaxIdleConnsPerHost: 8,
				IdleConnTimeout:     30 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close frees idle connections.
func (a *Answerer) Close() { a.client.CloseIdleConnections() }

// Answer posts r as JSON and returns the sdp of a 200 {"sdp": ...}, byte for byte and unchecked. Only ctx limits
// the time it takes. Any other response is an error with the status and the beginning of the body, without what looks
// like phone numbers or secrets.
func (a *Answerer) Answer(ctx context.Context, target string, r engine.AnswerRequest) (string, error) {
	started := time.Now()
	sdp, err := a.answer(ctx, target, r)
	if err != nil {
		return "", fmt.Errorf("answerer at %s: %w", host(target), err)
	}
	a.logger.Debug("answerer has answered", "host", host(target), "took", time.Since(started))
	return sdp, nil
}

func (a *Answerer) answer(ctx context.Context, target string, r engine.AnswerRequest) (string, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return "", bare(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return "", bare(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return "", fmt.Errorf("HTTP %d: redirects are not followed; put the address that it leads to in the rules file",
			resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("HTTP %d, want 200: %s", resp.StatusCode, excerpt(got))
	case err != nil:
		return "", fmt.Errorf("reading its response: %w", err)
	case len(got) > answerLimit:
		return "", fmt.Errorf("its response is longer than %d bytes", answerLimit)
	}
	var answer struct {
		SDP string `json:"sdp"`
	}
	if err := json.Unmarshal(got, &answer); err != nil {
		return "", fmt.Errorf(`its response is not JSON of the form {"sdp": TEXT} (%w): %s`, err, excerpt(got))
	}
	if strings.TrimSpace(answer.SDP) == "" {
		return "", fmt.Errorf(`its response has no "sdp": %s`, excerpt(got))
	}
	return answer.SDP, nil
}

// host returns the part of a URL that a message may show: the path and the query may contain a secret.
func host(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return "a URL that cannot be read"
	}
	return u.Host
}

// bare takes the URL off an error of net/http, because it may contain a secret.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// private matches what looks like a phone number, however it is written, or like a token or key.
var private = regexp.MustCompile(`[0-9][0-9 ().-]{5,}[0-9]|[A-Za-z0-9+/_=.-]{24,}`)

// excerpt returns the beginning of a response, for a message on one line.
func excerpt(body []byte) string {
	const most = 200
	cut := len(body) > most
	text := strings.ToValidUTF8(string(body[:min(most, len(body))]), "")
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	text = private.ReplaceAllString(strings.TrimSpace(text), "…")
	switch {
	case text == "":
		return "(empty)"
	case cut:
		return text + " …"
	}
	return text
}
