package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"callrouter/rules/week"

	"callrouter/rules/hours"
)

// daysAhead is how far next looks.
const daysAhead = 14

type nextCmd struct {
	aheadFlags
	Start string `placeholder:"DATE" help:"From when on: a day as 2026-11-23, or a time: RFC 3339, \"2026-11-23 22:15\" or \"18:00\" in the file's zone. Left out: now."`
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
		return json.NewEncoder(env.stdout).Encode(a.changes())
	}
	return a.printChanges(env.stdout)
}

// change is an instant at which a decision gives way to another.
type change struct {
	At     time.Time     `json:"at"`
	Before week.Interval `json:"before"`
	After  week.Interval `json:"after"`
}

// changes is what `next --json` prints.
type changes struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Start    time.Time     `json:"start"`
	End      time.Time     `json:"end"`
	Timezone string        `json:"timezone"`
	Now      week.Interval `json:"now"`
	Changes  []change      `json:"changes"`
}

func (a *ahead) changes() changes {
	all := changes{a.from, a.call.Number, a.start, a.end, a.file.Location().String(), a.intervals[0], []change{}}
	for n, i := range a.intervals[1:] {
		all.Changes = append(all.Changes, change{i.Start, a.intervals[n], i})
	}
	return all
}

func (a *ahead) printChanges(w io.Writer) error {
	layout := "Mon _2 Jan " + a.clockLayout()
	all := a.changes()
	fmt.Fprintf(w, "%s, from %s (%s)\nto      %s\ncaller  %s\nnow     %s: %s\n\n", a.file.Path(), a.start.Format(layout), a.file.Location(),
		a.call.Number, a.caller(), decider(all.Now), action(all.Now))
	if len(all.Changes) == 0 {
		_, err := fmt.Fprintf(w, "nothing changes until %s\n", a.end.Format(layout))
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range all.Changes {
		fmt.Fprintf(t, "%s\t%s: %s\t->  %s: %s\n", c.At.Format(layout), decider(c.Before), action(c.Before), decider(c.After), action(c.After))
	}
	return t.Flush()
}
