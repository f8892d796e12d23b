package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"callrouter/cmd/callrouter/internal/report"
)

type agentsCmd struct {
	List  agentsListCmd  `cmd:"" help:"Show every agent: who is there, who is not and why, and how many calls they have."`
	Set   agentsSetCmd   `cmd:"" help:"Set an agent's status, or for some time their capacity."`
	Token agentsTokenCmd `cmd:"" help:"Make a new token for an agent. It is shown once and ends the one before."`
}

// apiAgent is an agent as the router shows it.
type apiAgent struct {
	Agent         string     `json:"agent"`
	Name          string     `json:"name"`
	Status        string     `json:"status"`
	Reason        string     `json:"reason"`
	Capacity      int        `json:"capacity"`
	CapacityUntil *time.Time `json:"capacity_until"`
	Held          []string   `json:"held"`
	WrapUpUntil   *time.Time `json:"wrap_up_until"`
	Missed        int        `json:"missed"`
}

type agentsListCmd struct {
	serverFlags
}

func (c *agentsListCmd) Run(env *environment) error {
	var reply struct{ Agents []apiAgent }
	return c.show(env, http.MethodGet, "/api/v1/agents", nil, &reply, func() error {
		return c.printAgents(env, reply.Agents)
	})
}

func (f *serverFlags) printAgents(env *environment, agents []apiAgent) error {
	loc, err := f.zone(env)
	if err != nil {
		return err
	}
	rows := [][]string{{"AGENT", "NAME", "STATUS", "CALLS", "CAPACITY", "MISSED", "WRAP-UP UNTIL"}}
	for _, a := range agents {
		status := a.Status
		if a.Reason != "" {
			status += " (" + a.Reason + ")"
		}
		capacity := strconv.Itoa(a.Capacity)
		if a.CapacityUntil != nil {
			capacity += " until " + report.Moment(a.CapacityUntil, loc)
		}
		rows = append(rows, []string{
			a.Agent, report.OrDash(a.Name), status, strconv.Itoa(len(a.Held)), capacity, strconv.Itoa(a.Missed), report.OrDash(report.Moment(a.WrapUpUntil, loc)),
		})
	}
	if err := report.Table(env.stdout, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "times are in %s\n", loc)
	return err
}

type agentsSetCmd struct {
	serverFlags
	Agent    string `arg:"" help:"The agent, by its name in the rules file."`
	Status   string `enum:",available,away" default:"" placeholder:"available|away" help:"Status; it holds until it is set again."`
	Reason   string `help:"Why the agent is away."`
	Capacity string `placeholder:"N|none" help:"Calls at a time instead of the rules file's; none takes it back."`
	Until    string `placeholder:"TIME|DURATION" help:"How long the capacity holds: 2h, 18:00, \"2026-11-23 22:15\"."`
}

func (c *agentsSetCmd) Run(env *environment) error {
	body := map[string]any{}
	if c.Status != "" {
		body["status"] = c.Status
	}
	if c.Reason != "" {
		body["reason"] = c.Reason
	}
	if c.Until != "" {
		body["until"] = c.Until
	}
	switch n, err := strconv.Atoi(c.Capacity); {
	case c.Capacity == "":
	case c.Capacity == "none":
		body["capacity"] = nil
	case err != nil:
		return usage("--capacity: write a number, or none to take back what was set; not %q", c.Capacity)
	default:
		body["capacity"] = n
	}
	if len(body) == 0 {
		return usage("there is nothing to set: give --status (with --reason), or --capacity (with --until), or both")
	}
	var reply apiAgent
	return c.show(env, http.MethodPatch, "/api/v1/agents/"+url.PathEscape(c.Agent), body, &reply, func() error {
		return c.printAgents(env, []apiAgent{reply})
	})
}

type agentsTokenCmd struct {
	serverFlags
	Agent string `arg:"" help:"The agent, by its name in the rules file."`
}

func (c *agentsTokenCmd) Run(env *environment) error {
	var reply struct{ Token string }
	return c.show(env, http.MethodPost, "/api/v1/agents/"+url.PathEscape(c.Agent)+"/token", nil, &reply, func() error {
		_, err := fmt.Fprintln(env.stdout, reply.Token)
		return err
	})
}
