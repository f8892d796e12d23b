package console

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// Record is a call as it is shown. It never holds an SDP, because an SDP carries addresses and keys of a call that may
// be going on. What does not apply, or is not known yet, is null.
type Record struct {
	ID           string               `json:"id"`
	Key          string               `json:"key"` // under which logs know it
	State        engine.State         `json:"state"`
	Outcome      *engine.Outcome      `json:"outcome"`
	Why          string               `json:"why"`
	Action       *rules.Action        `json:"action"`
	Rule         *string              `json:"rule"`
	By           *rules.By            `json:"by"`
	Queue        *string              `json:"queue"`
	Answer       *string              `json:"answer"`
	Agent        *string              `json:"agent"`
	Message      *engine.MessageState `json:"message"`
	From         string               `json:"from"` // normal form, empty if withheld
	FromReceived string               `json:"from_received"`
	UserID       string               `json:"user_id"`
	Name         string               `json:"name"`
	Number       string               `json:"number"`
	Payload      string               `json:"payload"`
	RulesVersion string               `json:"rules_version"`
	ReceivedAt   time.Time            `json:"received_at"`
	Timestamp    time.Time            `json:"timestamp"`
	Deadline     time.Time            `json:"deadline"`
	ActiveAt     *time.Time           `json:"active_at"`
	EndedAt      *time.Time           `json:"ended_at"`
	CallerEnd    *engine.CallerEnd    `json:"caller_end"`
	HangUp       *engine.HangUp       `json:"hang_up"`
	Offers       []engine.Offer       `json:"offers"`
	Trace        []rules.Trace        `json:"trace"`
	Facts        []engine.FactRecord  `json:"facts"`
	Transitions  []engine.Transition  `json:"transitions"`
}

func newRecord(c *engine.Call) Record {
	return Record{
		ID: c.ID, Key: c.Key(), State: c.State, Outcome: orNull(c.Outcome), Why: c.Why,
		Action: orNull(c.Action), Rule: orNull(c.Rule), By: orNull(c.By),
		Queue: orNull(c.Queue), Answer: orNull(c.Answer), Agent: orNull(c.Agent), Message: c.Message,
		From: numberOf(c), FromReceived: c.From, UserID: c.UserID, Name: c.Name, Number: c.Number, Payload: c.Payload,
		RulesVersion: c.RulesVersion, ReceivedAt: c.ReceivedAt, Timestamp: c.Timestamp, Deadline: c.Deadline,
		ActiveAt: orNull(c.ActiveAt), EndedAt: orNull(c.EndedAt), CallerEnd: c.CallerEnd, HangUp: c.HangUp,
		Offers: notNil(c.Offers), Trace: notNil(c.Trace), Facts: notNil(c.Facts), Transitions: notNil(c.Transitions),
	}
}

// record is a call as it is shown, with all that can be told of its rules.
func (a *api) record(ctx context.Context, c *engine.Call) (Record, error) {
	trace, err := a.Engine.Explain(ctx, c)
	r := newRecord(c)
	r.Trace = notNil(trace)
	return r, err
}

// writeCalls writes the reply of a list of calls, record by record: with very many rules one alone may have megabytes,
// and a list has thousands. An error before the first record is returned. Behind it the connection is cut, so that nobody
// takes a part of the list for the whole.
func (a *api) writeCalls(w http.ResponseWriter, r *http.Request, calls []*engine.Call, next string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteString(`{"calls":[`)
	for i, c := range calls {
		err := r.Context().Err() // telling why takes a while where there are many rules
		if i > 0 {
			b.WriteByte(',')
		}
		if err == nil {
			var rec Record
			if rec, err = a.record(r.Context(), c); err == nil {
				err = enc.Encode(rec)
			}
		}
		switch {
		case err != nil && i == 0:
			return err
		case err != nil:
			a.Logger.Warn("a list of calls could not be written to its end, so the connection was cut; ask again",
				"calls", len(calls), "written", i, "error", err)
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b.Bytes())
		b.Reset()
	}
	w.Header().Set("Content-Type", "application/json")
	b.WriteByte(']')
	if next != "" {
		b.WriteString(`,"next":`)
		if err := enc.Encode(next); err != nil {
			return err
		}
	}
	b.WriteString("}\n")
	_, _ = w.Write(b.Bytes())
	return nil
}

// numberOf is the caller's number in normal form, or "".
func numberOf(c *engine.Call) string { return rules.NewCaller(c.From, c.UserID, c.Name).Number }

// notNil makes an empty list [] in JSON.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
