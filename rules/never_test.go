package rules

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/rulestest"
	"callrouter/rules/internal/source"

	"github.com/expr-lang/expr"
	"pgregory.net/rapid"
)

// Comparisons of every kind, many of which can never be true.
var (
	comparedTexts = []string{
		"clock", "today", "weekday", "payload", "number", "caller.number", "caller.area", "caller.country",
		"caller.name", "lower(payload)", "upper(caller.name)", "trim(payload)", "upper(weekday)",
		"lower(caller.country)", "now.Weekday().String()", "now.Month().String()", "caller.number[:3]", "clock[0:2]",
	}
	comparingTexts = []string{"==", "startsWith", "endsWith", "contains", "matches"}
	textsToCompare = []string{
		"", "09:00", "9:00", "23:59", "00:00", "24:00", ":60", ":59", "2026-11-23", "11-23", "-32", "-02-29",
		"23/11", "mon", "Mon", "MON", "Monday", "November", "main", "+55", "55", "+5511", "+549", "1234", "-1234",
		"+", "11", "011", "BR", "br", "B", "R", "Ana", "ANA", "a", "A", "Sales", "sales", " x", "^55", "^[+]549",
		"^09", "^9:", "(?i)br", "BR$", "1$", "^Mon",
	}
	comparedNumbers = []string{
		"now.Hour()", "now.Minute()", "now.Day()", "int(now.Weekday())", "int(now.Month())", "len(payload)",
		`free("sales")`, `calls("1h")`, "now.YearDay()",
	}
	comparingNumbers = []string{"==", "<", "<=", ">", ">="}
)

func genComparison(t *rapid.T) string {
	if rapid.IntRange(0, 2).Draw(t, "of numbers") == 0 {
		return fmt.Sprintf("%s %s %d", rapid.SampledFrom(comparedNumbers).Draw(t, "number"),
			rapid.SampledFrom(comparingNumbers).Draw(t, "operator"),
			rapid.SampledFrom([]int{-1, 0, 1, 2, 5, 6, 7, 12, 13, 22, 23, 24, 31, 32, 59, 60, 366}).Draw(t, "literal"))
	}
	if rapid.IntRange(0, 3).Draw(t, "of clocks") == 0 {
		return fmt.Sprintf("clock %s %q", rapid.SampledFrom(comparingNumbers).Draw(t, "operator"),
			rapid.SampledFrom([]string{"00:00", "09:00", "12:00", "12:01", "23:59"}).Draw(t, "literal"))
	}
	return fmt.Sprintf("%s %s %q", rapid.SampledFrom(comparedTexts).Draw(t, "text"),
		rapid.SampledFrom(comparingTexts).Draw(t, "operator"), rapid.SampledFrom(textsToCompare).Draw(t, "literal"))
}

// someInputs are calls of many kinds at many times.
func someInputs(f *File) []Input {
	callers := []Caller{
		NewCaller("5511988881234", "", "Ana"), NewCaller("5215512345678", "", ""),
		NewCaller("5491155551234", "", "ANA"),
		NewCaller("", "BR.1", "a"), NewCaller("442079460958", "", "Sales"), NewCaller("99955512345", "", " x"),
		NewCaller("351912345678", "", "x"),
	}
	payloads := []string{"", "sales", "Sales", "SALES", " x ", "09:00", "BR", "+55", "Mon", "a", "11", "x-1234"}
	var all []Input
	for i := range 400 {
		at := time.Date(2026, 11, 23, i%24, i*7%60, i%60, 0, f.Location()).AddDate(0, i%13, i)
		if i%5 == 0 {
			at = time.Date(2026, 11, 23, i/5%3*12, i/5%2*59, 0, 0, f.Location())
		}
		facts := Facts{Queues: map[string]QueueFacts{"sales": {Free: i % 9}},
			Calls: map[time.Duration]int{time.Hour: i % 7}}
		call := Call{Caller: callers[i%len(callers)], Number: []string{"main", "other"}[i%2],
			Payload: payloads[i%len(payloads)]}
		all = append(all, f.Input(call, at, nil, facts))
	}
	return all
}

// What check says can never be true is not true of any call.
func TestWhatCanNeverBeTrueNeverIs(t *testing.T) {
	f := loadText(t, t.TempDir(), rulestest.Beginning+rulestest.Rule("a", `calls("1h") > 1`, "{handoff: sales}"))
	inputs := someInputs(f)
	path := filepath.Join(t.TempDir(), "rules.yaml")
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			text := genComparison(t)
			if rapid.Bool().Draw(t, "two") {
				text += " and " + genComparison(t)
			}
			data := rulestest.Beginning + rulestest.Rule("made up", text, "reject")
			_, problems := newLoader(source.New(path), loadedAt).load([]byte(data))
			if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == "never-equal" }) {
				continue
			}
			refused++
			program, err := expr.Compile(text, expr.Env(condition.Environment{}), expr.AsBool())
			if err != nil {
				continue // another mistake: a pattern that is none
			}
			for _, in := range inputs {
				if is, err := expr.Run(program, in.env); err == nil && is.(bool) {
					t.Fatalf("%s\nis true of %+v at %v, and check says %v", text, in.call, in.now, problems)
				}
			}
		}
	})
	if refused < 100 {
		t.Errorf("%d comparisons were refused", refused)
	}
}

// What went through lower, upper or trim once is not changed by it again: so a text that is changed by it is none that
// comes out of it.
func TestFormsChangeNothingTheSecondTime(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		for _, form := range []func(string) string{strings.ToLower, strings.ToUpper, strings.TrimSpace} {
			if once := form(string(r)); form(once) != once {
				t.Errorf("%q: %q, and then %q", r, once, form(once))
			}
		}
	}
}
