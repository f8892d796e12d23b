package report

import (
	"fmt"
	"io"

	"callrouter/rules"
)

// Problems prints each problem with its place, as check does.
func Problems(w io.Writer, problems rules.Problems) {
	for _, p := range problems {
		fmt.Fprintln(w, p.String())
	}
}

// CountProblems counts errors and warnings.
func CountProblems(problems rules.Problems) (errors, warnings int) {
	for _, p := range problems {
		switch p.Severity {
		case rules.Error:
			errors++
		case rules.Warning:
			warnings++
		}
	}
	return errors, warnings
}

// Plural is a number with its noun: 1 rule, 2 rules.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
