package condition

import (
	"time"

	"callrouter/rules/hours"
)

// reading is what of the passing time a part of a condition reads, and so where it can turn. All of it is on the clock
// of the file, and includes the instants at which that clock is set.
type reading struct {
	Minutes     []int    // of the day: where the date, an hour, or a clock time that is compared with begins or is over
	Hours       []string // whose windows it reads
	AnyHours    bool     // their name is made up at run time
	Lists       []string
	AnyList     bool
	EveryMinute bool
	EverySecond bool
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

// Reading finds out by its tree what an atom reads of the passing time. A part whose form is not known counts as
// reading all there is.
func (a *Atom) Reading() reading {
	root, err := parse(a.Text, nil)
	if err != nil {
		return reading{EverySecond: true}
	}
	var r reading
	r.read(root)
	return r
}

func (r *reading) read(n exprNode) {
	switch n := n.(type) {
	case *identifierNode:
		r.readValue(n.Value)
		return
	case *binaryNode:
		if r.readComparison(n) {
			return
		}
	case *callNode:
		if r.readCall(n) {
			return
		}
	}
	for _, c := range childrenOf(n) {
		r.read(c)
	}
}

func (r *reading) readValue(name string) {
	switch name {
	case "today", "weekday":
		addTo(&r.Minutes, wholeDay...)
	case "clock":
		r.EveryMinute = true
	case "now":
		r.EverySecond = true
	}
}

// readComparison reads the comparison of clock with a literal, or with several: it can turn where the clock begins to
// show it, where it no longer does, and where the day begins anew.
func (r *reading) readComparison(n *binaryNode) bool {
	var literals []exprNode
	switch n.Operator {
	case "==", "!=", "<", "<=", ">", ">=":
		if isClock(n.Left) {
			literals = []exprNode{n.Right}
		} else if isClock(n.Right) {
			literals = []exprNode{n.Left}
		}
	case "in":
		if several, ok := n.Right.(*arrayNode); ok && isClock(n.Left) {
			literals = several.Nodes
		}
	}
	var minutes []int
	for _, l := range literals {
		s, ok := l.(*stringNode)
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
	addTo(&r.Minutes, wholeDay...)
	addTo(&r.Minutes, minutes...)
	return true
}

func isClock(n exprNode) bool {
	name, ok := n.(*identifierNode)
	return ok && name.Value == "clock"
}

// readCall reads a call of one of our functions or of a method of now. It returns false for any other.
func (r *reading) readCall(n *callNode) bool {
	switch callee := n.Callee.(type) {
	case *memberNode:
		base, ok := callee.Node.(*identifierNode)
		method, named := callee.Property.(*stringNode)
		if !ok || !named || base.Value != "now" {
			return false
		}
		r.readMethod(method.Value, n.Arguments)
		for _, a := range n.Arguments {
			r.read(a)
		}
		return true
	case *identifierNode:
		k, ours := functionNames[callee.Value]
		if !ours {
			return false
		}
		r.readFunction(callee.Value, k, n.Arguments[0])
		r.read(n.Arguments[0])
		return true
	}
	return false
}

func (r *reading) readMethod(method string, arguments []exprNode) {
	switch method {
	case "Year", "Month", "Day", "Weekday", "YearDay":
		addTo(&r.Minutes, wholeDay...)
	case "Hour":
		addTo(&r.Minutes, wholeHour...)
	case "Minute":
		r.EveryMinute = true
	case "Format":
		if len(arguments) == 1 {
			if layout, ok := arguments[0].(*stringNode); ok {
				r.readFormat(layout.Value)
				return
			}
		}
		r.EverySecond = true
	default:
		r.EverySecond = true
	}
}

// readFormat finds out by trying what a layout shows of a time. No two parts of these are equal.
func (r *reading) readFormat(layout string) {
	shows := func(t time.Time) bool {
		base := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
		return t.Format(layout) != base.Format(layout)
	}
	switch {
	case shows(time.Date(2001, 2, 3, 4, 5, 7, 789_000_000, time.UTC)),
		shows(time.Date(2001, 2, 3, 4, 5, 6, 123_456_789, time.UTC)):
		r.EverySecond = true
	case shows(time.Date(2001, 2, 3, 4, 8, 6, 789_000_000, time.UTC)):
		r.EveryMinute = true
	default:
		addTo(&r.Minutes, wholeHour...)
	}
}

func (r *reading) readFunction(name string, k Kind, argument exprNode) {
	literal, named := argument.(*stringNode)
	switch {
	case k == Calendar:
		addTo(&r.Minutes, wholeDay...)
	case k == List && named:
		addTo(&r.Lists, literal.Value)
	case k == List:
		r.AnyList = true
	case name == "opens", name == "closes":
		// What is a year ahead comes into sight at any minute.
		r.EveryMinute = true
	case k == Hours && named:
		addTo(&r.Hours, literal.Value)
	case k == Hours:
		r.AnyHours = true
	}
}
