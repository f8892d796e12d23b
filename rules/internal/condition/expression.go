package condition

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"callrouter/rules/internal/source"
)

// Bounds of a condition. They are checked before it is parsed: the parser recurses, and a stack that overflows cannot
// be recovered from.
const (
	maxCondition      = 4 << 10 // bytes
	maxConditionDepth = 64      // brackets, and operators that stand before what they are for
	maxConditionNodes = 500
)

// expression is a condition, or the inside of a `${}`, while it is compiled. Places in it are counted in characters.
type expression struct {
	*Language
	Text
	what string // "the condition"

	runes  []rune
	tokens []token
	root   exprNode
	failed bool
	broken []exprNode // nodes that were reported: compiling them would only say it again
}

func (x *expression) fail(from, to int, code, message, hint string) {
	x.failed = true
	x.doc.ErrorAt(x.Place(from, to), code, message, hint)
}

// refuse reports a node.
func (x *expression) refuse(n exprNode, code, message, hint string) {
	from, to := x.extent(n)
	x.broken = append(x.broken, n)
	x.fail(from, to, code, message, hint)
}

// read parses the text. It returns false, after it has reported a mistake, if the text has no tree.
func (x *expression) read() bool {
	x.runes = []rune(x.Text.Text)
	if strings.TrimSpace(x.Text.Text) == "" {
		x.fail(0, len(x.runes), "empty-condition", x.what+" is empty", "write one, or remove the key")
		return false
	}
	if len(x.Text.Text) > maxCondition {
		x.fail(0, 1, "condition-too-long",
			fmt.Sprintf("%s has %d bytes, and may have %d", x.what, len(x.Text.Text), maxCondition),
			"put long enumerations in a list and use listed(\"NAME\")")
		return false
	}
	tokens, err := lex(x.Text.Text)
	if err != nil {
		x.syntaxError(err)
		return false
	}
	x.tokens = tokens
	if len(x.tokens) == 0 {
		x.fail(0, len(x.runes), "empty-condition", x.what+" is empty", "write one, or remove the key")
		return false
	}
	if at, deep := x.tooDeep(); deep {
		x.fail(at.From, at.To, "condition-too-deep",
			fmt.Sprintf("%s is nested more than %d deep", x.what, maxConditionDepth), "split it into several rules")
		return false
	}
	root, err := parse(x.Text.Text, x.config)
	if err != nil {
		x.syntaxError(err)
		return false
	}
	x.root = root
	return true
}

// tooDeep finds the token at which brackets, or runs of prefix operators, are nested too deep.
func (x *expression) tooDeep() (token, bool) {
	brackets, prefixes := 0, 0
	for _, t := range x.tokens {
		switch {
		case t.Is(bracketToken, "(", "[", "{"):
			brackets++
		case t.Is(bracketToken):
			brackets--
		}
		if t.Is(operatorToken, "not", "!", "-", "+", "?", "??", "**", "^") {
			prefixes++
		} else if !t.Is(bracketToken) {
			prefixes = 0
		}
		if brackets+prefixes > maxConditionDepth {
			return t, true
		}
	}
	return token{}, false
}

// syntaxError reports what the parser said, in words, at its place.
func (x *expression) syntaxError(err error) {
	parse := (*machineError)(nil)
	if !errors.As(err, &parse) {
		x.fail(0, len(x.runes), "condition-syntax", plainWords(err.Error()), "")
		return
	}
	from, to := min(parse.From, len(x.runes)), min(max(parse.To, parse.From+1), len(x.runes))
	code, message, hint := "condition-syntax", plainWords(parse.Message), ""
	switch {
	case strings.Contains(message, "maximum allowed nodes"):
		code, message = "condition-too-long", fmt.Sprintf("%s has more than %d parts", x.what, maxConditionNodes)
		hint = "put long enumerations in a list and use listed(\"NAME\")"
		from, to = 0, 1
	case strings.HasPrefix(message, "literal not terminated"):
		message, hint = "a quoted text does not end", "close the quote"
		from, to = x.lastQuote(), len(x.runes)
	case strings.HasPrefix(message, "unrecognized character"):
		message = fmt.Sprintf("%q cannot stand here", string(x.runes[from:to]))
		if strings.ContainsAny(string(x.runes[from:to]), "“”„‘’«»") {
			hint = `use straight quotes: "..."`
		}
	case strings.HasPrefix(message, "invalid char escape"):
		message, hint = "a backslash in quotes must be doubled", "or write the text in backticks: `...`"
	case strings.HasPrefix(message, "unexpected token"), strings.HasPrefix(message, "unexpected end"):
		from, to, message, hint = x.unexpected(from, to)
	}
	x.fail(from, to, code, message, hint)
}

