package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"callrouter/console"
	"callrouter/console/client"
	"callrouter/engine"
	"callrouter/rules"
)

const (
	exportPage = 1000   // calls in one request
	maxCalls   = 10_000 // that the router lists in one response
)

type callsExportCmd struct {
	serverFlags
	callFilter
	Limit int `placeholder:"N" help:"Only the newest N, up to 10000. Default: all."`
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
	Trace        []rules.Trace        `json:"trace"` // one for each rule looked at: its instant and the values read
	Decision     exportedDecision     `json:"decision"`
	Outcome      *engine.Outcome      `json:"outcome"` // null: the call goes on
	Why          string               `json:"why"`
	Offers       []engine.Offer       `json:"offers"`
	Transitions  []engine.Transition  `json:"transitions"`
	Message      *engine.MessageState `json:"message"`
}

type exportedCaller struct {
	Number   string `json:"number"` // normal form; empty if report.Withheld
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

// Run writes the calls, the oldest first.
func (c *callsExportCmd) Run(env *environment) error {
	if c.Limit < 0 || c.Limit > maxCalls {
		return usage("--limit %d is not between 1 and %d; omit it to export all", c.Limit, maxCalls)
	}
	loc, err := c.zone(env)
	if err != nil {
		return err
	}
	api, err := c.connect(env, nil)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(env.stdout)
	enc.SetEscapeHTML(false)
	write := func(calls []console.Record) error {
		for _, call := range calls {
			if err := enc.Encode(export(call, loc)); err != nil {
				return err
			}
		}
		return nil
	}
	if c.Limit == 0 {
		return c.explain(c.pages(env.ctx, api, write))
	}
	f := c.filter()
	f.Limit = c.Limit
	calls, err := api.Calls(env.ctx, f)
	if err != nil {
		return c.explain(err)
	}
	slices.Reverse(calls)
	return write(calls)
}

// pages reads all calls, page by page.
func (c *callsExportCmd) pages(ctx context.Context, api *client.Client, write func([]console.Record) error) error {
	f := c.filter()
	f.Limit, f.Oldest = exportPage, true
	for {
		page, err := api.CallPage(ctx, f)
		if err == nil {
			err = write(page.Calls)
		}
		if err != nil || page.Next == "" {
			return err
		}
		f.Cursor = page.Next
	}
}

func export(c console.Record, loc *time.Location) exportedCall {
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
