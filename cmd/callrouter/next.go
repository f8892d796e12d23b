package main

import (
	"encoding/json"
	"time"

	"callrouter/rules/hours"
)

// daysAhead is how far next looks.
const daysAhead = 14

type nextCmd struct {
	aheadFlags
	Start string `placeholder:"DATE" help:"Start: a day such as 2026-11-23, or a time: RFC 3339, \"2026-11-23 22:15\" or \"18:00\" in the file's zone. Default: now."`
}

func (c *nextCmd) Run(env *environment) error {
	f, err := loadRules(env, c.Rules, c.JSON)
	if err != nil {
		return err
	}
	start := time.Now().In(f.Location()).Truncate(time.Second)
	if day, derr := time.Parse(time.DateOnly, c.Start); derr == nil {
		start = startOfDay(day, f.Location())
	} else if c.Start != "" {
		if start, err = hours.ParseTime(c.Start, f.Location(), start); err != nil {
			return usage("--start: %w", err)
		}
	}
	a, err := c.look(f, start, start.AddDate(0, 0, daysAhead))
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(a.Changes())
	}
	return a.PrintChanges(env.stdout)
}
