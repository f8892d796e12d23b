package rules

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"callrouter/rules/internal/rulestest"
	"callrouter/rules/internal/source"
)

// notes loads a file of n rules, each with the condition and the rest that are made for it, and returns what is noted.
func notes(t *testing.T, n int, rule func(i int) (condition, then string)) Problems {
	t.Helper()
	var text strings.Builder
	text.WriteString(rulestest.Beginning)
	for i := range n {
		condition, then := rule(i)
		text.WriteString(rulestest.Rule(fmt.Sprintf("rule %d", i), condition, then))
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	f, problems := newLoader(source.New(path), loadedAt).load([]byte(text.String()))
	if f == nil {
		t.Fatal(problems)
	}
	var all Problems
	for _, p := range problems {
		if p.Code == "linear-condition" {
			all = append(all, p)
		}
	}
	return all
}

func TestRulesThatEveryCallLooksAtAreNotedInLargeFiles(t *testing.T) {
	forms := map[string]bool{ // whether it is noted
		`len(payload) == %d`:                                       true,
		`caller.name != "" and payload != "p%d"`:                   true,
		`payload matches "(?i)p%d"`:                                true,
		`int(caller.area) > 0 and payload == "p%d"`:                true,
		`split(payload, "x")[0] == "" or payload == "p%d"`:         true,
		`not listed("blocked") and len(caller.name) == %d`:         true,
		`clock > "12:00" and len(caller.name) == %d`:               true,
		`listed("blocked") and payload == "p%d"`:                   false,
		`now.Format("15") == "12" and payload == "p%d"`:            false,
		`payload contains "p%d" or hasSuffix(caller.name, "x")`:    false,
		`number == "main" and lower(payload) startsWith "p%d"`:     false,
		`clock > "12:00" and now.YearDay() > %d`:                   false,
		`free("sales") > 0 and open("office") and payload == "%d"`: false,
	}
	for form, noted := range forms {
		of := func(i int) (string, string) { return fmt.Sprintf(form, i), "reject" }
		if few := notes(t, manyLinear-1, of); len(few) > 0 {
			t.Errorf("%s: noted in a file with fewer rules: %v", form, few)
		}
		many := notes(t, manyLinear, of)
		if noted != (len(many) == maxNoted) || !noted && len(many) > 0 {
			t.Errorf("%s: %d notes, want some: %t", form, len(many), noted)
		}
		for _, p := range many {
			if p.Severity != Info || !strings.Contains(p.Message, "at 199 others") {
				t.Errorf("%s: %+v", form, p)
			}
		}
	}
}

// A rule that is found by what very many others are found by is noted where it is.
func TestRulesThatManyCallsLookAtAreNoted(t *testing.T) {
	forms := map[string]string{ // what is underlined; "" if it is not noted
		`caller.country == "BR" and len(payload) == %d`:                         `caller.country == "BR"`,
		`waiting("sales") > 1 and listed("vip") and len(payload) == %d`:         `listed("vip")`,
		`(lower(payload) endsWith "x" or listed("vip")) and len(payload) == %d`: `listed("vip")`,
		`caller.country == "BR" and payload == "p%d"`:                           "",
		`caller.country == "BR" and clock > "12:00" or payload == "p%d"`:        "",
	}
	for form, want := range forms {
		of := func(i int) (string, string) { return fmt.Sprintf(form, i), "reject" }
		many := notes(t, manyLinear, of)
		if want == "" && len(many) > 0 || want != "" && len(many) != maxNoted {
			t.Fatalf("%s: %v", form, many)
		}
		for _, p := range many {
			underlined := p.Source[p.Column-1:][:p.Length]
			if underlined != want || !strings.Contains(p.Message, "at 199 others") {
				t.Errorf("%s: %v", form, p)
			}
		}
		if few := notes(t, manyLinear-1, of); len(few) > 0 {
			t.Errorf("%s: noted in a file with fewer rules: %v", form, few)
		}
	}
}

// A call looks at the rules of its own number only.
func TestRulesOfSeveralNumbersAreCountedApart(t *testing.T) {
	of := func(i int) (string, string) {
		return fmt.Sprintf(`len(payload) == %d`, i), "reject\n    on: [" + []string{"main", "other"}[i%2] + "]"
	}
	if some := notes(t, manyLinear, of); len(some) > 0 {
		t.Errorf("%v", some)
	}
	if some := notes(t, 2*manyLinear, of); len(some) != maxNoted {
		t.Errorf("%v", some)
	}
}
