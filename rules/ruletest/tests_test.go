package ruletest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrouter/rules"
	"callrouter/rules/internal/rulestest"
	"callrouter/rules/internal/source"
)

// Each file under testdata/mistakes is a test file that cannot be run, and says so behind its name with .want.txt.
func TestMistakesInTestFilesAreToldAtTheirPlace(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			tests, problems := load(loadedAt, file)
			if n := len(tests.Names()); n != 0 {
				t.Errorf("%d tests can be run", n)
			}
			compareWithFile(t, strings.TrimSuffix(file, ".yaml")+".want.txt", printed("testdata", problems))
		})
	}
}

func TestATestFileThatIsNotThereIsUnreadable(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "nope.yaml"), "testdata/mistakes/no-such-rules.yaml"} {
		if _, problems := Load(path); len(problems) != 1 || problems[0].Code != source.CodeUnreadable {
			t.Errorf("%s: %v", path, problems)
		}
	}
}

// What is said of a test that fails: the call, what was expected, what came out, and why.
func TestAFailingTestSaysWhy(t *testing.T) {
	tests, problems := load(loadedAt, "testdata/failures/tests.yaml")
	if len(problems) > 0 {
		t.Fatal(printed("", problems))
	}
	var b strings.Builder
	for _, r := range tests.Run(nil) {
		fmt.Fprintf(&b, "%s:%d %s: %v\n  call %s\n", r.File, r.Line, r.Name, r.OK, r.Call)
		for _, field := range []*string{r.Expected, r.Got, r.Why} {
			if field != nil {
				b.WriteString("  " + strings.ReplaceAll(*field, "\n", "\n  ") + "\n")
			}
		}
	}
	compareWithFile(t, "testdata/failures/want.txt", b.String())
}

// A rules file whose own tests fail is refused by everything else, and can be tested.
func TestAFileWhoseTestsFailCanBeTested(t *testing.T) {
	const path = "../testdata/invalid/failing-tests/rules.yaml"
	if f, _ := rules.Load(path); f != nil {
		t.Error("it is loaded")
	}
	tests, problems := Load(path)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	results := tests.Run(nil)
	failed := 0
	for _, r := range results {
		if !r.OK {
			failed++
		}
	}
	if len(results) != 6 || failed != 5 {
		t.Errorf("%d of %d failed", failed, len(results))
	}
	if got := tests.Run(func(name string) bool { return name == "right" }); len(got) != 1 || !got[0].OK {
		t.Errorf("%+v", got)
	}
}

// Test files of one rules file, and the rules file itself, are run by one program: what they cover is counted together.
func TestARulesFileIsReadOnceForAllItsTestFiles(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	asTest := func(name, rule, from string) string {
		return fmt.Sprintf("tests:\n  - name: %s\n    call: {from: %q, at: \"2026-11-23 12:15\"}\n    expect: "+
			"{rule: %s}\n", name, from, rule)
	}
	own := write("rules.yaml",
		strings.Replace(rulestest.Beginning, "rules:\n", asTest("own", "a", "+55 11 97777-6666")+"rules:\n", 1)+
			rulestest.Rule("a", `caller.area == "11"`, "reject")+rulestest.Rule("b", `caller.area == "43"`, "reject"))
	other := write("more.yaml", "rules: ./rules.yaml\n"+asTest("more", "b", "+55 43 99995-1234"))
	for _, order := range [][]string{{own, other}, {other, own}} {
		tests, problems := load(loadedAt, order...)
		if len(problems) > 0 {
			t.Fatal(printed(folder, problems))
		}
		if results := tests.Run(nil); len(results) != 2 || !results[0].OK || !results[1].OK {
			t.Errorf("%+v", results)
		}
		// The part of rule b was true for one file, and never false: rule a is before it.
		if c := tests.Coverage(); c.Rules != (CoverageOf{2, 2, 100}) || c.Conditions != (CoverageOf{3, 4, 75}) {
			t.Errorf("%+v", c)
		}
	}
	tests, _ := load(loadedAt, other)
	tests.Run(nil)
	if c := tests.Coverage(); c.Rules != (CoverageOf{1, 2, 50}) {
		t.Errorf("the rules file's own tests were run, too: %+v", c)
	}
}

// manyTests is a rules file of some size with n tests.
func manyTests(tb testing.TB, n int) string {
	tb.Helper()
	var b strings.Builder
	b.WriteString(rulestest.Beginning)
	for i := range 60 {
		b.WriteString(rulestest.Rule(fmt.Sprintf("rule %d", i),
			fmt.Sprintf(`caller.area == "%d" and (open("office") or free("sales") > %d)`, 11+i, i%3), "{accept: bot}"))
	}
	b.WriteString(rulestest.Rule("last", `caller.country == "BR"`, "reject"))
	b.WriteString("tests:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - name: test %d\n    call: {from: \"+55 %d 98888-%04d\", to: main, at: \"2026-11-%02d "+
			"%02d:15\"}\n    given: {free: {sales: %d}}\n    expect: {by: rule}\n",
			i, []int{11, 21, 43, 51, 61, 71, 81, 91}[i%8], i%10_000, 1+i%28, i%24, i%4)
	}
	path := filepath.Join(tb.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}

// BenchmarkTests loads a file of 61 rules with 1,000 tests, runs them and reckons the coverage.
func BenchmarkTests(b *testing.B) {
	path := manyTests(b, 1_000)
	for b.Loop() {
		tests, problems := load(loadedAt, path)
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		if results := tests.Run(nil); len(results) != 1_000 || !results[999].OK {
			b.Fatalf("%+v", results[999])
		}
		if c := tests.Coverage(); c.Rules.Covered < 2 {
			b.Fatal(c)
		}
	}
}
