package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/console"
	"callrouter/console/client"
	"callrouter/rules"
)

type listsCmd struct {
	Show   listsShowCmd   `cmd:"" help:"Show the lists, and who was put on them at run time."`
	Add    listsAddCmd    `cmd:"" help:"Add callers to a list, effective from the next call."`
	Remove listsRemoveCmd `cmd:"" help:"Remove callers that were added at run time."`
}

type listsShowCmd struct {
	serverFlags
	List string `arg:"" optional:"" help:"The list, by its name in the rules file. Default: all, without their entries."`
}

func (c *listsShowCmd) Run(env *environment) error {
	if c.List == "" {
		return show(&c.serverFlags, env, (*client.Client).Lists, func(all []console.List) error {
			return printLists(env, all)
		})
	}
	read := func(api *client.Client, ctx context.Context) (console.List, error) { return api.List(ctx, c.List) }
	return show(&c.serverFlags, env, read, func(l console.List) error { return c.printList(env, l) })
}

func printLists(env *environment, all []console.List) error {
	rows := [][]string{{"LIST", "IN THE FILE", "AT RUN TIME"}}
	for _, l := range all {
		file := strconv.Itoa(l.InFile)
		if l.Store {
			file = "-"
		}
		rows = append(rows, []string{l.List, file, strconv.Itoa(len(l.Entries))})
	}
	return report.Table(env.stdout, rows)
}

func (c *listsShowCmd) printList(env *environment, list console.List) error {
	if len(list.Entries) > 0 {
		if err := c.printEntries(env, list.Entries); err != nil {
			return err
		}
	}
	where := fmt.Sprintf("besides %d in the rules file", list.InFile)
	if list.Store {
		where = "none in the rules file: the list is kept at run time only"
	}
	_, err := fmt.Fprintf(env.stdout, "%d put on %q at run time, %s\n", len(list.Entries), list.List, where)
	return err
}

func (f *serverFlags) printEntries(env *environment, entries []console.Entry) error {
	loc, err := f.zone(env)
	if err != nil {
		return err
	}
	rows := [][]string{{"NUMBER", "UNTIL", "NOTE"}}
	for _, e := range entries {
		rows = append(rows, []string{e.Number, report.OrDash(report.Moment(e.Until, loc)), report.OrDash(e.Note)})
	}
	return report.Table(env.stdout, rows)
}

type listsAddCmd struct {
	serverFlags
	List    string   `arg:"" help:"The list, by its name in the rules file."`
	Numbers []string `arg:"" name:"number" help:"Callers: a phone number in any spelling with its country code, or id:USER_ID."`
	Note    string   `help:"A reason, shown to whoever looks later."`
	Until   string   `placeholder:"TIME|DURATION" help:"How long they stay: 2h, 18:00, 2026-11-23 (its end). Default: for good."`
}

func (c *listsAddCmd) Run(env *environment) error {
	if err := checkCallers(c.Numbers); err != nil {
		return err
	}
	api, err := c.connect(env, nil)
	if err != nil {
		return err
	}
	entries := []console.Entry{}
	for _, number := range c.Numbers {
		e, err := api.PutEntry(env.ctx, c.List, number, console.EntryRequest{Note: c.Note, Until: c.Until})
		if err != nil {
			return c.explain(err)
		}
		entries = append(entries, e)
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(map[string]any{"list": c.List, "entries": entries})
	}
	return c.printEntries(env, entries)
}

// checkCallers refuses all if one is wrong, before anything is changed.
func checkCallers(numbers []string) error {
	for _, n := range numbers {
		if _, err := rules.ParseEntry(n); err != nil {
			return usage("%q: %w; for a caller without a number write id:USER_ID. Nothing was changed", n, err)
		}
	}
	return nil
}

type listsRemoveCmd struct {
	serverFlags
	List    string   `arg:"" help:"The list, by its name in the rules file."`
	Numbers []string `arg:"" name:"number" help:"Callers: a phone number in any spelling with its country code, or id:USER_ID."`
}

func (c *listsRemoveCmd) Run(env *environment) error {
	if err := checkCallers(c.Numbers); err != nil {
		return err
	}
	api, err := c.connect(env, nil)
	if err != nil {
		return err
	}
	removed := []string{}
	for _, number := range c.Numbers {
		if err := api.DeleteEntry(env.ctx, c.List, number); err != nil {
			return fmt.Errorf("%s: %w", number, c.explain(err))
		}
		key, err := rules.ParseEntry(number)
		if err != nil {
			return err
		}
		removed = append(removed, key)
		if !c.JSON {
			fmt.Fprintf(env.stdout, "%s is off %q\n", key, c.List)
		}
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(map[string]any{"list": c.List, "removed": removed})
	}
	return nil
}