func (x *expression) lastQuote() int {
	for i := len(x.runes) - 1; i >= 0; i-- {
		if strings.ContainsRune("\"'`", x.runes[i]) {
			return i
		}
	}
	return 0
}

// unexpected says what the token is that the parser did not expect, and what was probably meant.
func (x *expression) unexpected(from, to int) (int, int, string, string) {
	i := slices.IndexFunc(x.tokens, func(t token) bool { return t.From == from })
	last := x.tokens[len(x.tokens)-1]
	if i < 0 || from >= last.To {
		return last.From, last.To, x.what + " ends too early", x.missingHint()
	}
	t := x.tokens[i]
	word := string(x.runes[t.From:t.To])
	hint := ""
	switch lower := strings.ToLower(word); {
	case word == "=":
		hint = "write == to compare"
	case word == "&":
		hint = "write `and`"
	case lower != word && slices.Contains([]string{"and", "or", "not", "in"}, lower):
		hint = fmt.Sprintf("write `%s`", lower)
	case t.Kind == stringToken && i > 0 && x.tokens[i-1].Kind == identifierToken:
		hint = fmt.Sprintf("write %s(%s)", x.tokens[i-1].Value, word)
	case t.Is(bracketToken, ")"):
		hint = "there is one `)` too many, or something is missing before it"
	case i > 0 && i == len(x.tokens)-1 && from == x.tokens[i].From && x.endsEarly():
		return t.From, t.To, x.what + " ends too early", x.missingHint()
	case i > 0 && x.tokens[i-1].Kind != operatorToken && t.Kind != operatorToken:
		hint = "write `and` or `or` between two conditions"
	}
	return t.From, max(t.To, to), fmt.Sprintf("%s is not expected here", source.Quoted(word)), hint
}

func (x *expression) missingHint() string {
	if x.Commented {
		return "YAML reads everything after ` #` as a comment: write the condition after `|`, on a line of its own"
	}
	return "something is missing behind this"
}

// endsEarly reports whether another token must follow the last one.
func (x *expression) endsEarly() bool {
	last := x.tokens[len(x.tokens)-1]
	return last.Kind == operatorToken || last.Is(bracketToken, "(", "[", "{")
}

// tokenAt is the index of the token that starts at a place.
func (x *expression) tokenAt(from int) int {
	i := sort.Search(len(x.tokens), func(i int) bool { return x.tokens[i].From >= from })
	return min(i, len(x.tokens)-1)
}

// closing is the index of the bracket that closes the one at index i.
func (x *expression) closing(i int) int {
	depth := 0
	for ; i < len(x.tokens); i++ {
		if x.tokens[i].Kind != bracketToken {
			continue
		}
		if strings.Contains("([{", x.tokens[i].Value) {
			depth++
		} else if depth--; depth <= 0 {
			return i
		}
	}
	return len(x.tokens) - 1
}

// slice is the text between two places.
func (x *expression) slice(from, to int) string { return string(x.runes[from:to]) }

// extent is where a node begins and ends. The parser only says where its operator or name is.
func (x *expression) extent(n exprNode) (from, to int) {
	from, to = x.bounds(n)
	return x.balance(from, to)
}

