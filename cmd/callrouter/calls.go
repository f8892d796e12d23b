package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/console"
)

type callsCmd struct {
	List   callsListCmd   `cmd:"" help:"List calls, newest first."`
	Show   callsShowCmd   `cmd:"" help:"Tell the whole story of one call, and why it went as it did."`
	Export callsExportCmd `cmd:"" help:"Write the records of calls as JSON lines, oldest first, with all that is needed to decide them again."`
	HangUp callsHangUpCmd `cmd:"" name:"hang-up" help:"Hang up an active call."`
	Stale  callsStaleCmd  `cmd:"" help:"Show what the sweep would do now with calls that it finds stuck, and why."`
}

// apiCall is the record of a call as the router shows it. What does not apply is nil.
type apiCall struct{ console.Record }

const callsPath = "/api/v1/calls"

func callPath(id string) string { return callsPath + "/" + url.PathEscape(id) }

// callFilter selects calls.
type callFilter struct {
	State   string `placeholder:"STATE" help:"received, deciding, waiting, offered, accepting, rejecting, active or ended."`
	Outcome string `placeholder:"OUTCOME" help:"answered, rejected, abandoned, timed_out, failed or reaped."`
	Since   string `placeholder:"TIME|DURATION" help:"Received since then: 2h (ago), \"2026-11-23 22:15\", 2026-11-23 (its start)."`
	Caller  string `placeholder:"PHONE|id:USER_ID" help:"Calls of this caller."`
}

// query is the path that lists the calls that are selected.
func (f *callFilter) query(limit int, order string) string {
	q := url.Values{}
	for name, v := range map[string]string{"state": f.State, "outcome": f.Outcome, "since": f.Since, "caller": f.Caller, "order": order} {
		if v != "" {
			q.Set(name, v)
		}
	}
	q.Set("limit", strconv.Itoa(limit))
	return callsPath + "?" + q.Encode()
}

type callsListCmd struct {
	serverFlags
	callFilter
	Limit int `default:"100" help:"How many at most."`
}

func (c *callsListCmd) Run(env *environment) error {
	var reply struct{ Calls []apiCall }
	return c.show(env, http.MethodGet, c.query(c.Limit, "newest"), nil, &reply, func() error {
		loc, err := c.zone(env)
		if err != nil {
			return err
		}
		rows := [][]string{{"RECEIVED", "FROM", "TO", "OUTCOME", "AGENT", "DECISION", "BY", "CALL"}}
		for _, call := range reply.Calls {
			agent := ""
			if call.Agent != nil {
				agent = *call.Agent
			}
			rows = append(rows, []string{
				report.Moment(&call.ReceivedAt, loc), report.Caller(&call.Record), call.Number, report.End(&call.Record), report.OrDash(agent), report.OrDash(report.Decision(&call.Record)),
				report.OrDash(report.DecidedBy(&call.Record)), call.Key,
			})
		}
		if err := report.Table(env.stdout, rows); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "%s; times are in %s\n", report.Plural(len(reply.Calls), "call"), loc)
		if len(reply.Calls) == c.Limit {
			fmt.Fprintf(env.stdout, "there may be more: --limit is %d\n", c.Limit)
		}
		return nil
	})
}

type callsShowCmd struct {
	serverFlags
	Call string `arg:"" help:"The call: what \"calls list\" and the log call it, or WhatsApp's own id."`
}

func (c *callsShowCmd) Run(env *environment) error {
	var call apiCall
	return c.show(env, http.MethodGet, callPath(c.Call), nil, &call, func() error {
		loc, err := c.zone(env)
		if err != nil {
			return err
		}
		return report.Story(env.stdout, &call.Record, loc)
	})
}

type callsHangUpCmd struct {
	serverFlags
	Call string `arg:"" help:"The call: what \"calls list\" and the log call it, or WhatsApp's own id."`
}

func (c *callsHangUpCmd) Run(env *environment) error {
	var reply struct{ ID string }
	return c.show(env, http.MethodPost, callPath(c.Call)+"/hang-up", nil, &reply, func() error {
		_, err := fmt.Fprintln(env.stdout, "hung up")
		return err
	})
}

type callsStaleCmd struct {
	serverFlags
}

func (c *callsStaleCmd) Run(env *environment) error {
	var reply struct {
		Calls []struct {
			apiCall
			Do  string `json:"do"`
			Why string `json:"why"` // the sweep would
		}
	}
	return c.show(env, http.MethodGet, callsPath+"/stale", nil, &reply, func() error {
		if len(reply.Calls) == 0 {
			_, err := fmt.Fprintln(env.stdout, "nothing is stale: the sweep would do nothing")
			return err
		}
		loc, err := c.zone(env)
		if err != nil {
			return err
		}
		rows := [][]string{{"RECEIVED", "FROM", "STATE", "SWEEP WOULD", "WHY", "CALL"}}
		for _, call := range reply.Calls {
			rows = append(rows, []string{
				report.Moment(&call.ReceivedAt, loc), report.Caller(&call.Record), string(call.State), call.Do, call.Why, call.Key,
			})
		}
		return report.Table(env.stdout, rows)
	})
}
