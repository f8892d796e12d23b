package ruletest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// What is not covered is told at its place, to the character, and each rule's part for itself even where rules share
// it.
func TestWhatTestsLeaveOutIsToldAtItsPlace(t *testing.T) {
	tests, problems := load(loadedAt, "testdata/coverage/tests.yaml")
	if len(problems) > 0 {
		t.Fatal(printed("", problems))
	}
	for _, r := range tests.Run(nil) {
		if !r.OK {
			t.Errorf("%+v", r)
		}
	}
	c := tests.Coverage()
	var b strings.Builder
	for _, m := range c.Missing {
		fmt.Fprintf(&b, "%d:%d+%d %s never %s: %s\n", m.Line, m.Column, m.Length, m.Rule, m.Never, m.Text)
	}
	compareWithFile(t, "testdata/coverage/want.txt", b.String())
	checkPlaces(t, c)
	if c.Rules != (CoverageOf{4, 5, 80}) {
		t.Errorf("%+v", c.Rules)
	}
}

// checkPlaces holds what is not covered against the text of the file that stands at its place.
func checkPlaces(t *testing.T, c Coverage) {
	t.Helper()
	for _, m := range c.Missing {
		data, err := os.ReadFile(m.File)
		if err != nil {
			t.Fatal(err)
		}
		line := []rune(strings.Split(string(data), "\n")[m.Line-1])
		there := strings.ReplaceAll(string(line[m.Column-1:m.Column-1+m.Length]), `\"`, `"`)
		if there != m.Text {
			t.Errorf("at %d:%d stands %q, and not %q", m.Line, m.Column, there, m.Text)
		}
	}
}

func TestCoverageBeforeAnythingIsRun(t *testing.T) {
	tests, _ := load(loadedAt, "testdata/coverage/rules.yaml")
	c := tests.Coverage()
	if c.Percent != 0 || c.Rules != (CoverageOf{0, 5, 0}) || c.Conditions != (CoverageOf{0, 14, 0}) {
		t.Errorf("%+v", c)
	}
	for _, m := range c.Missing {
		if m.Kind == "condition" && m.Never != "evaluated" {
			t.Errorf("%+v", m)
		}
	}
	checkPlaces(t, c)
}