func (x *expression) bounds(n exprNode) (from, to int) {
	at := n.Location()
	switch n := n.(type) {
	case *unaryNode:
		from, to = x.extent(n.Node)
		return min(at.From, from), to
	case *chainNode:
		return x.bounds(n.Node)
	case *memberNode:
		from, to = x.extent(n.Node)
		if i := x.tokenAt(to); x.tokens[i].Is(bracketToken, "[") {
			return from, x.tokens[x.closing(i)].To
		}
		_, to = x.extent(n.Property)
		return from, to
	case *sliceNode:
		from, _ = x.extent(n.Node)
		return from, x.tokens[x.closing(x.tokenAt(at.From))].To
	case *callNode:
		from, to = x.extent(n.Callee)
		return from, x.tokens[x.closing(x.tokenAt(to))].To
	case *builtinNode:
		from = at.From
		if len(n.Arguments) > 0 {
			first, _ := x.extent(n.Arguments[0])
			from = min(from, first)
		}
		return from, x.tokens[x.closing(x.tokenAt(at.To))].To
	case *arrayNode, *mapNode:
		return at.From, x.tokens[x.closing(x.tokenAt(at.From))].To
	}
	children := childrenOf(n)
	if len(children) == 0 {
		return at.From, at.To
	}
	from, to = x.extent(children[0])
	for _, c := range children[1:] {
		f, t := x.extent(c)
		from, to = min(from, f), max(to, t)
	}
	return from, to
}

// balance grows a stretch until it holds the partner of every bracket in it.
func (x *expression) balance(from, to int) (int, int) {
	lo := x.tokenAt(from)
	depth, lowest := 0, 0
	hi := lo
	for ; hi < len(x.tokens) && x.tokens[hi].From < to; hi++ {
		if x.tokens[hi].Kind != bracketToken {
			continue
		}
		if strings.Contains("([{", x.tokens[hi].Value) {
			depth++
		} else {
			depth--
			lowest = min(lowest, depth)
		}
	}
	for ; lowest < 0 && lo > 0; lowest++ {
		for lo--; lo > 0 && !x.tokens[lo].Is(bracketToken, "(", "[", "{"); {
			lo--
		}
		depth++
		from = x.tokens[lo].From
	}
	for ; depth > 0 && hi < len(x.tokens); hi++ {
		if x.tokens[hi].Is(bracketToken, ")", "]", "}") {
			depth--
			to = x.tokens[hi].To
		}
	}
	return from, to
}

// childrenOf are the parts of a node, from left to right.
func childrenOf(n exprNode) []exprNode {
	var all []exprNode
	switch n := n.(type) {
	case *unaryNode:
		all = []exprNode{n.Node}
	case *binaryNode:
		all = []exprNode{n.Left, n.Right}
	case *chainNode:
		all = []exprNode{n.Node}
	case *memberNode:
		all = []exprNode{n.Node, n.Property}
	case *sliceNode:
		all = []exprNode{n.Node, n.From, n.To}
	case *callNode:
		all = append([]exprNode{n.Callee}, n.Arguments...)
	case *builtinNode:
		all = n.Arguments
	case *predicateNode:
		all = []exprNode{n.Node}
	case *conditionalNode:
		all = []exprNode{n.Cond, n.Exp1, n.Exp2}
	case *declarationNode:
		all = []exprNode{n.Value, n.Expr}
	case *expressionSequence:
		all = n.Nodes
	case *arrayNode:
		all = n.Nodes
	case *mapNode:
		all = n.Pairs
	case *pairNode:
		all = []exprNode{n.Key, n.Value}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c exprNode) bool { return c == nil })
}

// anywhere reports whether is holds for a node or anything in it.
func anywhere(n exprNode, is func(exprNode) bool) bool {
	if is(n) {
		return true
	}
	for _, c := range childrenOf(n) {
		if anywhere(c, is) {
			return true
		}
	}
	return false
}
