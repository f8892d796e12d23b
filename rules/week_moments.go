package rules

import (
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"

	"callrouter/rules/hours"
)

// reading is what of the passing time a part of a condition reads, and so where it can turn. All of it is on the clock of
// the file, and includes the instants at which that clock is set.
type reading struct {
	minutes     []int // of the day: where the date, an hour, or a clock time that is compared with begins or is over
	hours       []int // whose windows it reads
	lists       []string
	everyMinute bool
	everySecond bool
}

// wholeDay and wholeHour are the minutes at which what is the same for a day or an hour can turn.
var (
	wholeDay  = []int{0}
	wholeHour = func() (all []int) {
		for m := 0; m < hours.MinutesPerDay; m += 60 {
			all = append(all, m)
		}
		return all
	}()
)

// readingOf finds out what an atom reads by its tree. What is not known by its form is taken to read all there is.
func (f *File) readingOf(a *atom) reading {
	tree, err := parser.ParseWithConfig(a.text, conf.CreateNew())
	if err != nil {
		return reading{everySecond: true}
	}
	var r reading
	f.read(&r, tree.Node)
	return r
}

func (f *File) read(r *reading, n ast.Node) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		r.readValue(n.Value)
		return
	case *ast.BinaryNode:
		if r.readComparison(n) {
			return
		}
	case *ast.CallNode:
		if f.readCall(r, n) {
			return
		}
	}
	for _, c := range childrenOf(n) {
		f.read(r, c)
	}
}

func (r *reading) readValue(name string) {
	switch name {
	case "today", "weekday":
		addTo(&r.minutes, wholeDay...)
	case "clock":
		r.everyMinute = true
	case "now":
		r.everySecond = true
	}
}

// readComparison reads the comparison of clock with a literal, or with several: it can turn where the clock begins to show
// it, where it no longer does, and where the day begins anew.
func (r *reading) readComparison(n *ast.BinaryNode) bool {
	var literals []ast.Node
	switch n.Operator {
	case "==", "!=", "<", "<=", ">", ">=":
		if isClock(n.Left) {
			literals = []ast.Node{n.Right}
		} else if isClock(n.Right) {
			literals = []ast.Node{n.Left}
		}
	case "in":
		if several, ok := n.Right.(*ast.ArrayNode); ok && isClock(n.Left) {
			literals = several.Nodes
		}
	}
	var minutes []int
	for _, l := range literals {
		s, ok := l.(*ast.StringNode)
		if !ok {
			return false
		}
		minute, err := hours.ParseClock(s.Value)
		if err != nil {
			return false
		}
		minutes = append(minutes, minute, minute+1)
	}
	if len(minutes) == 0 {
		return false
	}
	addTo(&r.minutes, wholeDay...)
	addTo(&r.minutes, minutes...)
	return true
}

func isClock(n ast.Node) bool {
	name, ok := n.(*ast.IdentifierNode)
	return ok && name.Value == "clock"
}

// readCall reads a call of one of our functions or of a method of now. It answers false for any other.
func (f *File) readCall(r *reading, n *ast.CallNode) bool {
	switch callee := n.Callee.(type) {
	case *ast.MemberNode:
		base, ok := callee.Node.(*ast.IdentifierNode)
		method, named := callee.Property.(*ast.StringNode)
		if !ok || !named || base.Value != "now" {
			return false
		}
		r.readMethod(method.Value, n.Arguments)
		for _, a := range n.Arguments {
			f.read(r, a)
		}
		return true
	case *ast.IdentifierNode:
		k, ours := functionNames[callee.Value]
		if !ours {
			return false
		}
		f.readFunction(r, callee.Value, k, n.Arguments[0])
		f.read(r, n.Arguments[0])
		return true
	}
	return false
}

func (r *reading) readMethod(method string, arguments []ast.Node) {
	switch method {
	case "Year", "Month", "Day", "Weekday", "YearDay":
		addTo(&r.minutes, wholeDay...)
	case "Hour":
		addTo(&r.minutes, wholeHour...)
	case "Minute":
		r.everyMinute = true
	case "Format":
		if len(arguments) == 1 {
			if layout, ok := arguments[0].(*ast.StringNode); ok {
				r.readFormat(layout.Value)
				return
			}
		}
		r.everySecond = true
	default:
		r.everySecond = true
	}
}

// readFormat finds out by trying what a layout shows of a time. No two parts of these are equal.
func (r *reading) readFormat(layout string) {
	shows := func(t time.Time) bool {
		base := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
		return t.Format(layout) != base.Format(layout)
	}
	switch {
	case shows(time.Date(2001, 2, 3, 4, 5, 7, 789_000_000, time.UTC)), shows(time.Date(2001, 2, 3, 4, 5, 6, 123_456_789, time.UTC)):
		r.everySecond = true
	case shows(time.Date(2001, 2, 3, 4, 8, 6, 789_000_000, time.UTC)):
		r.everyMinute = true
	default:
		addTo(&r.minutes, wholeHour...)
	}
}

func (f *File) readFunction(r *reading, name string, k kind, argument ast.Node) {
	literal, named := argument.(*ast.StringNode)
	switch {
	case k == aCalendar:
		addTo(&r.minutes, wholeDay...)
	case k == aList && named:
		addTo(&r.lists, literal.Value)
	case k == aList:
		addTo(&r.lists, f.listNames()...)
	case name == "opens", name == "closes":
		// What is a year ahead comes into sight at any minute.
		r.everyMinute = true
	case k == anHours && named:
		addTo(&r.hours, f.hoursByName[literal.Value])
	case k == anHours:
		for i := range f.hours {
			addTo(&r.hours, i)
		}
	}
}

// moments are the instants at which parts of conditions can turn.
type moments struct {
	atoms                    []*atom // all that the call can meet
	at                       map[time.Time][]*atom
	everyMinute, everySecond []*atom
}

// momentsOf are the moments between two instants, exclusive, for what this call can meet.
func (f *File) momentsOf(call Call, from, to time.Time, g Given) moments {
	m := moments{at: map[time.Time][]*atom{}}
	number, ok := f.numbersByName[call.Number]
	if !ok {
		number = -1
	}
	seen := map[*atom]bool{}
	for i := range f.rules {
		if !f.rules[i].answersFor(number) {
			continue
		}
		f.rules[i].when.each(func(a *atom) {
			if !seen[a] {
				seen[a] = true
				m.atoms = append(m.atoms, a)
			}
		})
	}
	key := call.Caller.Key()
	edges := map[int][]time.Time{} // of hours
	for _, a := range m.atoms {
		add := func(t time.Time) {
			if t.After(from) && t.Before(to) {
				if t = t.UTC(); !slices.Contains(m.at[t], a) {
					m.at[t] = append(m.at[t], a)
				}
			}
		}
		r := f.readingOf(a)
		switch {
		case r.everySecond, r.everyMinute && from.Before(evenZones):
			m.everySecond = append(m.everySecond, a)
		case r.everyMinute:
			m.everyMinute = append(m.everyMinute, a)
		}
		if len(r.minutes) > 0 {
			for _, t := range hours.ClockTurns(f.loc, from, to, r.minutes) {
				add(t)
			}
		}
		for _, name := range r.lists {
			if until, ok := f.listsByName[name].entries[key]; ok && !until.IsZero() {
				add(until)
			}
		}
		for _, i := range r.hours {
			if edges[i] == nil {
				_, switched := g.Switches[f.hours[i].Name]
				edges[i] = f.hours[i].Edges(from, to, switched)
			}
			for _, t := range edges[i] {
				add(t)
			}
		}
	}
	return m
}
