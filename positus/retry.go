package positus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"callrouter/engine"
)

// kind is a kind of request: the last part of its path, where it is about a call.
type kind string

const (
	accept      kind = "accept"
	reject      kind = "reject"
	hangUp      kind = "hang-up"
	makeCall    kind = "make"
	permissions kind = "call-permissions"
	message     kind = "message"
)

// repeatable reports whether doing it twice is the same as doing it once.
func (k kind) repeatable() bool { return k != makeCall && k != message }

// aboutCall reports whether it acts on a call that exists.
func (k kind) aboutCall() bool { return k == accept || k == reject || k == hangUp }

const (
	firstPause     = 200 * time.Millisecond
	longestPause   = 3 * time.Second
	leastAttempt   = 250 * time.Millisecond // with less time left there is no attempt
	withoutEnd     = 10 * time.Second       // for a context without a deadline
	breakerWindow  = 10 * time.Second
	breakerLeast   = 8   // attempts in the window before the breaker can open
	breakerFailing = 0.5 // share of failed attempts that opens the breaker
	breakerPause   = 2 * time.Second
)

type breaker = circuitbreaker.CircuitBreaker[any]

// breakers makes one for each kind of request, so that failing accepts never block hang-ups.
func breakers(log *slog.Logger) map[kind]breaker {
	m := map[kind]breaker{}
	for _, k := range []kind{accept, reject, hangUp, makeCall, permissions, message} {
		m[k] = circuitbreaker.NewBuilder[any]().
			WithFailureRateThreshold(breakerFailing, breakerLeast, breakerWindow).
			WithSuccessThreshold(1).
			WithDelay(breakerPause).
			OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
				log.Warn("positus circuit breaker", "request", string(k), "state", e.NewState.String())
			}).
			Build()
	}
	return m
}

// openBreaker returns the outcome of an attempt that the breaker forbids.
func openBreaker(k kind, b breaker) *outcome {
	return &outcome{
		again:  true,
		unsent: true,
		after:  b.RemainingDelay(),
		err: failure(k, engine.Unavailable, "nothing was sent, because too many requests of this kind failed just now "+
			"(the circuit breaker is open): check the status of Positus", nil),
	}
}

// retryPolicy repeats what an outcome marks with retry, after the outcome's wait.
func retryPolicy() retrypolicy.RetryPolicy[*outcome] {
	return retrypolicy.NewBuilder[*outcome]().
		HandleIf(func(o *outcome, _ error) bool { return o != nil && o.retry }).
		WithMaxRetries(-1).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[*outcome]) time.Duration { return e.LastResult().wait }).
		Build()
}

// do sends a request until it has a definite response, or repeating could do harm, or there is no time left. It returns
// the body of the response.
func (c *Client) do(ctx context.Context, r request) ([]byte, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, withoutEnd)
		defer cancel()
	}
	payload, err := r.payload()
	if err != nil {
		return nil, failure(r.kind, engine.Refused, "the request could not be written as JSON, and nothing was sent",
			err)
	}
	var last *outcome // the executor drops the outcome if the context ends meanwhile
	var unsure, once, sent bool
	_, _ = c.retry.WithContext(ctx).GetWithExecution(func(e failsafe.Execution[*outcome]) (*outcome, error) {
		o := c.try(ctx, r, payload)
		sent = sent || !o.unsent
		if o.err != nil {
			o.err.Repeated, o.err.Unsent = unsure, !sent
			if o.either && unsure && r.kind == accept {
				// WhatsApp says "already In Progress/Completed/Failed" in one breath (Meta: user-initiated calls).
				// After an accept whose response was lost, it is that accept which is in progress.
				o.err.Kind = engine.InProgress
			}
			if o.err.Kind == engine.NotFound && unsure { // an address that was good a moment ago
				o.err.Kind = engine.Gone
			}
			o.again = o.again && !(o.once && once)
			plan(ctx, o, e.Attempts())
			c.log.LogAttrs(ctx, slog.LevelInfo, "positus request failed", slog.String("request", string(r.kind)), r.log,
				slog.Int("attempt", e.Attempts()), slog.Bool("again", o.retry), slog.String("error", o.err.Error()))
		}
		unsure, once, last = unsure || o.unsure, once || o.once, o
		return o, nil
	})
	switch {
	case last == nil:
		e := failure(r.kind, engine.Unavailable,
			"there was no time left, and nothing was sent: if this repeats, check the network and the load", ctx.Err())
		e.Unsent = true
		return nil, e
	case last.err != nil:
		return nil, last.err
	}
	return last.body, nil
}

func (r request) payload() ([]byte, error) {
	if r.body == nil {
		return nil, nil
	}
	return encode(r.body)
}

// plan decides whether there is another attempt, and how long to wait before it.
func plan(ctx context.Context, o *outcome, attempts int) {
	if !o.again {
		return
	}
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline) - leastAttempt
	wait := max(pause(attempts), o.after)
	if o.after > left {
		o.err.Message += fmt.Sprintf("; the next attempt may be in %s, and there is no time left for it",
			o.after.Round(time.Millisecond))
		return
	}
	if wait > left {
		o.err.Message += fmt.Sprintf("; given up after %d attempts, there is no time left", attempts)
		return
	}
	if o.after > 0 {
		// Positus may have told many clients to come back at the same instant: spread them.
		wait = min(wait+rand.N(min(o.after/4, 500*time.Millisecond)+1), left)
	}
	o.wait, o.retry = wait, true
}

// pause returns the jittered pause after so many attempts: between half and all of a time that doubles.
func pause(attempts int) time.Duration {
	d := longestPause
	if attempts < 6 { // doubled five times, 200 ms is more than the longest
		d = min(firstPause<<(attempts-1), longestPause)
	}
	return d/2 + rand.N(d/2+1)
}

// retryAfter reads the header of that name: seconds or an HTTP date (RFC 9110). It returns -1 for anything else.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseUint(v, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	return -1
}
