package positus

import (
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
	// webhookTime is what a webhook may take in all, a little under the 2 s after which it must have an answer.
	webhookTime = 1900 * time.Millisecond
)

// The kinds of problem that a webhook can have, as OnProblem is told of them.
const (
	ProblemSecret   = "secret"    // the secret is wrong: 404
	ProblemSource   = "source"    // the address may not post webhooks: 403
	ProblemTooLarge = "too_large" // 413
	ProblemNotJSON  = "not_json"  // 400
	ProblemSlow     = "slow"      // the body did not come in time, or not whole: 408
	ProblemRefused  = "refused"   // the events could not be taken now: 503
)

// HandlerConfig is what the handler of webhooks is made of.
type HandlerConfig struct {
	// Secrets are the last parts of the URL that are good: one, or two while they are being changed.
	Secrets []string
	// Sources are the addresses that may post, a second lock; any if empty.
	Sources []netip.Prefix
	// TrustedProxies are those whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Receive takes the events of one webhook. It must return within the context's deadline, and an error only if the
	// sender is to send them again.
	Receive func(context.Context, []engine.Event) error
	// Pending says whether a call of ours to a user is pending; see [ParseWebhook]. It may be nil.
	Pending func(userDigits string) bool

	Logger    *slog.Logger      // silent if nil
	OnProblem func(kind string) // told of each webhook that is not answered with 200; may be nil
}

type handler struct {
	HandlerConfig
	secrets [][sha256.Size]byte
}

// NewHandler serves POST /webhooks/positus/{secret}, and nothing else. No secret and no body is ever logged.
func NewHandler(cfg HandlerConfig) http.Handler {
	h := &handler{HandlerConfig: cfg}
	if h.Logger == nil {
		h.Logger = slog.New(slog.DiscardHandler)
	}
	if h.OnProblem == nil {
		h.OnProblem = func(string) {}
	}
	for _, s := range cfg.Secrets {
		h.secrets = append(h.secrets, sha256.Sum256([]byte(s)))
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/positus/{secret}", h)
	return mux
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deadline := time.Now().Add(webhookTime)
	// The server reads what is left of a refused body too. A writer that knows no deadlines waits for no network either.
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(deadline)
	from := clientIP(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), h.TrustedProxies)
	if !h.knows(r.PathValue("secret")) {
		h.refuse(w, from, ProblemSecret, http.StatusNotFound, errors.New("the secret in the URL is wrong: compare it with CALLROUTER_WEBHOOK_SECRET"))
		return
	}
	if len(h.Sources) > 0 && !within(from, h.Sources) {
		h.refuse(w, from, ProblemSource, http.StatusForbidden, errors.New("the address is not among --webhook-sources; behind a proxy, set --trusted-proxies"))
		return
	}
	body, kind, err := readBody(w, r)
	if err != nil {
		status := http.StatusRequestTimeout
		if kind == ProblemTooLarge {
			status = http.StatusRequestEntityTooLarge
			_, _ = io.CopyN(io.Discard, r.Body, 4*MaxWebhook) // who sends all before listening would not hear why
		}
		h.refuse(w, from, kind, status, err)
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	events, err := ParseWebhook(body, h.Pending)
	if err != nil {
		h.refuse(w, from, ProblemNotJSON, http.StatusBadRequest, err)
		return
	}
	// What was read is kept even if the sender hangs up meanwhile: it may not send it again.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.Context()), deadline)
	defer cancel()
	if err := h.receive(ctx, events); err != nil {
		w.Header().Set("Retry-After", "1")
		h.refuse(w, from, ProblemRefused, http.StatusServiceUnavailable, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// knows compares digests, so that the time it takes tells nothing about the secrets, and looks at all of them.
func (h *handler) knows(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	found := 0
	for _, s := range h.secrets {
		found |= subtle.ConstantTimeCompare(sum[:], s[:])
	}
	return found == 1
}

// readBody reads a body of limited size. kind says what is wrong if there is an error.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, kind string, err error) {
	if r.ContentLength > MaxWebhook {
		return nil, ProblemTooLarge, fmt.Errorf("the body has %d bytes, more than %d", r.ContentLength, MaxWebhook)
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, MaxWebhook))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, ProblemTooLarge, fmt.Errorf("the body has more than %d bytes", MaxWebhook)
	case err != nil:
		return nil, ProblemSlow, fmt.Errorf("the body did not come whole and in time: %w", err)
	}
	return body, "", nil
}

// receive hands the events on and waits no longer than the context lasts.
func (h *handler) receive(ctx context.Context, events []engine.Event) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("receiving a webhook panicked: %v", p)
			}
		}()
		done <- h.Receive(ctx, events)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the events were not taken in time: %w", ctx.Err())
	}
}

// refuse answers with a status, and says why to the operator alone.
func (h *handler) refuse(w http.ResponseWriter, from netip.Addr, kind string, status int, why error) {
	h.OnProblem(kind)
	h.Logger.Warn("webhook refused", "status", status, "reason", kind, "source", from.String(), "error", why.Error())
	http.Error(w, http.StatusText(status), status)
}
