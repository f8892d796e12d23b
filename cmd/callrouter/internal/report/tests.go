package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"callrouter/rules"
	"callrouter/rules/ruletest"
)

// Tests is what a run of tests came to.
type Tests struct {
	OK       bool                  `json:"ok"`
	Passed   int                   `json:"passed"`
	Failed   int                   `json:"failed"`
	Cases    []ruletest.CaseResult `json:"cases"`
	Coverage *ruletest.Coverage    `json:"coverage"`
	Problems rules.Problems        `json:"problems"` // of files that could not be tested

	Empty     []string      `json:"-"` // files without tests
	Took      time.Duration `json:"-"`
	FailUnder float64       `json:"-"` // percent of rules and conditions that must be covered
	Missing   bool          `json:"-"` // print what is not covered
}

// TooLittle reports whether less is covered than FailUnder asks for.
func (r *Tests) TooLittle() bool { return r.Coverage != nil && r.Coverage.Percent < r.FailUnder }

// Print prints what failed, what is not covered, and the counts.
func (r *Tests) Print(w io.Writer) {
	Problems(w, r.Problems)
	for _, result := range r.Cases {
		if !result.OK {
			printFailure(w, result)
		}
	}
	if r.Missing && r.Coverage != nil {
		printMissing(w, r.Coverage.Missing)
	}
	for _, path := range r.Empty {
		fmt.Fprintf(w, "%s has no tests\n", path)
	}
	fmt.Fprintf(w, "%d passed, %d failed", r.Passed, r.Failed)
	if r.Coverage != nil {
		fmt.Fprintf(
			w,
			"; coverage %s%%: rules %s, conditions %s",
			percentage(r.Coverage.Percent),
			ratio(r.Coverage.Rules),
			ratio(r.Coverage.Conditions),
		)
	}
	fmt.Fprintf(w, " (%d ms)\n", r.Took.Milliseconds())
	if r.TooLittle() {
		fmt.Fprintf(
			w,
			"coverage %s%% is below --fail-under %v%%\n",
			percentage(r.Coverage.Percent),
			r.FailUnder,
		)
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
		printField(w, "decision", Headline(*result.Decision))
	}
	if result.Why != nil {
		printField(w, "why", *result.Why)
	}
	fmt.Fprintln(w)
}

// printField prints a text of several lines under one name.
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

// percentage rounds down, so that 100% always means all.
func percentage(p float64) string { return fmt.Sprintf("%.1f", float64(int(p*10))/10) }
