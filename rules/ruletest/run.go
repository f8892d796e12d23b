package ruletest

import (
	"time"

	"callrouter/rules"
)

// CaseResult is what became of one test.
type CaseResult struct {
	File     string            `json:"file"` // where the test stands
	Line     int               `json:"line"`
	Name     string            `json:"name"`
	OK       bool              `json:"ok"`
	Call     string            `json:"call"`     // the call and what was given, in one line
	Expected *string           `json:"expected"` // what did not hold; null if the test passed
	Got      *string           `json:"got"`      // what there was in its place
	Why      *string           `json:"why"`      // one reason a line
	Decision *rules.Simulation `json:"decision"` // null only if the call could not be simulated
	Took     time.Duration     `json:"-"`
}

// Names are the names of all tests, in the order in which they are run.
func (t *Tests) Names() []string {
	var all []string
	for _, s := range t.suites {
		for _, c := range s.cases {
			all = append(all, c.Name)
		}
	}
	return all
}

// Empty are the files that were read and have no test.
func (t *Tests) Empty() []string {
	var all []string
	for _, s := range t.suites {
		if len(s.cases) == 0 {
			all = append(all, s.path)
		}
	}
	return all
}

// Run runs the tests whose names are wanted; a nil wanted is all of them. They are run by the compiled rules that the
// router itself would decide by.
func (t *Tests) Run(wanted func(name string) bool) []CaseResult {
	results := []CaseResult{}
	for _, s := range t.suites {
		for i := range s.cases {
			if wanted == nil || wanted(s.cases[i].Name) {
				results = append(results, s.run(&s.cases[i]))
			}
		}
	}
	return results
}

// Coverage is what all that was run so far has covered of the rules files.
func (t *Tests) Coverage() Coverage {
	all := Coverage{Percent: 100, Rules: CoverageOf{Percent: 100}, Conditions: CoverageOf{Percent: 100},
		Missing: []NotCovered{}}
	for _, r := range t.rules {
		r.coverage.addTo(&all, r.Compiled)
	}
	all.sort()
	return all
}

func (s *suite) run(c *rules.Case) CaseResult {
	start := time.Now()
	f := s.rules.File
	r := c.Run(f, s.rules.coverage.look)
	s.rules.coverage.note(r.Simulation)
	out := CaseResult{File: s.path, Line: c.At.Line, Name: c.Name, OK: r.Passed, Call: describe(c, f),
		Took: time.Since(start)}
	if r.Simulation.Action != "" {
		out.Decision = &r.Simulation
	}
	switch err := r.Simulation.TextErr(); {
	case !r.Passed && r.Expected == "":
		out.Why = pointer(r.Why)
	case !r.Passed:
		s.compare(&out, c)
	case err != nil:
		out.OK, out.Expected, out.Got, out.Why = false, pointer("a message that can be rendered"), pointer("no text"),
			pointer(err.Error())
	}
	return out
}
