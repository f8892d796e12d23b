package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"callrouter/engine"
	"callrouter/rules"
)

const (
	direction = "in" // callrouter makes no calls yet

	ownCalls  = 24 * time.Hour // how far back an agent's own calls go
	ownLooked = 2000           // and how many calls of all agents are looked at for them
	ownLimit  = 200

	earlierTime  = 30 * 24 * time.Hour
	earlierLimit = 50

	noteLimit        = 2000 // characters
	dispositionLimit = 40
)

// MyCall is a call as the agent who was offered it sees it.
type MyCall struct {
	ID          string         `json:"id"`
	Key         string         `json:"key"`
	Direction   string         `json:"direction"`
	From        string         `json:"from"`
	Name        string         `json:"name"`
	Number      string         `json:"number"`
	Queue       string         `json:"queue"`
	Rule        string         `json:"rule"`
	ReceivedAt  time.Time      `json:"received_at"`
	ActiveAt    *time.Time     `json:"active_at"`
	EndedAt     *time.Time     `json:"ended_at"`
	Seconds     int            `json:"duration_s"`
	Result      string         `json:"result"` // answered, missed, declined or taken
	Outcome     engine.Outcome `json:"outcome"`
	By          engine.Side    `json:"by"` // who ended it
	Tab         string         `json:"tab"`
	Note        string         `json:"note"`
	Disposition string         `json:"disposition"`
}

// MyCalls is the reply of GET /api/v1/me/calls.
type MyCalls struct {
	Calls []MyCall `json:"calls"` // newest first
}

// EarlierCalls is the reply of GET /api/v1/me/calls/{id}/earlier.
type EarlierCalls struct {
	Calls []EarlierCall `json:"calls"` // newest first
}

// NoteRequest is what an agent writes about a call.
type NoteRequest struct {
	Note        string `json:"note"`
	Disposition string `json:"disposition"`
}

// newMyCall returns a call as an agent sees it; ok is false for a call that the agent was never offered.
func newMyCall(c *engine.Call, agent string) (m MyCall, ok bool) {
	m = MyCall{
		ID: c.ID, Key: c.Key(), Direction: direction, From: numberOf(c), Name: c.Name, Number: c.Number, Queue: c.Queue,
		Rule: c.Rule, ReceivedAt: c.ReceivedAt, ActiveAt: orNull(c.ActiveAt), EndedAt: orNull(c.EndedAt),
		Seconds: talkTime(c),
	}
	m.By, _ = c.EndedBy()
	if c.Agent == agent {
		m.Result, m.Outcome, m.Tab, m.Note, m.Disposition = "answered", c.Outcome, c.Tab, c.Note, c.Disposition
		return m, true
	}
	for _, o := range slices.Backward(c.Offers) {
		if o.Agent != agent {
			continue
		}
		switch o.Result {
		case "":
			return m, false // it rings
		case engine.OfferDeclined, engine.OfferTaken:
			m.Result = string(o.Result)
		default:
			m.Result = string(engine.OfferMissed)
		}
		return m, true
	}
	return m, false
}

// talkTime returns how long a call has been active, in seconds.
func talkTime(c *engine.Call) int {
	if c.ActiveAt.IsZero() || c.EndedAt.IsZero() {
		return 0
	}
	return int(c.EndedAt.Sub(c.ActiveAt).Round(time.Second).Seconds())
}

// myCalls lists the calls of the last day that the agent was offered.
func (a *api) myCalls(w http.ResponseWriter, r *http.Request, who identity) error {
	limit := defaultCalls
	if v := r.URL.Query().Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > ownLimit {
			return invalid("invalid_limit", "limit %q is not a number from 1 to %d", v, ownLimit)
		}
		limit = n
	}
	all, err := a.Store.List(r.Context(), engine.Filter{Since: a.Engine.Now().Add(-ownCalls), Limit: ownLooked})
	if err != nil {
		return err
	}
	mine := MyCalls{Calls: []MyCall{}}
	for _, c := range all {
		if m, ok := newMyCall(c, who.agent); ok && len(mine.Calls) < limit {
			mine.Calls = append(mine.Calls, m)
		}
	}
	return reply(w, http.StatusOK, mine)
}

