package main

import (
	"context"
	"encoding/json"
	"fmt"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/console"
	"callrouter/console/client"
)

type hoursCmd struct {
	Show  hoursShowCmd  `cmd:"" help:"Show the hours: open or closed now, and by which switch."`
	Open  hoursOpenCmd  `cmd:"" help:"Switch hours open until a time, whatever their plan says."`
	Close hoursCloseCmd `cmd:"" help:"Switch hours closed until a time, whatever their plan says."`
	Clear hoursClearCmd `cmd:"" help:"Clear a switch, so that the plan applies again."`
}

func (f *serverFlags) printHours(env *environment, all []console.Switch) error {
	loc, err := f.zone(env)
	if err != nil {
		return err
	}
	rows := [][]string{{"HOURS", "NOW", "BY", "UNTIL", "REASON"}}
	for _, h := range all {
		now, by := "closed", "plan"
		if h.Open {
			now = "open"
		}
		if h.State != nil {
			by = "switch"
		}
		until := report.OrDash(report.Moment(h.Until, loc))
		rows = append(rows, []string{h.Hours, now, by, until, report.OrDash(h.Reason)})
	}
	if err := report.Table(env.stdout, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "times are in %s\n", loc)
	return err
}

type hoursShowCmd struct {
	serverFlags
	Hours string `arg:"" optional:"" help:"The hours, by their name in the rules file. Default: all."`
}

func (c *hoursShowCmd) Run(env *environment) error {
	if c.Hours == "" {
		return show(&c.serverFlags, env, (*client.Client).Hours, func(all []console.Switch) error {
			return c.printHours(env, all)
		})
	}
	read := func(api *client.Client, ctx context.Context) (console.Switch, error) { return api.Switch(ctx, c.Hours) }
	return show(&c.serverFlags, env, read, func(h console.Switch) error {
		return c.printHours(env, []console.Switch{h})
	})
}

// whichHours are the hours that a command is for.
type whichHours struct {
	Hours string `arg:"" optional:"" help:"The hours, by their name in the rules file."`
	All   bool   `help:"All hours of the rules file."`
}

func (w *whichHours) names(ctx context.Context, api *client.Client) ([]string, error) {
	if !w.All {
		return []string{w.Hours}, nil
	}
	all, err := api.Hours(ctx)
	var names []string
	for _, h := range all {
		names = append(names, h.Hours)
	}
	return names, err
}

// switchFlags are what hours open and hours close share.
type switchFlags struct {
	serverFlags
	whichHours
	Until  string `required:"" placeholder:"TIME|DURATION" help:"Until when: 2h, 18:00, \"2026-11-23 22:15\", 2026-11-23 (its end)."`
	Reason string `help:"A reason, shown to whoever looks later."`
}

type hoursOpenCmd struct{ switchFlags }

func (c *hoursOpenCmd) Run(env *environment) error { return c.set(env, console.SwitchOpen) }

type hoursCloseCmd struct{ switchFlags }

func (c *hoursCloseCmd) Run(env *environment) error { return c.set(env, console.SwitchClosed) }

func (c *switchFlags) set(env *environment, state string) error {
	r := console.SwitchRequest{State: state, Until: c.Until, Reason: c.Reason}
	return c.each(env, &c.serverFlags, func(api *client.Client, name string) error {
		_, err := api.SetSwitch(env.ctx, name, r)
		return err
	})
}

type hoursClearCmd struct {
	serverFlags
	whichHours
}

func (c *hoursClearCmd) Run(env *environment) error {
	return c.each(env, &c.serverFlags, func(api *client.Client, name string) error {
		return api.ClearSwitch(env.ctx, name)
	})
}

// each changes hours one by one, and shows what they are then.
func (w *whichHours) each(env *environment, f *serverFlags, change func(api *client.Client, name string) error) error {
	if w.All == (w.Hours != "") {
		return usage("name the hours, or give --all")
	}
	api, err := f.connect(env, nil)
	if err != nil {
		return err
	}
	names, err := w.names(env.ctx, api)
	if err != nil {
		return f.explain(err)
	}
	all := console.Hours{Hours: []console.Switch{}}
	for _, name := range names {
		if err := change(api, name); err != nil {
			return f.explain(err)
		}
		h, err := api.Switch(env.ctx, name)
		if err != nil {
			return f.explain(err)
		}
		all.Hours = append(all.Hours, h)
	}
	if f.JSON {
		return json.NewEncoder(env.stdout).Encode(all)
	}
	return f.printHours(env, all.Hours)
}
