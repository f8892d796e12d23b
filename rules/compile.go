package rules

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"
	"github.com/expr-lang/expr/vm"

	"callrouter/rules/hours"
)

// language compiles the expressions of one file. Equal atoms and reads are compiled once.
type language struct {
	l      *loader
	config *conf.Config
	atoms  map[string]*atom
	uses   map[*atom]int
	reads  map[string]*read
}

func newLanguage(l *loader) *language {
	x := &language{l: l, config: conf.CreateNew(), atoms: map[string]*atom{}, uses: map[*atom]int{}, reads: map[string]*read{}}
	options := []expr.Option{expr.Env(environment{}), expr.MaxNodes(maxConditionNodes)}
	for _, f := range builtin.Builtins {
		if !slices.Contains(allowedBuiltins, f.Name) {
			options = append(options, expr.DisableBuiltin(f.Name))
		}
	}
	for _, o := range options {
		o(x.config)
	}
	for name := range x.config.Disabled {
		delete(x.config.Builtins, name)
	}
	l.f.durations = map[string]time.Duration{}
	return x
}

// compileText makes a program of a text that is sound as a whole or a part of one that is. The error is the language's own.
func (x *language) compileText(text string, want reflect.Kind) (*vm.Program, reflect.Type, error) {
	config := x.config
	config.Expect, config.ExpectAny = want, false
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, nil, err
	}
	t, err := new(checker.Checker).PatchAndCheck(tree, config)
	if err != nil {
		return nil, nil, err
	}
	if err := optimizer.Optimize(&tree.Node, config); err != nil {
		return nil, nil, err
	}
	program, err := compiler.Compile(tree, config)
	return program, t, err
}

// condition compiles a whole condition. It is nil if anything is wrong with it.
func (x *expression) condition() *condition {
	if !x.read() {
		return nil
	}
	x.inspect(x.root, context{})
	c := x.split(x.root, 0, len(x.tokens))
	if x.failed {
		return nil
	}
	return c
}

// split takes the tokens from lo to hi, which make the node, apart at and, or and not.
func (x *expression) split(n ast.Node, lo, hi int) *condition {
	for hi-lo > 2 && x.tokens[lo].Is(lexer.Bracket, "(") && x.closing(lo) == hi-1 {
		lo, hi = lo+1, hi-1
	}
	switch n := n.(type) {
	case *ast.BinaryNode:
		op, ok := booleanOperators[n.Operator]
		at := x.tokenAt(n.Location().From)
		// A chain such as 9 <= x < 18 is an `and` that is not written.
		if ok && at > lo && at < hi-1 && x.tokens[at].Is(lexer.Operator, n.Operator) {
			return join(op, x.split(n.Left, lo, at), x.split(n.Right, at+1, hi))
		}
	case *ast.UnaryNode:
		written := x.tokens[lo].From == n.Location().From // or else it is `x not in y`
		if written && hi-lo > 1 && x.tokens[lo].Is(lexer.Operator, "not", "!") {
			return &condition{op: isNot, parts: []*condition{x.split(n.Node, lo+1, hi)}}
		}
	}
	from, to := x.tokens[lo].From, x.tokens[hi-1].To
	return &condition{op: isAtom, atom: x.atom(n, from, to), from: from, to: to}
}

var booleanOperators = map[string]operator{"and": isAnd, "&&": isAnd, "or": isOr, "||": isOr}

// join makes one node of nested ones of the same operator.
func join(op operator, parts ...*condition) *condition {
	c := &condition{op: op}
	for _, p := range parts {
		if p.op == op {
			c.parts = append(c.parts, p.parts...)
		} else {
			c.parts = append(c.parts, p)
		}
	}
	return c
}

// atom compiles a part of a condition, once for all rules that have it.
func (x *expression) atom(n ast.Node, from, to int) *atom {
	text := x.slice(from, to)
	if a, ok := x.atoms[text]; ok {
		x.uses[a]++
		return a
	}
	a := &atom{text: text, clock: -1, memo: -1}
	if x.isBroken(n) {
		return a
	}
	program, _, err := x.compileText(text, reflect.Bool)
	if err != nil {
		x.typeError(n, from, to, err)
		return a
	}
	a.program = program
	traits := x.traitsOf(n)
	a.needs, a.hours = traits.needs, traits.hours
	if traits.clockOnly {
		a.clock = x.l.f.clocks
		x.l.f.clocks++
	}
	a.reads = x.readsOf(n, nil)
	a.safe, a.guard = isSafe(n, x.l.f.listsByName), guardOf(n, x.l.f.listsByName)
	x.atoms[text] = a
	x.uses[a]++
	x.l.f.atoms = append(x.l.f.atoms, a)
	return a
}

func (x *expression) isBroken(n ast.Node) bool {
	return anywhere(n, func(c ast.Node) bool { return slices.Contains(x.broken, c) })
}

// typeError reports what the type checker said of a part, at its place.
func (x *expression) typeError(n ast.Node, from, to int, err error) {
	machine := (*file.Error)(nil)
	if !errors.As(err, &machine) {
		message, hint := typeError(err.Error())
		if x.what != theCondition {
			message = "this cannot stand in a message: " + message
		}
		x.fail(from, to, "condition-type", message, hint)
		return
	}
	at := from + machine.From
	culprit := n
	anywhere(n, func(c ast.Node) bool {
		if c.Location().From == at {
			culprit = c
			return true
		}
		return false
	})
	from, to = x.extent(culprit)
	message, hint := typeError(machine.Message)
	x.fail(from, to, "condition-type", message, hint)
}

