package positus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"callrouter/engine"
)

// Limits of a webhook.
const (
	// MaxWebhook is the size of the largest body that is read, in bytes. Meta sends up to 3 MB (Meta: webhooks).
	MaxWebhook = 4 << 20
	// webhookTime is the longest a webhook may take, a little under the 2 s within which the sender must hear of it.
	webhookTime = 1900 * time.Millisecond
)

// Why a webhook was refused, as Config.OnRefused gets it, with the status of the response.
const (
	ReasonSecret   = "secret"    // the secret in the URL is wrong: 404
	ReasonSource   = "source"    // the address may not post webhooks: 403
	ReasonTooLarge = "too_large" // the body is larger than MaxWebhook: 413
	ReasonNotJSON  = "not_json"  // the body is not JSON: 400
	ReasonSlow     = "slow"      // the body came too late, or not whole: 408
	ReasonNotTaken = "refused"   // the engine could not take the events: 503, and Positus sends them again
)

type handler struct {
	secrets   [][sha256.Size]byte
	sources   []netip.Prefix
	proxies   []netip.Prefix
	receive   func(context.Context, []engine.Event) error
	pending   func(userDigits string) bool
	log       *slog.Logger
	onRefused func(reason string)
}

// Webhooks returns what serves POST /webhooks/positus/ with a secret behind it, which may have slashes, and nothing
// else; see the part on webhooks of [Config]. It gives the events of each webhook to receive, which must return by the
// context's deadline, and an error only if the sender is to send them again. No secret and no body is ever logged.
func (c *Client) Webhooks(receive func(context.Context, []engine.Event) error) http.Handler {
	h := c.webhooks
	h.receive, h.pending = receive, c.Pending
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/positus/{secret...}", &h)
	return mux
}

func newHandler(cfg Config, log *slog.Logger) handler {
	h := handler{sources: cfg.Sources, proxies: cfg.TrustedProxies, log: log, onRefused: cfg.OnRefused}
	if h.onRefused == nil {
		h.onRefused = func(string) {}
	}
	for _, s := range cfg.Secrets {
		h.secrets = append(h.secrets, sha256.Sum256([]byte(s)))
	}
	return h
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deadline := time.Now().Add(webhookTime)
	// The server reads the rest of a refused body too, so the deadline must be set before anything is refused. A writer
	// without deadlines (an error) has no network to wait for.
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(deadline)
	from := ClientAddr(r, h.proxies)
	if secret := r.PathValue("secret"); secret == "" || !h.knows(secret) {
		h.refuse(w, from, ReasonSecret, errors.New("the secret in the URL is wrong; if Positus sent this, calls are "+
			"being lost: compare the URL in Positus with CALLROUTER_WEBHOOK_SECRET"))
		return
	}
	if len(h.sources) > 0 && !within(from, h.sources) {
		h.refuse(w, from, ReasonSource, errors.New("the address is not among --webhook-sources; if it is one of "+
			"Positus', calls are being lost: add it, and behind a proxy set --trusted-proxies"))
		return
	}
	body, reason, err := readBody(w, r)
	if err != nil {
		if reason == ReasonTooLarge {
			// Drain the body, so that a client that writes before it reads sees the 413.
			_, _ = io.CopyN(io.Discard, r.Body, 4*MaxWebhook)
		}
		h.refuse(w, from, reason, err)
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	events, err := ParseWebhook(body, h.pending)
	if err != nil {
		h.refuse(w, from, ReasonNotJSON, err)
		return
	}
	// A sender that hangs up now may not send the webhook again, so its events are received all the same.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.Context()), deadline)
	defer cancel()
	if err := h.take(ctx, events); err != nil {
		w.Header().Set("Retry-After", "1")
		h.refuse(w, from, ReasonNotTaken, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// knows compares digests, and all of them, so that the time it takes reveals nothing about the secrets.
func (h *handler) knows(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	found := 0
	for _, s := range h.secrets {
		found |= subtle.ConstantTimeCompare(sum[:], s[:])
	}
	return found == 1
}

// readBody reads a body of limited size. An error comes with the reason to refuse it.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, reason string, err error) {
	if r.ContentLength > MaxWebhook {
		return nil, ReasonTooLarge, fmt.Errorf("the body has %d bytes, more than %d; no webhook is that large",
			r.ContentLength, MaxWebhook)
	}
	buf := bytes.NewBuffer(make([]byte, 0, max(r.ContentLength, 0)+bytes.MinRead))
	_, err = buf.ReadFrom(http.MaxBytesReader(w, r.Body, MaxWebhook))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, ReasonTooLarge, fmt.Errorf("the body has more than %d bytes; no webhook is that large", MaxWebhook)
	case err != nil:
		return nil, ReasonSlow, fmt.Errorf("the body did not arrive whole within %s; check the network and "+
			"the proxies before this machine: %w", webhookTime, err)
	}
	return buf.Bytes(), "", nil
}

// take waits for the receiver no longer than the context lasts.
func (h *handler) take(ctx context.Context, events []engine.Event) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("receiving a webhook panicked: %v", p)
			}
		}()
		done <- h.receive(ctx, events)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the events could not be stored within %s, Positus must send them again; check the store: %w",
			webhookTime, ctx.Err())
	}
}

// refuse responds with the reason's status, and tells why to the operator alone.
func (h *handler) refuse(w http.ResponseWriter, from netip.Addr, reason string, why error) {
	status := map[string]int{
		ReasonSecret:   http.StatusNotFound,
		ReasonSource:   http.StatusForbidden,
		ReasonTooLarge: http.StatusRequestEntityTooLarge,
		ReasonNotJSON:  http.StatusBadRequest,
		ReasonSlow:     http.StatusRequestTimeout,
		ReasonNotTaken: http.StatusServiceUnavailable,
	}[reason]
	h.onRefused(reason)
	h.log.Warn("webhook refused", "status", status, "reason", reason, "source", from.String(), "error", why.Error())
	http.Error(w, http.StatusText(status), status)
}
