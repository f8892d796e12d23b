package report

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"callrouter/rules/week"
)

// Change is an instant at which a decision gives way to another.
type Change struct {
	At     time.Time     `json:"at"`
	Before week.Interval `json:"before"`
	After  week.Interval `json:"after"`
}

// Changes is what `next --json` prints.
type Changes struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Start    time.Time     `json:"start"`
	End      time.Time     `json:"end"`
	Timezone string        `json:"timezone"`
	Now      week.Interval `json:"now"`
	Changes  []Change      `json:"changes"`
}

// Changes returns each instant at which the decision changes.
func (a *Ahead) Changes() Changes {
	all := Changes{a.From, a.Call.Number, a.Start, a.End, a.File.Location().String(), a.Intervals[0], []Change{}}
	for n, i := range a.Intervals[1:] {
		all.Changes = append(all.Changes, Change{i.Start, a.Intervals[n], i})
	}
	return all
}

// PrintChanges prints what is decided now, and each change until the end.
func (a *Ahead) PrintChanges(w io.Writer) error {
	layout := "Mon _2 Jan " + a.clockLayout()
	all := a.Changes()
	fmt.Fprintf(
		w,
		"%s, from %s (%s)\nto      %s\ncaller  %s\nnow     %s: %s\n\n",
		a.File.Path(),
		a.Start.Format(layout),
		a.File.Location(),
		a.Call.Number,
		a.caller(),
		decider(all.Now),
		action(all.Now),
	)
	if len(all.Changes) == 0 {
		_, err := fmt.Fprintf(w, "nothing changes until %s\n", a.End.Format(layout))
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range all.Changes {
		fmt.Fprintf(
			t,
			"%s\t%s: %s\t->  %s: %s\n",
			c.At.Format(layout),
			decider(c.Before),
			action(c.Before),
			decider(c.After),
			action(c.After),
		)
	}
	return t.Flush()
}
