package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/rules"
	"callrouter/rules/ruletest"
)

type testCmd struct {
	Files     []string `arg:"" name:"file" help:"Rules files, and test files (\"rules: FILE\" and \"tests:\")."`
	Only      string   `name:"run" placeholder:"REGEX" help:"Run only the tests whose name matches."`
	Coverage  bool     `help:"Report rules that never decided and parts of conditions that were never true or never false."`
	FailUnder float64  `placeholder:"PERCENT" help:"Fail below this coverage of rules and conditions."`
	JUnit     string   `name:"junit" placeholder:"FILE" help:"Also write the results as JUnit XML."`
	JSON      bool     `name:"json" help:"Print one JSON object."`
}

func (c *testCmd) Run(env *environment) error {
	start := time.Now()
	wanted, err := c.wanted()
	if err != nil {
		return err
	}
	tests, problems := ruletest.Load(c.Files...)
	r := report.Tests{
		Cases:     tests.Run(wanted),
		Problems:  problems,
		Empty:     tests.Empty(),
		FailUnder: c.FailUnder,
		Missing:   c.Coverage,
	}
	if r.Problems == nil {
		r.Problems = rules.Problems{}
	}
	if c.Only != "" && len(r.Cases) == 0 && len(problems) == 0 {
		return usage("--run: no test matches %q; %s", c.Only, someOf(tests.Names()))
	}
	for _, result := range r.Cases {
		if result.OK {
			r.Passed++
		} else {
			r.Failed++
		}
	}
	if c.Coverage || c.FailUnder > 0 {
		covered := tests.Coverage()
		r.Coverage = &covered
	}
	r.OK = r.Failed == 0 && len(problems) == 0 && !r.TooLittle()
	r.Took = time.Since(start)
	return c.tell(env, &r)
}

// wanted returns which tests to run; nil means all.
func (c *testCmd) wanted() (func(string) bool, error) {
	if c.FailUnder < 0 || c.FailUnder > 100 {
		return nil, usage("--fail-under: write a percentage from 0 to 100, not %v", c.FailUnder)
	}
	if c.Only == "" {
		return nil, nil
	}
	pattern, err := regexp.Compile(c.Only)
	if err != nil {
		return nil, usage("--run: %q is not a regular expression: %w", c.Only, err)
	}
	return pattern.MatchString, nil
}

func (c *testCmd) tell(env *environment, r *report.Tests) error {
	if c.JSON {
		if err := json.NewEncoder(env.stdout).Encode(r); err != nil {
			return err
		}
	} else {
		r.Print(env.stdout)
	}
	if c.JUnit != "" {
		if err := r.WriteJUnit(c.JUnit); err != nil {
			return usage("--junit: %w", err)
		}
	}
	switch {
	case unreadable(r.Problems):
		return &exitError{code: exitUsage}
	case !r.OK:
		return found()
	}
	return nil
}

// someOf names a few of many, for a message.
func someOf(all []string) string {
	const few = 5
	switch n := len(all); {
	case n == 0:
		return "there are no tests"
	case n > few:
		return fmt.Sprintf("there are %d tests, such as %q", n, all[:few])
	default:
		return fmt.Sprintf("there are %q", all)
	}
}
