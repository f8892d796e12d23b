package ruletest

import (
	"fmt"
	"slices"
	"strings"

	"callrouter/rules"
)

// compare fills in what did not hold, and why.
func (s *suite) compare(out *CaseResult, c *rules.Case) {
	var expected, got []string
	wanted := ""
	for _, e := range c.Expect {
		if e.What == "rule" {
			wanted = e.Want
		}
		if g, ok := e.Holds(*out.Decision); !ok {
			expected, got = append(expected, e.String()), append(got, g)
		}
	}
	out.Expected, out.Got = pointer(strings.Join(expected, ", ")), pointer(strings.Join(got, ", "))
	t := teller{path: s.rules.File.Path(), rules: s.rules.Rules(), s: *out.Decision}
	t.tell(wanted, c.Expect)
	out.Why = pointer(strings.Join(t.lines, "\n"))
}

// teller says why a test did not come out as expected.
type teller struct {
	path  string // of the rules file
	rules []rules.CompiledRule
	s     rules.Simulation
	lines []string
}

// maxCandidates is how many rules are explained to whose action a test expects without naming a rule.
const maxCandidates = 3

func (t *teller) tell(wanted string, expect []rules.Expectation) {
	about := []string{wanted}
	if wanted == "" {
		about = t.candidates(expect)
	}
	told := map[string]bool{}
	for _, name := range about {
		if name != "" {
			t.tellOf(name)
			told[name] = true
		}
	}
	for i, step := range t.s.Trace {
		last := i == len(t.s.Trace)-1
		if !told[step.Rule] && (step.Result == rules.PassedOn || last &&
			(step.Result == rules.Decided || step.Result == rules.Errored)) {
			t.tellStep(step)
		}
	}
	if t.s.By == rules.ByDefault {
		t.add("no rule decided, so the default did")
	}
	if t.s.TextErr() != nil {
		t.add("%v", t.s.TextErr())
	}
}

func (t *teller) add(format string, args ...any) {
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

// candidates are the rules that would have done what the test expects.
func (t *teller) candidates(expect []rules.Expectation) []string {
	var all []string
	for _, r := range t.rules {
		would := rules.Simulation{
			Action: r.Decision.Action, By: rules.ByRule, Rule: &r.Name,
			Queue: pointer(r.Decision.Queue), Answer: pointer(r.Decision.Answer), Message: pointer(r.Decision.Message),
		}
		if !slices.ContainsFunc(expect, func(e rules.Expectation) bool { _, ok := e.Holds(would); return !ok }) {
			all = append(all, r.Name)
		}
	}
	if len(all) > maxCandidates {
		return nil
	}
	return all
}

// tellOf says what became of a rule that was expected.
func (t *teller) tellOf(name string) {
	i := slices.IndexFunc(t.s.Trace, func(step rules.Trace) bool { return step.Rule == name })
	if i >= 0 {
		t.tellStep(t.s.Trace[i])
		return
	}
	line := 0
	if i := slices.IndexFunc(t.rules, func(r rules.CompiledRule) bool { return r.Name == name }); i >= 0 {
		line = t.rules[i].Line
	}
	last := t.s.Trace[len(t.s.Trace)-1] // whoever was not reached was kept from it by a rule
	t.add("rule %q (%s:%d) was not reached: rule %q (%s:%d) %s before it",
		name, t.path, line, last.Rule, t.path, last.Line, last.Result.Words())
}

func (t *teller) tellStep(step rules.Trace) {
	line := fmt.Sprintf("rule %q (%s:%d) %s: %s", step.Rule, t.path, step.Line, step.Result.Words(), step.Why)
	var read []string
	for _, text := range sorted(step.Values) {
		if !strings.Contains(step.Why, inOneLine(text)+" is ") {
			read = append(read, fmt.Sprintf("%s is %s", inOneLine(text), shown(step.Values[text])))
		}
	}
	if len(read) > 0 {
		line += "; also read: " + strings.Join(read, ", ")
	}
	t.add("%s", line)
}
