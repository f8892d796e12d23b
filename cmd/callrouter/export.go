package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// maxExported is how many calls one answer of the router holds at most.
const maxExported = 10_000

type callsExportCmd struct {
	serverFlags
	callFilter
	Limit int `default:"10000" help:"How many at most, the newest."`
}

// exportFormat is the version of the lines. Fields are added without a new one.
const exportFormat = 1

// exportedCall is one line of an export: all that a decision was made of, and what came of it.
type exportedCall struct {
	Format       int                  `json:"format"`
	ID           string               `json:"id"`
	Key          string               `json:"key"`
	Caller       exportedCaller       `json:"caller"`
	Number       string               `json:"number"`
	Payload      string               `json:"payload"`
	ReceivedAt   time.Time            `json:"received_at"`
	Timestamp    time.Time            `json:"timestamp"`
	RulesVersion string               `json:"rules_version"`
	Timezone     string               `json:"timezone"`
	Facts        []engine.FactRecord  `json:"facts"` // one for each evaluation that asked the store, by its instant
	Trace        []rules.Trace        `json:"trace"` // one for each rule that was looked at, with its instant and the values read
	Decision     exportedDecision     `json:"decision"`
	Outcome      *engine.Outcome      `json:"outcome"` // null: the call goes on
	Why          string               `json:"why"`
	Offers       []engine.Offer       `json:"offers"`
	Transitions  []engine.Transition  `json:"transitions"`
	Message      *engine.MessageState `json:"message"`
}

type exportedCaller struct {
	Number   string `json:"number"` // normal form; empty if withheld
	ID       string `json:"id"`
	Name     string `json:"name"`
	Received string `json:"received"` // as the webhook had it
}

type exportedDecision struct {
	Action  *rules.Action `json:"action"`
	By      *rules.By     `json:"by"`
	Rule    *string       `json:"rule"`
	Queue   *string       `json:"queue"`
	Answer  *string       `json:"answer"`
	Message *string       `json:"message"` // its name
}

func (c *callsExportCmd) Run(env *environment) error {
	if c.Limit < 1 || c.Limit > maxExported {
		return usage("--limit %d is not a number from 1 to %d", c.Limit, maxExported)
	}
	var reply struct{ Calls []apiCall }
	if err := c.call(env, http.MethodGet, c.query(c.Limit), nil, &reply); err != nil {
		return err
	}
	loc, err := c.zone(env)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(env.stdout)
	enc.SetEscapeHTML(false)
	for _, call := range slices.Backward(reply.Calls) {
		if err := enc.Encode(export(call, loc)); err != nil {
			return err
		}
	}
	if len(reply.Calls) == c.Limit {
		fmt.Fprintf(env.stderr, "callrouter: only the newest %d calls were written, there may be older ones; export more often, or select with --caller, --state or --outcome\n", c.Limit)
	}
	return nil
}

func export(c apiCall, loc *time.Location) exportedCall {
	line := exportedCall{
		Format: exportFormat, ID: c.ID, Key: c.Key, Number: c.Number, Payload: c.Payload,
		Caller:     exportedCaller{Number: c.From, ID: c.UserID, Name: c.Name, Received: c.FromReceived},
		ReceivedAt: c.ReceivedAt, Timestamp: c.Timestamp, RulesVersion: c.RulesVersion, Timezone: loc.String(),
		Facts: c.Facts, Trace: c.Trace,
		Decision: exportedDecision{Action: c.Action, By: c.By, Rule: c.Rule, Queue: c.Queue, Answer: c.Answer},
		Outcome:  c.Outcome, Why: c.Why, Offers: c.Offers, Transitions: c.Transitions, Message: c.Message,
	}
	if c.Message != nil {
		line.Decision.Message = &c.Message.Name
	}
	return line
}
