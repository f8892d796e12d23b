package condition

import (
	"reflect"
	"slices"

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
)

// This file alone imports the inner packages of github.com/expr-lang/expr. expr.Compile would hide what is needed here:
// the tokens and nodes with their places, for errors that point at the offending part; one configuration for thousands
// of small programs; the type of a result. The inner packages are not covered by the library's promise of
// compatibility: go.mod pins v1.17.8, and raising it begins with reading what changed in them.

type (
	// Program is a compiled expression.
	Program = vm.Program
	// Machine runs programs. It is not safe for concurrent use, and runs the next without allocating.
	Machine = vm.VM

	machineError = file.Error
	config       = conf.Config
	token        = lexer.Token

	exprNode           = ast.Node
	identifierNode     = ast.IdentifierNode
	memberNode         = ast.MemberNode
	callNode           = ast.CallNode
	builtinNode        = ast.BuiltinNode
	binaryNode         = ast.BinaryNode
	unaryNode          = ast.UnaryNode
	declarationNode    = ast.VariableDeclaratorNode
	stringNode         = ast.StringNode
	integerNode        = ast.IntegerNode
	floatNode          = ast.FloatNode
	boolNode           = ast.BoolNode
	nilNode            = ast.NilNode
	arrayNode          = ast.ArrayNode
	mapNode            = ast.MapNode
	pairNode           = ast.PairNode
	chainNode          = ast.ChainNode
	sliceNode          = ast.SliceNode
	predicateNode      = ast.PredicateNode
	conditionalNode    = ast.ConditionalNode
	expressionSequence = ast.SequenceNode
)

// The kinds of tokens that are looked at.
const (
	bracketToken    = lexer.Bracket
	identifierToken = lexer.Identifier
	operatorToken   = lexer.Operator
	stringToken     = lexer.String
)

// newConfig returns the configuration for expressions over env that may use the builtins in allowed.
func newConfig(env any, maxNodes uint, allowed []string) *config {
	c := conf.CreateNew()
	options := []expr.Option{expr.Env(env), expr.MaxNodes(maxNodes)}
	for _, f := range builtin.Builtins {
		if !slices.Contains(allowed, f.Name) {
			options = append(options, expr.DisableBuiltin(f.Name))
		}
	}
	for _, o := range options {
		o(c)
	}
	for name := range c.Disabled {
		delete(c.Builtins, name)
	}
	return c
}

func isBuiltin(name string) bool {
	_, ok := builtin.Index[name]
	return ok
}

// lex takes a text apart into tokens, without the one that marks its end.
func lex(text string) ([]token, error) {
	tokens, err := lexer.Lex(file.NewSource(text))
	return slices.DeleteFunc(tokens, func(t token) bool { return t.Kind == lexer.EOF }), err
}

// parse returns the tree of a text. A nil configuration is one that knows no names.
func parse(text string, c *config) (exprNode, error) {
	if c == nil {
		c = conf.CreateNew()
	}
	tree, err := parser.ParseWithConfig(text, c)
	if err != nil {
		return nil, err
	}
	return tree.Node, nil
}

// checkedNumbers gives every quotient, and every text that was made a number, to a function of the environment. The
// library divides by zero in floating point, and reads "NaN": the result compares with nothing, so that a condition and
// its opposite were both false.
type checkedNumbers struct{}

// Visit is part of [ast.Visitor].
func (checkedNumbers) Visit(n *exprNode) {
	check := ""
	switch n := (*n).(type) {
	case *binaryNode:
		if n.Operator == "/" || n.Operator == "**" || n.Operator == "^" {
			check = "quotient"
		}
	case *builtinNode:
		if n.Name == "float" {
			check = "finite"
		}
	}
	if check == "" {
		return
	}
	checked := &callNode{Callee: &identifierNode{Value: check}, Arguments: []exprNode{*n}}
	checked.SetLocation((*n).Location())
	*n = checked
}

// compileText makes a program of a text. The error is the library's own.
func compileText(text string, c *config, want reflect.Kind) (*Program, reflect.Type, error) {
	c.Expect, c.ExpectAny = want, false
	tree, err := parser.ParseWithConfig(text, c)
	if err != nil {
		return nil, nil, err
	}
	ast.Walk(&tree.Node, checkedNumbers{})
	t, err := new(checker.Checker).PatchAndCheck(tree, c)
	if err != nil {
		return nil, nil, err
	}
	if err := optimizer.Optimize(&tree.Node, c); err != nil {
		return nil, nil, err
	}
	program, err := compiler.Compile(tree, c)
	return program, t, err
}
