package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"callrouter/rules/week"

	"callrouter/rules"
)

// aheadFlags say which call is looked at over time.
type aheadFlags struct {
	Rules string `short:"r" required:"" placeholder:"FILE" help:"Rules file."`
	From  string `placeholder:"PHONE|withheld" help:"The caller. Left out: somebody from the country of the number, on none of the file's lists."`
	callFlags
}

// ahead is how one call is decided from one instant to another.
type ahead struct {
	file       *rules.File
	call       rules.Call
	from       string // the caller: normal form, id, or "withheld"
	assumed    bool   // nobody said who calls
	start, end time.Time
	intervals  []week.Interval
}

// look decides the call from one instant to another.
func (c *aheadFlags) look(f *rules.File, start, end time.Time) (*ahead, error) {
	a := &ahead{file: f, start: start, end: end, assumed: c.From == "" && c.ID == ""}
	call, err := c.call(f, cmp.Or(c.From, withheld))
	if err != nil {
		return nil, err
	}
	if a.assumed {
		call.Caller = f.AnyCaller(call.Number)
		call.Caller.Name = c.Name
	}
	a.call = call
	switch {
	case call.Caller.Number != "":
		a.from = call.Caller.Number
	case call.Caller.ID != "":
		a.from = call.Caller.ID
	default:
		a.from = withheld
	}
	given, err := c.given()
	if err != nil {
		return nil, err
	}
	if a.intervals, err = week.Intervals(f, call, start, end, given); err != nil {
		return nil, usage("%w", err)
	}
	return a, nil
}

// caller says who is taken to call.
func (a *ahead) caller() string {
	c := a.call.Caller
	switch {
	case !a.assumed:
		return a.from
	case c.Number == "":
		return "withheld (assumed: no --from)"
	}
	area := ""
	if c.Area != "" {
		area = ", area " + c.Area
	}
	return fmt.Sprintf("%s (assumed: no --from; somebody from %s%s, on none of the file's lists)", c.Number, c.Country, area)
}

type weekCmd struct {
	aheadFlags
	Start string `placeholder:"DATE" help:"First day, as 2026-11-23. Left out: Monday of this week."`
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
	w := newWeekMap(a, day)
	if c.SVG != "" {
		if err := os.WriteFile(c.SVG, []byte(w.svg()), 0o644); err != nil {
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
		}{a.from, a.call.Number, a.start, a.end, f.Location().String(), a.intervals})
	}
	return w.print(env.stdout, colourful(env))
}

// firstDay is the first day of the week to show, as a midnight in UTC: a day of the calendar, in no zone.
func firstDay(start string, now time.Time) (time.Time, error) {
	if start != "" {
		day, err := time.Parse(time.DateOnly, start)
		if err != nil {
			return day, usage("--start: %q is no date; write it as %s", start, now.Format(time.DateOnly))
		}
		return day, nil
	}
	y, m, d := now.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return day.AddDate(0, 0, -(int(day.Weekday())+6)%7), nil
}

// startOfDay is the first instant of a day. Where clocks are set at midnight that is not 00:00, or the first of two.
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
		next := wall.Add(24*time.Hour - time.Duration(h)*time.Hour - time.Duration(min)*time.Minute - time.Duration(s)*time.Second)
		if _, set := wall.ZoneBounds(); !set.IsZero() && set.Before(next) {
			next = set
		}
		t = next
	}
}

// colourful says whether colours can be shown: on a terminal, unless the user wants none.
func colourful(env *environment) bool {
	out, ok := env.stdout.(*os.File)
	if !ok || env.getenv("NO_COLOR") != "" || env.getenv("TERM") == "dumb" {
		return false
	}
	info, err := out.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
