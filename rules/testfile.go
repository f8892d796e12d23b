package rules

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

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
	cases []testCase
}

// tested is a rules file whose tests are run.
type tested struct {
	f        *File // nil if it has errors
	l        *loader
	coverage *coverage
}

// LoadTests reads rules files and test files, and checks them as [Load] does, but for running the tests. Files that have
// errors are left out of the Tests and told of in the Problems; warnings are not.
func LoadTests(paths ...string) (*Tests, Problems) { return loadTests(time.Now(), paths...) }

func loadTests(now time.Time, paths ...string) (*Tests, Problems) {
	t := &Tests{now: now, byPath: map[string]*tested{}}
	var problems Problems
	for _, path := range paths {
		problems = append(problems, t.add(path)...)
	}
	return t, slices.DeleteFunc(problems, func(p Problem) bool { return p.Severity != Error })
}

// add reads one file of either kind.
func (t *Tests) add(path string) Problems {
	if known := t.byPath[absolute(path)]; known != nil {
		t.addSuite(path, known)
		return nil
	}
	l := newLoader(path, t.now)
	data, ok := l.ReadFile()
	if !ok {
		return l.Problems
	}
	if l.Parse(data) && isTestFile(l.Root) {
		return t.addTestFile(l)
	}
	known := t.addRules(l, data)
	t.addSuite(path, known)
	return l.Problems.Sorted()
}

func (t *Tests) addSuite(path string, of *tested) {
	if of.f != nil {
		t.suites = append(t.suites, &suite{path: path, rules: of, cases: of.f.tests})
	}
}

// addRules compiles a rules file that was parsed.
func (t *Tests) addRules(l *loader, data []byte) *tested {
	l.untested = true
	if l.Root != nil {
		l.compile(data)
	}
	of := &tested{l: l, coverage: newCoverage()}
	if !l.Problems.HasErrors() {
		of.f = l.f
		t.rules = append(t.rules, of)
	}
	t.byPath[absolute(l.f.path)] = of
	return of
}

// isTestFile says whether a document was meant as a test file: it has tests, or a path as its rules, and nothing that only
// a rules file has.
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
func (t *Tests) addTestFile(l *loader) Problems {
	schema.CheckTests(l.Document)
	of, problems := t.rulesOf(l, l.Child(l.Root, "rules"))
	if of == nil || of.f == nil {
		return append(l.Problems.Sorted(), problems...)
	}
	own := of.f.tests
	l.f, l.known, of.f.tests = of.f, of.l.known, nil
	l.readTests()
	cases := of.f.tests
	of.f.tests = own
	if !l.Problems.HasErrors() {
		t.suites = append(t.suites, &suite{path: l.Path, rules: of, cases: cases})
	}
	return append(l.Problems.Sorted(), problems...)
}

// rulesOf is the rules file that a test file names, read once for all that name it.
func (t *Tests) rulesOf(l *loader, n *source.Node) (*tested, Problems) {
	if n == nil {
		return nil, nil
	}
	path := n.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	if known := t.byPath[absolute(path)]; known != nil {
		return known, nil
	}
	data, err := source.ReadFile(path)
	if err != nil {
		l.Fail(n, err.Code, fmt.Sprintf("%s cannot be used: %s", source.Quoted(n.Value), err.Reason), "the path is relative to the test file")
		return nil, nil
	}
	rules := newLoader(path, t.now)
	if rules.Parse(data) && isTestFile(rules.Root) {
		l.Fail(n, "wrong-type", fmt.Sprintf("%s is a test file, too", source.Quoted(n.Value)), "name the rules file that the tests are of")
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
