package rules

import (
	"time"

	"callrouter/rules/internal/condition"
)

// Action is what is done with a call.
type Action string

// The actions.
const (
	Accept  Action = "accept"
	Reject  Action = "reject"
	Handoff Action = "handoff"
)

// By says what decided.
type By string

// What can decide.
const (
	ByRule    By = "rule"
	ByDefault By = "default"
	ByOnError By = "on_error"
)

// Decision is what the rules say about one call at one instant.
type Decision struct {
	Action  Action
	By      By
	Rule    string        // name of the rule; empty for default and on_error
	Index   int           // of the rule; the number of rules for default and on_error
	Queue   string        // of a handoff
	Answer  string        // of an accept
	Message string        // of a reject: the message to send, if any
	Ring    time.Duration // of a handoff: how long one agent's phone rings
	Wait    time.Duration // of a handoff: how long to wait, in total, while nobody can be rung
	Err     error         // why on_error
}

// Default is the decision when no rule decides.
func (f *File) Default() Decision { return f.fallback }

// OnError is the decision when the rules cannot be evaluated: the file's on_error, or its default's action where
// on_error is left out. It is by on_error in both cases, and holds err.
func (f *File) OnError(err error) Decision {
	d := f.onError
	d.Err = err
	return d
}

// Result is what became of a rule that was looked at.
type Result string

// The results.
const (
	Decided  Result = "decided"
	NoMatch  Result = "no_match"
	Skipped  Result = "skipped"   // its `on` leaves the number out
	PassedOn Result = "passed_on" // it decided, and its action could not be carried out
	Errored  Result = "error"
)

// Words returns the result as the verb of a sentence about the rule.
func (r Result) Words() string {
	switch r {
	case Decided:
		return "decided"
	case NoMatch:
		return "did not hold"
	case Skipped:
		return "was skipped"
	case PassedOn:
		return "was passed on"
	}
	return "failed"
}

// Trace is what became of one rule that was looked at, why, and the values that its condition read.
type Trace struct {
	Rule   string `json:"rule"`
	Line   int    `json:"line"`
	Result Result `json:"result"`
	Why    string `json:"why"`
	// by the text of the condition's part; nil only as [File.DecideTold] returns it
	Values map[string]any `json:"values"`
	At     time.Time      `json:"at"`
	// Evaluation numbers the evaluations of a call of the record, from 1 on: a cascade has several. 0 in a dry run, and
	// in records of before there were numbers.
	Evaluation int `json:"evaluation,omitempty"`
}

// Observer is called with what a part of a condition came to, whenever an explained evaluation looks at it.
type Observer func(part *condition.Condition, t Truth)
