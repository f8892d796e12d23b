package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// How many records are in one response: the most, and without a limit.
const (
	maxCalls     = 10_000
	defaultCalls = 100
)

// Calls is the reply of GET /api/v1/calls.
type Calls struct {
	Calls []Record `json:"calls"`
	// Next is the cursor parameter of a request for what follows; empty: these are the last.
	Next string `json:"next,omitempty"`
}

func (a *api) listCalls(w http.ResponseWriter, r *http.Request, _ identity) error {
	f, err := a.filter(r.Context(), r.URL.Query())
	if err != nil {
		return err
	}
	limit := f.Limit
	f.Limit++ // one more tells whether anything follows
	calls, err := a.Store.List(r.Context(), f)
	if err != nil {
		return err
	}
	next := ""
	if len(calls) > limit {
		calls = calls[:limit]
		next = cursorText(calls[limit-1].Cursor())
	}
	return a.writeCalls(w, r, calls, next)
}

// filter reads the parameters of a list of calls. A misspelt one must not select everything.
func (a *api) filter(ctx context.Context, q url.Values) (engine.Filter, error) {
	f := engine.Filter{Limit: defaultCalls}
	for name := range q {
		v := q.Get(name)
		if v == "" &&
			slices.Contains([]string{"state", "outcome", "since", "caller", "order", "limit", "cursor"}, name) {
			continue
		}
		var err error
		switch name {
		case "state":
			f.State, err = oneOf(name, engine.State(v), engine.Received, engine.Deciding, engine.Waiting,
				engine.Offered, engine.Accepting, engine.Rejecting, engine.Active, engine.Ended)
		case "outcome":
			f.Outcome, err = oneOf(name, engine.Outcome(v), engine.Answered, engine.Rejected, engine.Abandoned,
				engine.TimedOut, engine.Failed, engine.Reaped)
		case "since":
			if f.Since, err = a.instant(plus(v), a.Now(), -1); err != nil {
				err = invalid("invalid_since", "since: %s", err)
			}
		case "caller":
			f.Caller, err = a.caller(ctx, plus(v))
		case "order":
			if _, err = oneOf(name, v, "newest", "oldest"); err == nil {
				f.Oldest = v == "oldest"
			}
		case "limit":
			f.Limit, err = strconv.Atoi(v)
			if err != nil || f.Limit < 1 || f.Limit > maxCalls {
				err = invalid("invalid_limit", "limit %q is not a number from 1 to %d", v, maxCalls)
			}
		case "cursor":
			f.After, err = readCursor(v)
		default:
			err = invalid("unknown_parameter",
				"unknown parameter %q; use state, outcome, since, caller, order, limit or cursor", name)
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// cursorText returns a cursor as clients see it.
func cursorText(c engine.Cursor) string { return fmt.Sprintf("%d-%s", c.Received.UnixNano(), c.Key) }

func readCursor(v string) (engine.Cursor, error) {
	at, key, _ := strings.Cut(v, "-")
	nanos, err := strconv.ParseInt(at, 10, 64)
	if err != nil || len(key) != len(engine.Key("")) {
		return engine.Cursor{}, invalid("invalid_cursor",
			"cursor %q is not one; send the \"next\" of the last response as it is, with its other parameters", v)
	}
	return engine.Cursor{Received: time.Unix(0, nanos), Key: key}, nil
}

// caller is the key of a caller, however the number is written. One that is not valid, or could be of two countries, is
// refused, unless somebody has called with it.
func (a *api) caller(ctx context.Context, written string) (string, error) {
	key, perr := rules.ParseEntry(written)
	if perr == nil {
		return key, nil
	}
	if c := rules.NewCaller(written, "", ""); c.Number != "" {
		calls, err := a.Store.List(ctx, engine.Filter{Caller: c.Key(), Limit: 1})
		if err != nil || len(calls) > 0 {
			return c.Key(), err
		}
	}
	return "", invalid("invalid_caller", "caller: %s (a caller without a number: id:USER_ID)", perr)
}

// plus puts back a "+" that was not escaped in a query, and so was read as a space: at the start of a number, or before
// the offset of an RFC 3339 time.
func plus(v string) string {
	if strings.HasPrefix(v, " ") || strings.Contains(v, "T") {
		return strings.Replace(v, " ", "+", 1)
	}
	return v
}

func oneOf[T ~string](name string, v T, allowed ...T) (T, error) {
	if slices.Contains(allowed, v) {
		return v, nil
	}
	names := namesOf(allowed, func(x T) string { return string(x) })
	return "", invalid("invalid_"+name, "unknown %s %q; use one of %s", name, v, strings.Join(names, ", "))
}

// call finds the call that a path names, by the platform's id, or by the key that logs show.
func (a *api) call(ctx context.Context, id string) (*engine.Call, error) {
	c, err := a.Store.Get(ctx, engine.Key(id))
	if errors.Is(err, engine.ErrNotFound) && len(id) == len(engine.Key("")) {
		c, err = a.Store.Get(ctx, id)
	}
	if errors.Is(err, engine.ErrNotFound) {
		return nil, noSuchCall()
	}
	return c, err
}

func noSuchCall() error {
	return problem(http.StatusNotFound, "unknown_call",
		"no such call; percent-escape ids in paths, and note that records are deleted after --retention")
}

func (a *api) getCall(w http.ResponseWriter, r *http.Request, _ identity) error {
	c, err := a.call(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	record, err := a.record(r.Context(), c)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, record)
}

// StaleCalls is the reply of GET /api/v1/calls/stale.
type StaleCalls struct {
	Calls []StaleCall `json:"calls"`
}

// StaleCall is a call that the sweep finds stuck, and what it would do with it.
type StaleCall struct {
	Do  string `json:"do"`
	Why string `json:"why"` // it would; goes before the record's own, which is about outcomes
	Record
}

func (a *api) staleCalls(w http.ResponseWriter, r *http.Request, _ identity) error {
	verdicts, err := a.Engine.Stale(r.Context())
	if err != nil {
		return err
	}
	stale := make([]StaleCall, 0, len(verdicts))
	for _, v := range verdicts {
		stale = append(stale, StaleCall{Do: v.Do, Why: v.Why, Record: newRecord(v.Call)})
	}
	return reply(w, http.StatusOK, StaleCalls{stale})
}

// HungUp is the reply of a hang-up that Positus has confirmed.
type HungUp struct {
	ID    string       `json:"id"`
	State engine.State `json:"state"`
}

// HangUpRequest is the optional body of a hang-up.
type HangUpRequest struct {
	Reason string `json:"reason,omitempty"` // agent, tab_closed or no_audio; noted in the record
}

// hangUp ends an active call: any for the administrator, only their own for agents.
func (a *api) hangUp(w http.ResponseWriter, r *http.Request, who identity) error {
	id := r.PathValue("id")
	var err error
	var body HangUpRequest
	if _, err := readOptional(w, r, bodyLimit, &body, "reason"); err != nil {
		return err
	}
	if _, err := oneOf("reason", body.Reason, "", "agent", "tab_closed", "no_audio"); err != nil {
		return err
	}
	if body.Reason == "agent" { // the record says so anyway
		body.Reason = ""
	}
	if who.agent != "" {
		err = a.Engine.HangUpOwn(r.Context(), who.agent, id, body.Reason)
	}
	if who.agent == "" || errors.Is(err, engine.ErrNotFound) && who.alsoAdmin {
		var c *engine.Call
		if c, err = a.call(r.Context(), id); err != nil {
			return err
		}
		id = c.ID
		err = a.Engine.HangUp(r.Context(), id, "the administrator")
	}
	return a.hungUp(w, id, err)
}

// hungUp writes the result of a hang-up.
func (a *api) hungUp(w http.ResponseWriter, id string, err error) error {
	var pe *engine.ProviderError
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return noSuchCall()
	case errors.Is(err, engine.ErrNotActive):
		return problem(http.StatusConflict, "not_active",
			"only an active call can be hung up; this one has not been answered yet or has ended")
	case errors.As(err, &pe):
		return problem(http.StatusBadGateway, "positus_"+string(pe.Kind), "Positus has not confirmed the hang-up, "+
			"so the call may still be going on; callrouter keeps trying. "+pe.Error())
	case err != nil:
		return err
	}
	return reply(w, http.StatusOK, HungUp{ID: id, State: engine.Ended})
}
