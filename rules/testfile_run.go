package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// CaseResult is what became of one test.
type CaseResult struct {
	File     string        `json:"file"` // where the test stands
	Line     int           `json:"line"`
	Name     string        `json:"name"`
	OK       bool          `json:"ok"`
	Call     string        `json:"call"`     // the call and what was given, in one line
	Expected *string       `json:"expected"` // what did not hold; null if the test passed
	Got      *string       `json:"got"`      // what there was in its place
	Why      *string       `json:"why"`      // one reason a line
	Decision *Simulation   `json:"decision"` // null only if the call could not be simulated
	Took     time.Duration `json:"-"`
}

// Names are the names of all tests, in the order in which they are run.
func (t *Tests) Names() []string {
	var all []string
	for _, s := range t.suites {
		all = append(all, names(s.cases, func(c testCase) string { return c.name })...)
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
			if wanted == nil || wanted(s.cases[i].name) {
				results = append(results, s.run(&s.cases[i]))
			}
		}
	}
	return results
}

// Coverage is what all that was run so far has covered of the rules files.
func (t *Tests) Coverage() Coverage {
	all := Coverage{Percent: 100, Rules: CoverageOf{Percent: 100}, Conditions: CoverageOf{Percent: 100}, Missing: []NotCovered{}}
	for _, r := range t.rules {
		r.coverage.addTo(&all, r.l)
	}
	all.sort()
	return all
}

func (s *suite) run(c *testCase) CaseResult {
	start := time.Now()
	f := s.rules.f
	r := c.run(f, s.rules.coverage.look)
	s.rules.coverage.note(r.Simulation)
	out := CaseResult{File: s.path, Line: c.at.Line, Name: c.name, OK: r.Passed, Call: c.describe(f), Took: time.Since(start)}
	if r.Simulation.Action != "" {
		out.Decision = &r.Simulation
	}
	switch err := r.Simulation.textError; {
	case !r.Passed && r.Expected == "":
		out.Why = ptr(r.Why)
	case !r.Passed:
		s.compare(&out, c)
	case err != nil:
		out.OK, out.Expected, out.Got, out.Why = false, ptr("a message that can be rendered"), ptr("no text"), ptr(err.Error())
	}
	return out
}

// compare fills in what did not hold, and why.
func (s *suite) compare(out *CaseResult, c *testCase) {
	var expected, got []string
	wanted := ""
	for _, e := range c.expect {
		if e.what == "rule" {
			wanted = e.want
		}
		if g, ok := e.holds(*out.Decision); !ok {
			expected, got = append(expected, e.String()), append(got, g)
		}
	}
	out.Expected, out.Got = ptr(strings.Join(expected, ", ")), ptr(strings.Join(got, ", "))
	t := teller{f: s.rules.f, s: *out.Decision}
	t.tell(wanted, c.expect)
	out.Why = ptr(strings.Join(t.lines, "\n"))
}

// teller says why a test did not come out as expected.
type teller struct {
	f     *File
	s     Simulation
	lines []string
}

// maxCandidates is how many rules are explained to whose action a test expects without naming a rule.
const maxCandidates = 3

func (t *teller) tell(wanted string, expect []expectation) {
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
		if !told[step.Rule] && (step.Result == PassedOn || last && (step.Result == Decided || step.Result == Errored)) {
			t.tellStep(step)
		}
	}
	if t.s.By == ByDefault {
		t.add("no rule decided, so the default did")
	}
	if t.s.textError != nil {
		t.add("%v", t.s.textError)
	}
}

func (t *teller) add(format string, args ...any) {
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

// candidates are the rules that would have done what the test expects.
func (t *teller) candidates(expect []expectation) []string {
	var all []string
	for i := range t.f.rules {
		r := &t.f.rules[i]
		would := Simulation{
			Action: r.decision.Action, By: ByRule, Rule: &r.name, Queue: ptr(r.decision.Queue), Answer: ptr(r.decision.Answer), Message: ptr(r.decision.Message),
		}
		if !slices.ContainsFunc(expect, func(e expectation) bool { _, ok := e.holds(would); return !ok }) {
			all = append(all, r.name)
		}
	}
	if len(all) > maxCandidates {
		return nil
	}
	return all
}

// tellOf says what became of a rule that was expected.
func (t *teller) tellOf(name string) {
	i := slices.IndexFunc(t.s.Trace, func(step Trace) bool { return step.Rule == name })
	if i >= 0 {
		t.tellStep(t.s.Trace[i])
		return
	}
	line := 0
	if r, ok := find(t.f.rules, func(r rule) bool { return r.name == name }); ok {
		line = r.line
	}
	last := t.s.Trace[len(t.s.Trace)-1] // whoever was not reached was kept from it by a rule
	t.add("rule %q (%s:%d) was not reached: rule %q (%s:%d) %s before it",
		name, t.f.path, line, last.Rule, t.f.path, last.Line, resultWords[last.Result])
}

func (t *teller) tellStep(step Trace) {
	line := fmt.Sprintf("rule %q (%s:%d) %s: %s", step.Rule, t.f.path, step.Line, resultWords[step.Result], step.Why)
	var read []string
	for _, text := range sortedKeys(step.Values) {
		if !strings.Contains(step.Why, oneLine(text)+" is ") {
			read = append(read, fmt.Sprintf("%s is %s", oneLine(text), show(step.Values[text])))
		}
	}
	if len(read) > 0 {
		line += "; also read: " + strings.Join(read, ", ")
	}
	t.add("%s", line)
}

// describe is the call of a test and the state of the world it is made in, in one line.
func (c *testCase) describe(f *File) string {
	var b strings.Builder
	from := c.call.Caller.Number
	if from == "" {
		from = withheld
	}
	fmt.Fprintf(&b, "from %s to %s at %s", from, c.call.Number, c.time.In(f.loc).Format("Mon 2006-01-02 15:04:05 -07:00"))
	for _, p := range []struct{ what, value string }{{"id", c.call.Caller.ID}, {"name", c.call.Caller.Name}, {"payload", c.call.Payload}} {
		if p.value != "" && (p.what != "id" || c.call.Caller.Number == "") {
			fmt.Fprintf(&b, ", %s %q", p.what, p.value)
		}
	}
	if given := c.given.describe(); given != "" {
		b.WriteString("; given " + given)
	}
	return b.String()
}

func (g Given) describe() string {
	var all []string
	for _, p := range []struct {
		what string
		of   map[string]int
	}{{"free", g.Free}, {"online", g.Online}, {"waiting", g.Waiting}} {
		for _, q := range sortedKeys(p.of) {
			all = append(all, fmt.Sprintf("%s %s=%d", p.what, q, p.of[q]))
		}
	}
	if len(g.Listed) > 0 {
		all = append(all, "listed "+strings.Join(g.Listed, " "))
	}
	if g.Calls > 0 {
		all = append(all, fmt.Sprintf("calls %d", g.Calls))
	}
	for _, h := range sortedKeys(g.Switches) {
		all = append(all, fmt.Sprintf("switch %s=%s", h, map[bool]string{true: "open", false: "closed"}[g.Switches[h]]))
	}
	if len(g.NoAnswer) > 0 {
		all = append(all, "no_answer "+strings.Join(g.NoAnswer, " "))
	}
	if len(g.Fails) > 0 {
		all = append(all, "fails "+strings.Join(g.Fails, " "))
	}
	if g.StoreDown {
		all = append(all, "store down")
	}
	return strings.Join(all, ", ")
}
