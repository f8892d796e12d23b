package main

import (
	"encoding/json"
	"time"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/rules/hours"
)

type simulateCmd struct {
	Rules string `short:"r" required:"" placeholder:"FILE" help:"Rules file."`
	From  string `required:"" placeholder:"PHONE|withheld" help:"The caller."`
	At    string `placeholder:"TIME" help:"When: RFC 3339, \"2026-11-23 22:15\" or \"18:00\" in the file's zone. Default: now."`
	callFlags
}

func (c *simulateCmd) Run(env *environment) error {
	f, err := loadRules(env, c.Rules, c.JSON)
	if err != nil {
		return err
	}
	call, err := c.call(f, c.From)
	if err != nil {
		return err
	}
	at := time.Now()
	if c.At != "" {
		if at, err = hours.ParseTime(c.At, f.Location(), at); err != nil {
			return usage("--at: %w", err)
		}
	}
	given, err := c.given()
	if err != nil {
		return err
	}
	start := time.Now()
	s, err := f.Simulate(call, at, given)
	if err != nil {
		return usage("%w", err)
	}
	took := time.Since(start)
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(s)
	}
	return report.Simulation(env.stdout, f, call, s, took)
}
