package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"callrouter/cmd/callrouter/internal/report"
)

type hoursCmd struct {
	Show  hoursShowCmd  `cmd:"" help:"Show the hours: open or closed now, and by which switch."`
	Open  hoursOpenCmd  `cmd:"" help:"Switch hours open until a time, whatever their plan says."`
	Close hoursCloseCmd `cmd:"" help:"Switch hours closed until a time, whatever their plan says."`
	Clear hoursClearCmd `cmd:"" help:"Take a switch back, so that the plan holds."`
}

// apiHours are hours as the router shows them.
type apiHours struct {
	Hours  string     `json:"hours"`
	Open   bool       `json:"open"`
	State  *string    `json:"state"`
	Until  *time.Time `json:"until"`
	Reason string     `json:"reason"`
}

type apiHoursList struct {
	Hours []apiHours `json:"hours"`
}

const hoursPath = "/api/v1/hours"

func switchPath(hours string) string { return hoursPath + "/" + url.PathEscape(hours) + "/switch" }

func (f *serverFlags) printHours(env *environment, all []apiHours) error {
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
		rows = append(rows, []string{h.Hours, now, by, report.OrDash(report.Moment(h.Until, loc)), report.OrDash(h.Reason)})
	}
	if err := report.Table(env.stdout, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "times are in %s\n", loc)
	return err
}

type hoursShowCmd struct {
	serverFlags
	Hours string `arg:"" optional:"" help:"The hours, by their name in the rules file. Left out: all."`
}

func (c *hoursShowCmd) Run(env *environment) error {
	if c.Hours != "" {
		var reply apiHours
		return c.show(env, http.MethodGet, switchPath(c.Hours), nil, &reply, func() error {
			return c.printHours(env, []apiHours{reply})
		})
	}
	var reply apiHoursList
	return c.show(env, http.MethodGet, hoursPath, nil, &reply, func() error { return c.printHours(env, reply.Hours) })
}

// whichHours are the hours that a command is for.
type whichHours struct {
	Hours string `arg:"" optional:"" help:"The hours, by their name in the rules file."`
	All   bool   `help:"All hours of the rules file."`
}

func (w *whichHours) names(env *environment, f *serverFlags) ([]string, error) {
	if w.All == (w.Hours != "") {
		return nil, usage("name the hours, or give --all")
	}
	if !w.All {
		return []string{w.Hours}, nil
	}
	var reply apiHoursList
	if err := f.call(env, http.MethodGet, hoursPath, nil, &reply); err != nil {
		return nil, err
	}
	var names []string
	for _, h := range reply.Hours {
		names = append(names, h.Hours)
	}
	return names, nil
}

// switchFlags are what hours open and hours close share.
type switchFlags struct {
	serverFlags
	whichHours
	Until  string `required:"" placeholder:"TIME|DURATION" help:"Until when: 2h, 18:00, \"2026-11-23 22:15\", 2026-11-23 (its end)."`
	Reason string `help:"Why, for those who look at it later."`
}

type hoursOpenCmd struct{ switchFlags }

func (c *hoursOpenCmd) Run(env *environment) error { return c.set(env, "open") }

type hoursCloseCmd struct{ switchFlags }

func (c *hoursCloseCmd) Run(env *environment) error { return c.set(env, "closed") }

func (c *switchFlags) set(env *environment, state string) error {
	names, err := c.names(env, &c.serverFlags)
	if err != nil {
		return err
	}
	body := map[string]string{"state": state, "until": c.Until, "reason": c.Reason}
	return c.each(env, names, func(name string) error {
		_, err := c.ask(env, http.MethodPut, switchPath(name), body)
		return err
	})
}

type hoursClearCmd struct {
	serverFlags
	whichHours
}

func (c *hoursClearCmd) Run(env *environment) error {
	names, err := c.names(env, &c.serverFlags)
	if err != nil {
		return err
	}
	return c.each(env, names, func(name string) error {
		_, err := c.ask(env, http.MethodDelete, switchPath(name), nil)
		return err
	})
}

// each changes hours one by one, and shows what they are then.
func (f *serverFlags) each(env *environment, names []string, change func(name string) error) error {
	all := apiHoursList{Hours: []apiHours{}}
	for _, name := range names {
		if err := change(name); err != nil {
			return err
		}
		var h apiHours
		if err := f.call(env, http.MethodGet, switchPath(name), nil, &h); err != nil {
			return err
		}
		all.Hours = append(all.Hours, h)
	}
	if f.JSON {
		return json.NewEncoder(env.stdout).Encode(all)
	}
	return f.printHours(env, all.Hours)
}
