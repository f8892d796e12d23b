package main

import (
	"context"
	"fmt"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/console"
	"callrouter/console/client"
)

type callsCmd struct {
	List   callsListCmd   `cmd:"" help:"List calls, newest first."`
	Show   callsShowCmd   `cmd:"" help:"Show one call from start to end, and why it went that way."`
	Export callsExportCmd `cmd:"" help:"Export call records as JSON lines, oldest first, with everything needed to decide them again."`
	HangUp callsHangUpCmd `cmd:"" name:"hang-up" help:"Hang up an active call."`
	Stale  callsStaleCmd  `cmd:"" help:"Show which calls are stuck, and what the sweep would do with each and why."`
}

// callFilter selects calls.
type callFilter struct {
	State   string `placeholder:"STATE" help:"received, deciding, waiting, offered, accepting, rejecting, active or ended."`
	Outcome string `placeholder:"OUTCOME" help:"answered, rejected, abandoned, timed_out, failed or reaped."`
	Since   string `placeholder:"TIME|DURATION" help:"Received since then: 2h (ago), \"2026-11-23 22:15\", 2026-11-23 (its start)."`
	Caller  string `placeholder:"PHONE|id:USER_ID" help:"Calls of this caller."`
}

func (f *callFilter) filter() client.Filter {
	return client.Filter{State: f.State, Outcome: f.Outcome, Since: f.Since, Caller: f.Caller}
}

type callsListCmd struct {
	serverFlags
	callFilter
	Limit int `default:"100" help:"How many at most."`
}

func (c *callsListCmd) Run(env *environment) error {
	if c.Limit < 1 || c.Limit > maxCalls {
		return usage("--limit %d is not between 1 and %d", c.Limit, maxCalls)
	}
	list := func(api *client.Client, ctx context.Context) ([]console.Record, error) {
		f := c.filter()
		f.Limit = c.Limit
		return api.Calls(ctx, f)
	}
	return show(&c.serverFlags, env, list, func(calls []console.Record) error { return c.print(env, calls) })
}

func (c *callsListCmd) print(env *environment, calls []console.Record) error {
	loc, err := c.zone(env)
	if err != nil {
		return err
	}
	rows := [][]string{{"RECEIVED", "FROM", "TO", "OUTCOME", "AGENT", "DECISION", "BY", "CALL"}}
	for _, call := range calls {
		agent := ""
		if call.Agent != nil {
			agent = *call.Agent
		}
		rows = append(rows, []string{
			report.Moment(&call.ReceivedAt, loc), report.Caller(&call), call.Number, report.End(&call),
			report.OrDash(agent), report.OrDash(report.Decision(&call)), report.OrDash(report.DecidedBy(&call)),
			call.Key,
		})
	}
	if err := report.Table(env.stdout, rows); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "%s; times are in %s\n", report.Plural(len(calls), "call"), loc)
	if len(calls) == c.Limit {
		fmt.Fprintf(env.stdout, "there may be more: --limit is %d\n", c.Limit)
	}
	return nil
}

type callsShowCmd struct {
	serverFlags
	Call string `arg:"" help:"The call: its id in \"calls list\" and the log, or WhatsApp's id."`
}

func (c *callsShowCmd) Run(env *environment) error {
	read := func(api *client.Client, ctx context.Context) (console.Record, error) { return api.Call(ctx, c.Call) }
	return show(&c.serverFlags, env, read, func(call console.Record) error {
		loc, err := c.zone(env)
		if err != nil {
			return err
		}
		return report.Story(env.stdout, &call, loc)
	})
}

type callsHangUpCmd struct {
	serverFlags
	Call string `arg:"" help:"The call: its id in \"calls list\" and the log, or WhatsApp's id."`
}

func (c *callsHangUpCmd) Run(env *environment) error {
	hangUp := func(api *client.Client, ctx context.Context) (console.HungUp, error) { return api.HangUp(ctx, c.Call) }
	return show(&c.serverFlags, env, hangUp, func(console.HungUp) error {
		_, err := fmt.Fprintln(env.stdout, "hung up")
		return err
	})
}

type callsStaleCmd struct {
	serverFlags
}

func (c *callsStaleCmd) Run(env *environment) error {
	return show(&c.serverFlags, env, (*client.Client).Stale, func(calls []console.StaleCall) error {
		if len(calls) == 0 {
			_, err := fmt.Fprintln(env.stdout, "no call is stuck; the sweep would do nothing")
			return err
		}
		loc, err := c.zone(env)
		if err != nil {
			return err
		}
		rows := [][]string{{"RECEIVED", "FROM", "STATE", "SWEEP WOULD", "WHY", "CALL"}}
		for _, call := range calls {
			rows = append(rows, []string{
				report.Moment(&call.ReceivedAt, loc), report.Caller(&call.Record), string(call.State), call.Do,
				call.Why, call.Key,
			})
		}
		return report.Table(env.stdout, rows)
	})
}
