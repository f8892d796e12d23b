package console

import (
	"context"
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

// records are calls as they are shown.
func (a *api) records(ctx context.Context, calls []*engine.Call) ([]Record, error) {
	all := make([]Record, 0, len(calls))
	for _, c := range calls {
		if err := ctx.Err(); err != nil { // telling why takes a while where there are many rules
			return nil, err
		}
		r, err := a.record(ctx, c)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
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
