package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/rules"
)

type rulesCmd struct {
	Show   rulesShowCmd   `cmd:"" help:"Show which rules are in force, and what was wrong with newer ones."`
	Reload rulesReloadCmd `cmd:"" help:"Read the rules file again. One with errors is refused, and what is in force stays."`
}

// apiProblem is a problem of a rules file with the line it stands in.
type apiProblem struct {
	rules.Problem
	Source string `json:"source"`
}

// apiRefusal is a rules file that was not taken.
type apiRefusal struct {
	At       time.Time    `json:"at"`
	Problems []apiProblem `json:"problems"`
}

// problemsOf are problems as check has them.
func problemsOf(list []apiProblem) rules.Problems {
	problems := make(rules.Problems, 0, len(list))
	for _, p := range list {
		p.Problem.Source = p.Source
		problems = append(problems, p.Problem)
	}
	return problems
}

type rulesShowCmd struct {
	serverFlags
}

func (c *rulesShowCmd) Run(env *environment) error {
	var status apiRules
	return c.show(env, http.MethodGet, "/api/v1/rules", nil, &status, func() error {
		loc := locationOf(status.Timezone)
		fmt.Fprintf(env.stdout, "version  %s\nloaded   %s (%s)\n", status.Version, report.Moment(&status.LoadedAt, loc), loc)
		if status.LastRefusal == nil {
			return nil
		}
		fmt.Fprintf(env.stdout, "refused  a newer file, %s:\n\n", report.Moment(&status.LastRefusal.At, loc))
		report.Problems(env.stdout, problemsOf(status.LastRefusal.Problems))
		return nil
	})
}

type rulesReloadCmd struct {
	serverFlags
}

func (c *rulesReloadCmd) Run(env *environment) error {
	var status apiRules
	err := c.show(env, http.MethodPost, "/api/v1/rules/reload", nil, &status, func() error {
		loc := locationOf(status.Timezone)
		report.Problems(env.stdout, problemsOf(status.Problems))
		_, err := fmt.Fprintf(env.stdout, "version %s is in force, since %s (%s)\n", status.Version, report.Moment(&status.LoadedAt, loc), loc)
		return err
	})
	if refused := (*apiError)(nil); errors.As(err, &refused) && refused.status == http.StatusUnprocessableEntity {
		return c.refused(env, refused)
	}
	return err
}

// refused prints what is wrong with the file, as check does.
func (c *rulesReloadCmd) refused(env *environment, e *apiError) error {
	if c.JSON {
		if _, err := env.stdout.Write(e.body); err != nil {
			return err
		}
		return found()
	}
	var reply apiRules
	if err := json.Unmarshal(e.body, &reply); err != nil {
		return fmt.Errorf("the router's reply cannot be read: %w", err)
	}
	problems := problemsOf(reply.Problems)
	report.Problems(env.stdout, problems)
	errors, warnings := report.CountProblems(problems)
	fmt.Fprintf(env.stdout, "%s, %s; version %s stays in force\n", report.Plural(errors, "error"), report.Plural(warnings, "warning"), reply.Version)
	return found()
}
