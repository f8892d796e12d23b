package main

import (
	"cmp"
	"encoding/json"
	"os"
	"time"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/rules/week"

	"callrouter/rules"
)

// aheadFlags describe the call that is decided over time.
type aheadFlags struct {
	Rules string `short:"r" required:"" placeholder:"FILE" help:"Rules file."`
	From  string `placeholder:"PHONE|withheld" help:"The caller. Default: somebody from the number's country, on no list."`
	callFlags
}

// look decides the call from one instant to another.
func (c *aheadFlags) look(f *rules.File, start, end time.Time) (*report.Ahead, error) {
	a := &report.Ahead{File: f, Start: start, End: end, Assumed: c.From == "" && c.ID == ""}
	call, err := c.call(f, cmp.Or(c.From, report.Withheld))
	if err != nil {
		return nil, err
	}
	if a.Assumed {
		call.Caller = f.AnyCaller(call.Number)
		call.Caller.Name = c.Name
	}
	a.Call = call
	switch {
	case call.Caller.Number != "":
		a.From = call.Caller.Number
	case call.Caller.ID != "":
		a.From = call.Caller.ID
	default:
		a.From = report.Withheld
	}
	given, err := c.given()
	if err != nil {
		return nil, err
	}
	if a.Intervals, err = week.Intervals(f, call, start, end, given); err != nil {
		return nil, usage("%w", err)
	}
	return a, nil
}

type weekCmd struct {
	aheadFlags
	Start string `placeholder:"DATE" help:"First day, as 2026-11-23. Default: Monday of this week."`
	SVG   string `name:"svg" placeholder:"FILE" help:"Draw the week as a picture into this file as well."`
}

func (c *weekCmd) Run(env *environment) error {
	f, err := loadRules(env, c.Rules, c.JSON)
	if err != nil {
		return err
	}
	day, err := firstDay(c.Start, time.Now().In(f.Location()))
	if err != nil {
		return err
	}
	a, err := c.look(f, startOfDay(day, f.Location()), startOfDay(day.AddDate(0, 0, 7), f.Location()))
	if err != nil {
		return err
	}
	w := report.NewWeek(a, day)
	if c.SVG != "" {
		if err := os.WriteFile(c.SVG, []byte(w.SVG()), 0o644); err != nil {
			return usage("--svg: %w", err)
		}
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(struct {
			From      string          `json:"from"`
			To        string          `json:"to"`
			Start     time.Time       `json:"start"`
			End       time.Time       `json:"end"`
			Timezone  string          `json:"timezone"`
			Intervals []week.Interval `json:"intervals"`
		}{a.From, a.Call.Number, a.Start, a.End, f.Location().String(), a.Intervals})
	}
	return w.Print(env.stdout, colourful(env))
}

// firstDay is the first day of the week to show, as a midnight in UTC: a day of the calendar, in no zone.
func firstDay(start string, now time.Time) (time.Time, error) {
	if start != "" {
		day, err := time.Parse(time.DateOnly, start)
		if err != nil {
			return day, usage("--start: %q is not a date; write it as %s", start, now.Format(time.DateOnly))
		}
		return day, nil
	}
	y, m, d := now.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return day.AddDate(0, 0, -(int(day.Weekday())+6)%7), nil
}

// startOfDay returns the first instant of a day: not always 00:00, and not always only one, where clocks change then.
func startOfDay(day time.Time, loc *time.Location) time.Time {
	y, m, d := day.Date()
	// From about noon of the day before, from midnight to midnight and over each change of the clocks between.
	t := time.Date(y, m, d, 12, 0, 0, 0, loc).Add(-24 * time.Hour)
	for {
		wall := t.In(loc)
		if wy, wm, wd := wall.Date(); !time.Date(wy, wm, wd, 0, 0, 0, 0, time.UTC).Before(day) {
			return wall
		}
		h, min, s := wall.Clock()
		next := wall.Add(
			24*time.Hour - time.Duration(h)*time.Hour - time.Duration(min)*time.Minute - time.Duration(s)*time.Second,
		)
		if _, set := wall.ZoneBounds(); !set.IsZero() && set.Before(next) {
			next = set
		}
		t = next
	}
}

// colourful reports whether to print colours: on a terminal, unless the user wants none.
func colourful(env *environment) bool {
	out, ok := env.stdout.(*os.File)
	if !ok || env.getenv("NO_COLOR") != "" || env.getenv("TERM") == "dumb" {
		return false
	}
	info, err := out.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
