package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"callrouter/rules/internal/source"
)

// TestResult is what became of one of a file's tests.
type TestResult struct {
	Name       string
	Line       int
	Passed     bool
	Expected   string // of the first thing that did not hold: `rule "after hours"`
	Got        string
	Why        string // what led there
	Simulation Simulation

	at source.Span
}

// RunTests runs the tests of the file. A file that was loaded passes all of them.
func (f *File) RunTests() []TestResult {
	results := make([]TestResult, len(f.tests))
	for i := range f.tests {
		results[i] = f.tests[i].Run(f, nil)
	}
	return results
}

// Run runs the test by a file. seen, if not nil, is called for every part of a condition that is looked at.
func (t *Case) Run(f *File, seen Observer) TestResult {
	r := TestResult{Name: t.Name, Line: t.At.Line, Passed: true, at: t.At}
	s, err := f.simulate(t.Call, t.Time, t.Given, seen)
	if err != nil {
		r.Passed, r.Why = false, err.Error()
		return r
	}
	r.Simulation = s
	for _, e := range t.Expect {
		if got, ok := e.Holds(s); !ok {
			r.Passed, r.at = false, e.at
			r.Expected, r.Got, r.Why = e.String(), got, s.story(e)
			return r
		}
	}
	return r
}

func (e Expectation) String() string { return e.What + " " + strconv.Quote(e.Want) }

// Holds compares what came out with what was expected, and returns what came out.
func (e Expectation) Holds(s Simulation) (string, bool) {
	var got *string
	switch e.What {
	case "action":
		got = ptr(string(s.Action))
	case "by":
		got = ptr(string(s.By))
	case "rule":
		got = s.Rule
	case "queue":
		got = s.Queue
	case "answer":
		got = s.Answer
	case "message":
		if s.Message != nil && *s.Message == e.Want {
			return "", true
		}
		got = s.Message
		if s.Text != nil {
			got = s.Text
		}
	}
	if got == nil {
		return "no " + e.What, false
	}
	return e.What + " " + strconv.Quote(*got), *got == e.Want
}

// story says what led to the outcome of a dry run, with an eye on what was expected.
func (s Simulation) story(e Expectation) string {
	var parts []string
	if s.err != nil {
		parts = append(parts, s.err.Error())
	}
	if e.What == "message" && s.textError != nil {
		parts = append(parts, s.textError.Error())
	}
	for i, t := range s.Trace {
		deciding := s.By == ByRule && i == len(s.Trace)-1
		expected := e.What == "rule" && t.Rule == e.Want
		if deciding || expected || t.Result == PassedOn {
			parts = append(parts, fmt.Sprintf("rule %q (line %d) %s: %s", t.Rule, t.Line, t.Result.Words(), t.Why))
		}
	}
	if e.What == "rule" && slices.Contains(s.NotReached, e.Want) {
		parts = append(parts, fmt.Sprintf("rule %q was not reached", e.Want))
	}
	if s.By == ByDefault {
		parts = append(parts, "no rule decided, so the default did")
	}
	return strings.Join(parts, "; ")
}

// runTests reports the tests that fail, each at what it expects.
func (l *loader) runTests() {
	for _, r := range l.f.RunTests() {
		if err := r.Simulation.textError; err != nil {
			l.ErrorAt(r.at, "test-failed",
				fmt.Sprintf("test %s: the message cannot be rendered: %v", source.Quoted(r.Name), err), "")
		}
		if r.Passed {
			continue
		}
		message := fmt.Sprintf("test %s failed: expected %s, got %s", source.Quoted(r.Name), r.Expected, r.Got)
		if r.Expected == "" {
			message = fmt.Sprintf("test %s failed: %s", source.Quoted(r.Name), r.Why)
		}
		hint := ""
		if r.Why != "" {
			hint = "why: " + r.Why
		}
		l.ErrorAt(r.at, "test-failed", message, hint)
	}
}
