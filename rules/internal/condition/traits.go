package condition

import "slices"

// traits are what a part of a condition reads.
type traits struct {
	needs     Needs
	hours     []int
	clockOnly bool
}

func (x *expression) traitsOf(n exprNode) traits {
	t := traits{clockOnly: true}
	x.addTraits(&t, n)
	return t
}

func (x *expression) addTraits(t *traits, n exprNode) {
	switch n := n.(type) {
	case *identifierNode:
		if !slices.Contains([]string{"today", "clock", "weekday"}, n.Value) {
			t.clockOnly = false
		}
		return
	case *callNode:
		switch callee := n.Callee.(type) {
		case *identifierNode:
			if _, ours := functionNames[callee.Value]; ours {
				x.addCall(t, callee.Value, n)
				return
			}
		case *memberNode:
			if readsMinute(callee) {
				return
			}
		}
	case *declarationNode:
		t.clockOnly = false
	}
	for _, c := range childrenOf(n) {
		x.addTraits(t, c)
	}
}

// readsMinute reports whether a method is one of now whose result is the same for a whole minute.
func readsMinute(n *memberNode) bool {
	base, ok1 := n.Node.(*identifierNode)
	method, ok2 := n.Property.(*stringNode)
	return ok1 && ok2 && base.Value == "now" &&
		slices.Contains([]string{"Year", "Month", "Day", "Hour", "Minute", "Weekday", "YearDay"}, method.Value)
}

// addCall adds what a call of one of our functions reads.
func (x *expression) addCall(t *traits, name string, n *callNode) {
	literal, isLiteral := n.Arguments[0].(*stringNode)
	if !isLiteral {
		x.addTraits(t, n.Arguments[0])
	}
	facts := &t.needs
	text := func() {
		if facts.Text == "" {
			from, to := x.extent(n)
			facts.Text = x.slice(from, to)
		}
	}
	switch k := functionNames[name]; {
	case k == Hours && isLiteral:
		t.hours = append(t.hours, slices.Index(x.names.Known(Hours), literal.Value))
		if name != "open" {
			t.clockOnly = false
		}
		return
	case k == Calendar && isLiteral:
		return
	case k == Calendar:
	case k == List && isLiteral:
		if x.names.InStore(literal.Value) {
			addTo(&facts.Lists, literal.Value)
			text()
		}
	case k == List:
		facts.AnyList = true
		text()
	case k == Queue && isLiteral:
		addTo(&facts.Queues, literal.Value)
		text()
	case k == Queue:
		facts.AnyQueue = true
		text()
	case k == "" && isLiteral:
		addTo(&facts.Calls, x.Durations[literal.Value])
		text()
	case k == "":
		facts.anyCalls = true
		text()
	}
	t.clockOnly = false
	if !isLiteral {
		x.useAll(functionNames[name])
	}
}

// useAll notes that a name that is made up at run time could be any.
func (x *expression) useAll(k Kind) {
	for _, name := range x.names.Known(k) {
		x.names.Use(k, name)
	}
}
