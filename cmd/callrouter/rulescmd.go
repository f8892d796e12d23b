package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/console"
	"callrouter/console/client"
)

type rulesCmd struct {
	Show   rulesShowCmd   `cmd:"" help:"Show the rules in force, and why a newer file was refused."`
	Reload rulesReloadCmd `cmd:"" help:"Read the rules file again. A file with errors is refused, and the rules in force stay."`
}

type rulesShowCmd struct {
	serverFlags
}

func (c *rulesShowCmd) Run(env *environment) error {
	return show(&c.serverFlags, env, (*client.Client).Rules, func(r console.Rules) error {
		loc := locationOf(r.Timezone)
		fmt.Fprintf(env.stdout, "version  %s\nloaded   %s (%s)\n", r.Version, report.Moment(&r.LoadedAt, loc), loc)
		if r.LastRefusal == nil {
			return nil
		}
		fmt.Fprintf(env.stdout, "refused  a newer file, %s:\n\n", report.Moment(&r.LastRefusal.At, loc))
		report.Problems(env.stdout, console.ProblemsOf(r.LastRefusal.Problems))
		return nil
	})
}

type rulesReloadCmd struct {
	serverFlags
}

func (c *rulesReloadCmd) Run(env *environment) error {
	var reply console.ReloadedRules
	reload := func(api *client.Client, ctx context.Context) (r console.ReloadedRules, err error) {
		reply, err = api.Reload(ctx)
		return reply, err
	}
	err := show(&c.serverFlags, env, reload, func(r console.ReloadedRules) error {
		loc := locationOf(r.Timezone)
		report.Problems(env.stdout, console.ProblemsOf(r.Problems))
		since := report.Moment(&r.LoadedAt, loc)
		_, err := fmt.Fprintf(env.stdout, "version %s is in force, since %s (%s)\n", r.Version, since, loc)
		return err
	})
	refused, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok || refused.Status != http.StatusUnprocessableEntity:
		return err
	case c.JSON:
		if _, err := env.stdout.Write(refused.Body); err != nil {
			return err
		}
	default:
		c.printRefused(env, reply)
	}
	return found()
}

// printRefused prints what is wrong with the file, as check does.
func (c *rulesReloadCmd) printRefused(env *environment, r console.ReloadedRules) {
	problems := console.ProblemsOf(r.Problems)
	report.Problems(env.stdout, problems)
	errors, warnings := report.CountProblems(problems)
	fmt.Fprintf(env.stdout, "%s, %s; version %s stays in force\n",
		report.Plural(errors, "error"), report.Plural(warnings, "warning"), r.Version)
}
