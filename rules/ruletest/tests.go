// Package ruletest runs the tests of rules files and of test files, says why one failed, and counts what they cover.
package ruletest

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"callrouter/rules"
	"callrouter/rules/internal/schema"
	"callrouter/rules/internal/source"
)

// Tests are the tests of rules files, and of test files that name a rules file.
type Tests struct {
	now    time.Time
	suites []*suite
	rules  []*tested // every rules file once, in the order in which they were met
	byPath map[string]*tested
}

// suite is the tests that stand in one file.
type suite struct {
	path  string
	rules *tested
	cases []rules.Case
}

// tested is a rules file whose tests are run. It has no File if it has errors.
type tested struct {
	*rules.Compiled
	coverage *coverage
}

// Load reads rules files and test files, and checks them as [Load] does, but for running the tests. Files that have
// errors are left out of the Tests, and their errors are in the Problems. Warnings are not.
func Load(paths ...string) (*Tests, rules.Problems) { return load(time.Now(), paths...) }

func load(now time.Time, paths ...string) (*Tests, rules.Problems) {
	t := &Tests{now: now, byPath: map[string]*tested{}}
	var problems rules.Problems
	for _, path := range paths {
		problems = append(problems, t.add(path)...)
	}
	return t, slices.DeleteFunc(problems, func(p rules.Problem) bool { return p.Severity != rules.Error })
}

// add reads one file of either kind.
func (t *Tests) add(path string) rules.Problems {
	if known := t.byPath[absolute(path)]; known != nil {
		t.addSuite(path, known)
		return nil
	}
	doc := source.New(path)
	data, ok := doc.ReadFile()
	if !ok {
		return doc.Problems
	}
	if doc.Parse(data) && isTestFile(doc.Root) {
		return t.addTestFile(doc)
	}
	t.addSuite(path, t.addRules(doc, data))
	return doc.Problems.Sorted()
}

// addSuite adds the tests that stand in a rules file.
func (t *Tests) addSuite(path string, of *tested) {
	if of.File != nil {
		t.suites = append(t.suites, &suite{path: path, rules: of, cases: of.Cases()})
	}
}

// addRules compiles a rules file, if it could be parsed.
func (t *Tests) addRules(doc *source.Document, data []byte) *tested {
	of := &tested{&rules.Compiled{}, newCoverage()}
	if doc.Root != nil {
		of.Compiled = rules.Compile(doc, data, t.now)
	}
	if of.File != nil {
		t.rules = append(t.rules, of)
	}
	t.byPath[absolute(doc.Path)] = of
	return of
}

// isTestFile reports whether a document was meant as a test file: it has tests, or a path as its rules, and nothing
// that only a rules file has.
func isTestFile(root *source.Node) bool {
	is := false
	for k, v := range source.Pairs(root) {
		switch k.Value {
		case "version", "timezone", "numbers", "default":
			return false
		case "rules":
			if v.Kind != source.ScalarNode {
				return false
			}
			is = is || !source.IsNull(v)
		case "tests":
			is = true
		}
	}
	return is
}

// addTestFile reads the tests of a test file as if they stood in the rules file that it names.
func (t *Tests) addTestFile(doc *source.Document) rules.Problems {
	schema.CheckTests(doc)
	of, problems := t.rulesOf(doc, doc.Child(doc.Root, "rules"))
	if of == nil || of.File == nil {
		return append(doc.Problems.Sorted(), problems...)
	}
	cases := of.ReadCases(doc)
	if !doc.Problems.HasErrors() {
		t.suites = append(t.suites, &suite{path: doc.Path, rules: of, cases: cases})
	}
	return append(doc.Problems.Sorted(), problems...)
}

// rulesOf is the rules file that a test file names, read once for all that name it.
func (t *Tests) rulesOf(doc *source.Document, n *source.Node) (*tested, rules.Problems) {
	if n == nil {
		return nil, nil
	}
	path := n.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(doc.Path), path)
	}
	if known := t.byPath[absolute(path)]; known != nil {
		return known, nil
	}
	data, err := source.ReadFile(path, source.MaxFile)
	if err != nil {
		doc.Fail(n, err.Code, fmt.Sprintf("%s cannot be used: %s", source.Quoted(n.Value), err.Reason),
			"the path is relative to the test file")
		return nil, nil
	}
	rules := source.New(path)
	if rules.Parse(data) && isTestFile(rules.Root) {
		doc.Fail(n, "wrong-type", fmt.Sprintf("%s is a test file, too", source.Quoted(n.Value)),
			"name the rules file that the tests are of")
		return nil, nil
	}
	of := t.addRules(rules, data)
	return of, rules.Problems.Sorted()
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

// JSONSchema returns the JSON Schema (draft-07) of a test file, for editors.
func JSONSchema() []byte { return schema.TestsJSON() }