// traits are what a part of a condition reads.
type traits struct {
	needs     needs
	hours     []int
	clockOnly bool
}

func (x *expression) traitsOf(n ast.Node) traits {
	t := traits{clockOnly: true}
	x.addTraits(&t, n)
	return t
}

func (x *expression) addTraits(t *traits, n ast.Node) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if !slices.Contains([]string{"today", "clock", "weekday"}, n.Value) {
			t.clockOnly = false
		}
		return
	case *ast.CallNode:
		switch callee := n.Callee.(type) {
		case *ast.IdentifierNode:
			if _, ours := functionNames[callee.Value]; ours {
				x.addCall(t, callee.Value, n)
				return
			}
		case *ast.MemberNode:
			if readsMinute(callee) {
				return
			}
		}
	case *ast.VariableDeclaratorNode:
		t.clockOnly = false
	}
	for _, c := range childrenOf(n) {
		x.addTraits(t, c)
	}
}

// readsMinute says whether a method is one of now whose result is the same for a whole minute.
func readsMinute(n *ast.MemberNode) bool {
	base, ok1 := n.Node.(*ast.IdentifierNode)
	method, ok2 := n.Property.(*ast.StringNode)
	return ok1 && ok2 && base.Value == "now" &&
		slices.Contains([]string{"Year", "Month", "Day", "Hour", "Minute", "Weekday", "YearDay"}, method.Value)
}

// addCall adds what a call of one of our functions reads.
func (x *expression) addCall(t *traits, name string, n *ast.CallNode) {
	literal, isLiteral := n.Arguments[0].(*ast.StringNode)
	if !isLiteral {
		x.addTraits(t, n.Arguments[0])
	}
	facts := &t.needs
	text := func() {
		if facts.text == "" {
			from, to := x.extent(n)
			facts.text = x.slice(from, to)
		}
	}
	switch k := functionNames[name]; {
	case k == anHours && isLiteral:
		t.hours = append(t.hours, x.l.f.hoursByName[literal.Value])
		if name != "open" {
			t.clockOnly = false
		}
		return
	case k == aCalendar && isLiteral:
		return
	case k == aCalendar:
		x.allCalendars()
	case k == aList && isLiteral:
		if x.l.f.listsByName[literal.Value].Store {
			addTo(&facts.lists, literal.Value)
			text()
		}
	case k == aList:
		facts.anyList = true
		text()
	case k == aQueue && isLiteral:
		addTo(&facts.queues, literal.Value)
		text()
	case k == aQueue:
		facts.anyQueue = true
		text()
	case k == "" && isLiteral:
		addTo(&facts.calls, x.l.f.durations[literal.Value])
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
func (x *expression) useAll(k kind) {
	for _, name := range x.l.known[k] {
		x.l.use(k, name)
	}
}

// allCalendars makes every public calendar known at run time, for a name that is made up there.
func (x *expression) allCalendars() {
	for _, code := range hours.PublicCalendars() {
		if c, err := hours.PublicCalendar(code, nil); err == nil {
			x.l.f.calendars[code] = c
		}
	}
}

// readsOf finds the largest pieces of a part that only read.
func (x *expression) readsOf(n ast.Node, variables []string) []*read {
	if declared, ok := n.(*ast.VariableDeclaratorNode); ok {
		variables = append(slices.Clone(variables), declared.Name)
	}
	if isRead(n, variables) {
		from, to := x.extent(n)
		if r := x.compileRead(x.slice(from, to)); r != nil {
			r.hours = hoursAsked(n)
			return []*read{r}
		}
	}
	var all []*read
	for _, c := range childrenOf(n) {
		addTo(&all, x.readsOf(c, variables)...)
	}
	return all
}

// hoursAsked is the name of the hours that a node asks for, if it is open("NAME").
func hoursAsked(n ast.Node) string {
	call, ok := n.(*ast.CallNode)
	if !ok || len(call.Arguments) != 1 {
		return ""
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	if !ok || callee.Value != "open" {
		return ""
	}
	if name, ok := call.Arguments[0].(*ast.StringNode); ok {
		return name.Value
	}
	return ""
}

func (x *expression) compileRead(text string) *read {
	if r, ok := x.reads[text]; ok {
		return r
	}
	program, _, err := x.compileText(text, reflect.Invalid)
	if err != nil {
		return nil
	}
	r := &read{text: text, program: program}
	x.reads[text] = r
	return r
}

// isRead says whether a node is a value of the environment, a member of one, or a call of one of our functions or of a
// method with arguments that are literals or reads.
func isRead(n ast.Node, variables []string) bool {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return slices.Contains(valueNames, n.Value) && !slices.Contains(variables, n.Value)
	case *ast.MemberNode:
		_, named := n.Property.(*ast.StringNode)
		return named && isRead(n.Node, variables)
	case *ast.CallNode:
		for _, a := range n.Arguments {
			if !isLiteral(a) && !isRead(a, variables) {
				return false
			}
		}
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			_, ours := functionNames[callee.Value]
			return ours
		}
		return isRead(n.Callee, variables)
	}
	return false
}

// finish gives every atom that more than one rule has a place in the memory of an evaluation.
func (x *language) finish() {
	for _, a := range x.l.f.atoms {
		if x.uses[a] > 1 && a.clock < 0 {
			a.memo = x.l.f.memos
			x.l.f.memos++
		}
	}
}

const theCondition = "the condition"

func unsupported(t reflect.Type) string {
	return fmt.Sprintf("a message holds texts and whole numbers, and this is %s", typeWord(t.String()))
}
