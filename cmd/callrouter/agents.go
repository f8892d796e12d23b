package main

import (
	"context"
	"fmt"
	"strconv"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/console"
	"callrouter/console/client"
)

type agentsCmd struct {
	List  agentsListCmd  `cmd:"" help:"Show every agent: connected or not, why away, and how many calls."`
	Link  agentsLinkCmd  `cmd:"" help:"Make a link that signs an agent in to the console. It works once, for 10 minutes."`
	Set   agentsSetCmd   `cmd:"" help:"Set an agent's status, or change their capacity for a while."`
	Token agentsTokenCmd `cmd:"" help:"Make a new token for an agent. It is shown once; the old one stops working."`
}

type agentsListCmd struct {
	serverFlags
}

func (c *agentsListCmd) Run(env *environment) error {
	return show(&c.serverFlags, env, (*client.Client).Agents, func(agents []console.Agent) error {
		return c.printAgents(env, agents)
	})
}

func (f *serverFlags) printAgents(env *environment, agents []console.Agent) error {
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
			a.Agent, report.OrDash(a.Name), status, strconv.Itoa(len(a.Held)), capacity, strconv.Itoa(a.Missed),
			report.OrDash(report.Moment(a.WrapUpUntil, loc)),
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
	Capacity string `placeholder:"N|none" help:"How many calls at once, instead of the rules file's number. The word none goes back to it."`
	Until    string `placeholder:"TIME|DURATION" help:"How long the capacity holds: 2h, 18:00, \"2026-11-23 22:15\"."`
}

func (c *agentsSetCmd) Run(env *environment) error {
	patch := console.AgentPatch{Status: c.Status, Reason: c.Reason, Until: c.Until}
	switch n, err := strconv.Atoi(c.Capacity); {
	case c.Capacity == "":
	case c.Capacity == "none":
		patch.Capacity.Set = true
	case err != nil:
		return usage(`--capacity: %q is not a number or "none" (which removes the override)`, c.Capacity)
	default:
		patch.Capacity = console.Optional[int]{Set: true, Value: &n}
	}
	if patch == (console.AgentPatch{}) {
		return usage("there is nothing to set: give --status (with --reason), or --capacity (with --until), or both")
	}
	set := func(api *client.Client, ctx context.Context) (console.Agent, error) {
		return api.PatchAgent(ctx, c.Agent, patch)
	}
	return show(&c.serverFlags, env, set, func(a console.Agent) error { return c.printAgents(env, []console.Agent{a}) })
}

type agentsTokenCmd struct {
	serverFlags
	Agent string `arg:"" help:"The agent, by its name in the rules file."`
}

func (c *agentsTokenCmd) Run(env *environment) error {
	renew := func(api *client.Client, ctx context.Context) (string, error) { return api.NewToken(ctx, c.Agent) }
	return show(&c.serverFlags, env, renew, func(token string) error {
		_, err := fmt.Fprintln(env.stdout, token)
		return err
	})
}

type agentsLinkCmd struct {
	serverFlags
	Agent string `arg:"" help:"The agent, by its name in the rules file."`
}

func (c *agentsLinkCmd) Run(env *environment) error {
	link := func(api *client.Client, ctx context.Context) (console.Link, error) { return api.NewLink(ctx, c.Agent) }
	return show(&c.serverFlags, env, link, func(l console.Link) error {
		_, err := fmt.Fprintln(env.stdout, l.URL)
		return err
	})
}
