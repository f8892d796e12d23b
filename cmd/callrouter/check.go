package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/rules"
)

type checkCmd struct {
	Files  []string `arg:"" name:"file" help:"Rules files."`
	Strict bool     `help:"Treat warnings as errors."`
	JSON   bool     `name:"json" help:"Print one JSON object."`
}

func (c *checkCmd) Run(env *environment) error {
	start := time.Now()
	var all rules.Problems
	rulesRead := 0
	for _, path := range c.Files {
		f, problems := rules.Load(path)
		if f != nil {
			rulesRead += len(f.RuleNames())
		}
		all = append(all, problems...)
	}
	errors, warnings := report.CountProblems(all)
	ok := errors == 0 && (!c.Strict || warnings == 0)
	if c.JSON {
		if err := printCheckJSON(env.stdout, ok, all); err != nil {
			return err
		}
	} else {
		report.Problems(env.stdout, all)
		fmt.Fprintf(env.stdout, "%s, %s in %s (%d ms)\n",
			report.Plural(errors, "error"), report.Plural(warnings, "warning"), report.Plural(len(c.Files), "file"), time.Since(start).Milliseconds())
	}
	switch {
	case unreadable(all):
		return &exitError{code: exitUsage}
	case !ok:
		return found()
	}
	return nil
}

func printCheckJSON(w io.Writer, ok bool, problems rules.Problems) error {
	if problems == nil {
		problems = rules.Problems{}
	}
	return json.NewEncoder(w).Encode(struct {
		OK       bool           `json:"ok"`
		Problems rules.Problems `json:"problems"`
	}{ok, problems})
}

func unreadable(problems rules.Problems) bool {
	for _, p := range problems {
		if p.Code == "unreadable-file" {
			return true
		}
	}
	return false
}

// loadRules loads a rules file for a command. It prints problems as check does, or with asJSON as
// check --json does, and returns an error for a file that is refused.
func loadRules(env *environment, path string, asJSON bool) (*rules.File, error) {
	return loadGood(env, path, asJSON, rules.Load)
}

func loadGood(
	env *environment,
	path string,
	asJSON bool,
	load func(path string) (*rules.File, rules.Problems),
) (*rules.File, error) {
	f, problems := load(path)
	switch {
	case !problems.HasErrors():
		return f, nil
	case asJSON:
		if err := printCheckJSON(env.stdout, false, problems); err != nil {
			return nil, err
		}
	default:
		report.Problems(env.stderr, problems)
	}
	if unreadable(problems) {
		return nil, &exitError{code: exitUsage}
	}
	return nil, found()
}
