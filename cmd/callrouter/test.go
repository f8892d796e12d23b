package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/rules"
	"callrouter/rules/ruletest"
)

type testCmd struct {
	Files     []string `arg:"" name:"file" help:"Rules files, and test files (\"rules: FILE\" and \"tests:\")."`
	Only      string   `name:"run" placeholder:"REGEX" help:"Run only the tests whose name matches."`
	Coverage  bool     `help:"Say which rules never decided, and which parts of conditions were never true or never false."`
	FailUnder float64  `placeholder:"PERCENT" help:"Fail if less than so many percent of rules and conditions are covered."`
	JUnit     string   `name:"junit" placeholder:"FILE" help:"Write the results as JUnit XML, too."`
	JSON      bool     `name:"json" help:"Print one JSON object."`
}

// testReport is all that a run of tests came to.
type testReport struct {
	OK       bool                  `json:"ok"`
	Passed   int                   `json:"passed"`
	Failed   int                   `json:"failed"`
	Cases    []ruletest.CaseResult `json:"cases"`
	Coverage *ruletest.Coverage    `json:"coverage"`
	Problems rules.Problems        `json:"problems"` // of files that could not be tested

	empty []string
	took  time.Duration
}

func (c *testCmd) Run(env *environment) error {
	start := time.Now()
	wanted, err := c.wanted()
	if err != nil {
		return err
	}
	tests, problems := ruletest.Load(c.Files...)
	r := testReport{Cases: tests.Run(wanted), Problems: problems, empty: tests.Empty()}
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
	r.OK = r.Failed == 0 && len(problems) == 0 && !c.tooLittle(r.Coverage)
	r.took = time.Since(start)
	return c.report(env, &r)
}

// wanted says which tests to run; nil is all of them.
func (c *testCmd) wanted() (func(string) bool, error) {
	if c.FailUnder < 0 || c.FailUnder > 100 {
		return nil, usage("--fail-under: write a percentage from 0 to 100, not %v", c.FailUnder)
	}
	if c.Only == "" {
		return nil, nil
	}
	pattern, err := regexp.Compile(c.Only)
	if err != nil {
		return nil, usage("--run: %q is no regular expression: %w", c.Only, err)
	}
	return pattern.MatchString, nil
}

func (c *testCmd) tooLittle(covered *ruletest.Coverage) bool {
	return covered != nil && covered.Percent < c.FailUnder
}

func (c *testCmd) report(env *environment, r *testReport) error {
	if c.JSON {
		if err := json.NewEncoder(env.stdout).Encode(r); err != nil {
			return err
		}
	} else {
		c.print(env.stdout, r)
	}
	if c.JUnit != "" {
		if err := writeJUnit(c.JUnit, r); err != nil {
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

func (c *testCmd) print(w io.Writer, r *testReport) {
	report.Problems(w, r.Problems)
	for _, result := range r.Cases {
		if !result.OK {
			printFailure(w, result)
		}
	}
	if c.Coverage && r.Coverage != nil {
		printMissing(w, r.Coverage.Missing)
	}
	for _, path := range r.empty {
		fmt.Fprintf(w, "%s has no tests\n", path)
	}
	fmt.Fprintf(w, "%d passed, %d failed", r.Passed, r.Failed)
	if r.Coverage != nil {
		fmt.Fprintf(w, "; coverage %s%%: rules %s, conditions %s", percentage(r.Coverage.Percent), ratio(r.Coverage.Rules), ratio(r.Coverage.Conditions))
	}
	fmt.Fprintf(w, " (%d ms)\n", r.took.Milliseconds())
	if c.tooLittle(r.Coverage) {
		fmt.Fprintf(w, "coverage is %s%%, and --fail-under asks for %v%%\n", percentage(r.Coverage.Percent), c.FailUnder)
	}
}

func printFailure(w io.Writer, result ruletest.CaseResult) {
	fmt.Fprintf(w, "FAIL  %s  %s:%d\n", result.Name, result.File, result.Line)
	printField(w, "call", result.Call)
	for _, field := range []struct {
		name  string
		value *string
	}{{"expected", result.Expected}, {"got", result.Got}} {
		if field.value != nil {
			printField(w, field.name, *field.value)
		}
	}
	if result.Decision != nil {
		printField(w, "decision", report.Headline(*result.Decision))
	}
	if result.Why != nil {
		printField(w, "why", *result.Why)
	}
	fmt.Fprintln(w)
}

// printField prints what may have several lines, one below the other.
func printField(w io.Writer, name, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(w, "      %-9s %s\n", name, line)
		name = ""
	}
}

func printMissing(w io.Writer, missing []ruletest.NotCovered) {
	for _, m := range missing {
		place := fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column)
		if m.Kind == "rule" {
			fmt.Fprintf(w, "%s: rule %q never decided\n", place, m.Rule)
		} else {
			fmt.Fprintf(w, "%s: %s was never %s, in rule %q\n", place, m.Text, m.Never, m.Rule)
		}
	}
	if len(missing) > 0 {
		fmt.Fprintln(w)
	}
}

func ratio(c ruletest.CoverageOf) string {
	return fmt.Sprintf("%d/%d (%s%%)", c.Covered, c.Total, percentage(c.Percent))
}

// percentage is rounded down: 100% is never said of less.
func percentage(p float64) string { return fmt.Sprintf("%.1f", float64(int(p*10))/10) }

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