// putNote keeps what an agent writes about an own call.
func (a *api) putNote(w http.ResponseWriter, r *http.Request, who identity) error {
	var body NoteRequest
	if err := read(w, r, bodyLimit, &body, "note, disposition"); err != nil {
		return err
	}
	if utf8.RuneCountInString(body.Note) > noteLimit || utf8.RuneCountInString(body.Disposition) > dispositionLimit {
		return invalid("too_long", "a note has up to %d characters, a disposition up to %d", noteLimit, dispositionLimit)
	}
	c, err := a.Engine.SetNote(r.Context(), who.agent, r.PathValue("id"), body.Note, body.Disposition)
	if err != nil {
		return ownError(err)
	}
	m, _ := newMyCall(c, who.agent)
	return reply(w, http.StatusOK, m)
}

// ownError is the response to an agent who may not do that with a call.
func ownError(err error) error {
	switch err {
	case engine.ErrNotFound:
		return noSuchCall()
	case engine.ErrEnded:
		return problem(http.StatusConflict, "too_late", "the call ended more than 24 hours ago; its note stays as it is")
	}
	return err
}

// earlierCalls lists what the caller of a call did before, for an agent who was offered it within a day.
func (a *api) earlierCalls(w http.ResponseWriter, r *http.Request, who identity) error {
	c, err := a.call(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	offered := slices.ContainsFunc(c.Offers, func(o engine.Offer) bool { return o.Agent == who.agent })
	if !offered || a.Engine.Now().Sub(c.ReceivedAt) > ownCalls {
		return noSuchCall()
	}
	calls, err := a.callsBefore(r.Context(), c)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, EarlierCalls{notNil(calls)})
}

// callsBefore returns the earlier calls of a caller, newest first, up to 50 of the last 30 days.
func (a *api) callsBefore(ctx context.Context, c *engine.Call) ([]EarlierCall, error) {
	if c.CallerKey == "" {
		return nil, nil
	}
	calls, err := a.Store.List(ctx, engine.Filter{
		Caller: c.CallerKey, Since: a.Engine.Now().Add(-earlierTime), Limit: earlierLimit + 1,
	})
	var before []EarlierCall
	for _, e := range calls {
		if e.ID == c.ID || e.ReceivedAt.After(c.ReceivedAt) || len(before) == earlierLimit {
			continue
		}
		one := EarlierCall{
			At: e.ReceivedAt, Queue: e.Queue, Rule: e.Rule, Outcome: e.Outcome, Seconds: talkTime(e), Note: e.Note,
		}
		if e.Agent != "" {
			one.Agent = a.nameOf(e.Agent)
		}
		before = append(before, one)
	}
	return before, err
}

// listed returns the lists that a caller is on: by entries of the file, and by those of the store that the rules
// asked about.
func (a *api) listed(c *engine.Call) []string {
	f, on := a.Engine.Rules(), []string{}
	for _, l := range f.Lists() {
		is := c.CallerKey != "" && f.OnList(l.Name, c.CallerKey, a.Engine.Clock.Wall())
		for _, facts := range c.Facts {
			is = is || facts.Listed[l.Name]
		}
		if is {
			on = append(on, l.Name)
		}
	}
	return on
}

// AudioRequest is what an agent's page measured of the audio of a call.
type AudioRequest struct {
	State     string  `json:"state"` // connected or lost
	Tab       string  `json:"tab"`
	ClickToMS int     `json:"click_to_audio_ms"`
	RTTMS     int     `json:"rtt_ms"`
	Loss      float64 `json:"loss"`
	JitterMS  int     `json:"jitter_ms"`
}

func (a *api) putAudio(w http.ResponseWriter, r *http.Request, who identity) error {
	var body AudioRequest
	if err := read(w, r, bodyLimit, &body, "state, tab, click_to_audio_ms, rtt_ms, loss, jitter_ms"); err != nil {
		return err
	}
	if body.State != "connected" && body.State != "lost" {
		return invalid("invalid_state", "unknown state %q of audio; use connected or lost", body.State)
	}
	err := a.Engine.SetAudio(r.Context(), who.agent, r.PathValue("id"), engine.AudioState{
		State: body.State, ClickToMS: body.ClickToMS, RTTMS: body.RTTMS, Loss: body.Loss, JitterMS: body.JitterMS,
	})
	if err != nil {
		return ownError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ringTime returns how long an offer rings in all, in seconds.
func ringTime(o engine.Offer) float64 { return o.RingsUntil.Sub(o.At).Seconds() }

// queuesOf returns the queues that an agent is in.
func queuesOf(f *rules.File, agent string) []string {
	in := []string{}
	for _, q := range f.Queues() {
		if slices.Contains(q.Agents, agent) {
			in = append(in, q.Name)
		}
	}
	return in
}
