package rules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/rulestest"

	"github.com/expr-lang/expr"
	"pgregory.net/rapid"
)

// Parts of conditions: true, false and failing ones, of the clock, the caller and the store.
var madeUpAtoms = []string{
	`open("office")`, `open('night')`, `holiday("city")`, `holiday("br")`, `clock >= "12:00"`,
	`weekday in ["mon", "tue"]`,
	`today == "2026-11-23"`, `"08:00" <= clock < "20:00"`, `caller.country == "BR"`, `caller.area == "11"`,
	`caller.name contains "a"`,
	`caller.number startsWith "+55"`, `number == "main"`, `listed("vip")`, `listed("blocked")`, `free("sales") > 0`,
	`online("support") + free("support") >= 2`, `calls("1h") > 1`, `calls(payload) > 1`, `open(payload)`,
	`free(payload) > 0`,
	`split(payload, "")[2] == "l"`, `now.Hour() % 2 == 0`, `payload != ""`, `caller.area not in ["11", "21"]`, `true`,
	`false`,
	`(free("sales") > 0 ? open("office") : open("night"))`, `any(["11", "21"], # == caller.area)`,
	`let a = caller.area; a == "11"`,
}

func genCondition(t *rapid.T, depth int) string {
	space := rapid.SampledFrom([]string{" ", "  ", "\n", " /* why */ "})
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		atom := rapid.SampledFrom(madeUpAtoms).Draw(t, "atom")
		if strings.HasPrefix(atom, "let") || rapid.IntRange(0, 4).Draw(t, "brackets") == 0 {
			return "(" + atom + ")"
		}
		return atom
	}
	a := genCondition(t, depth-1)
	switch rapid.IntRange(0, 3).Draw(t, "operator") {
	case 0:
		op := rapid.SampledFrom([]string{"not", "!"}).Draw(t, "not")
		// Without brackets, not binds closer than a comparison: what is meant here is the whole.
		return op + space.Draw(t, "space") + "(" + a + ")"
	case 1:
		return "(" + a + space.Draw(t, "space") + ")"
	default:
		op := rapid.SampledFrom([]string{"and", "or", "&&", "||"}).Draw(t, "binary")
		return a + space.Draw(t, "space") + op + space.Draw(t, "space") + genCondition(t, depth-1)
	}
}

func genInput(t *rapid.T, f *File) Input {
	facts := Facts{
		Listed: map[string]bool{"blocked": rapid.Bool().Draw(t, "blocked")},
		Queues: map[string]QueueFacts{},
		Calls:  map[time.Duration]int{time.Hour: rapid.IntRange(0, 3).Draw(t, "calls")},
	}
	for _, q := range []string{"sales", "support"} {
		facts.Queues[q] = QueueFacts{Free: rapid.IntRange(0, 2).Draw(t, "free"),
			Online: rapid.IntRange(0, 2).Draw(t, "online")}
	}
	if rapid.IntRange(0, 5).Draw(t, "down") == 0 {
		facts = Facts{Err: errors.New("the store is down")}
	}
	var rt *Runtime
	if rapid.IntRange(0, 3).Draw(t, "switched") == 0 {
		rt = &Runtime{Switches: map[string]Switch{"office": {Open: rapid.Bool().Draw(t, "open"),
			Until: loadedAt.AddDate(1, 0, 0)}}}
	}
	call := Call{
		Caller: NewCaller(
			rapid.SampledFrom([]string{"5511988887777", "554399951234", "15551234567", ""}).Draw(t, "from"),
			rapid.SampledFrom([]string{"", "BR.1"}).Draw(t, "id"),
			rapid.SampledFrom([]string{"", "Ana"}).Draw(t, "name")),
		Number:  rapid.SampledFrom([]string{"main", "other"}).Draw(t, "to"),
		Payload: rapid.SampledFrom([]string{"", "1h", "office", "sales", "nothing"}).Draw(t, "payload"),
	}
	at := loadedAt.Add(time.Duration(rapid.IntRange(0, 7*24*60*60).Draw(t, "second")) * time.Second)
	return f.Input(call, at, rt, facts)
}

func loadText(t interface {
	Helper()
	Fatalf(string, ...any)
}, folder, text string) *File {
	t.Helper()
	path := filepath.Join(folder, "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	f, problems := load(path, loadedAt)
	if f == nil {
		t.Fatalf("%s", printed(folder, problems))
	}
	return f
}

// A condition comes to what the expression language makes of it as a whole, though only its parts are given to it.
func TestConditionsMeanWhatTheExpressionLanguageSays(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		text := genCondition(t, 4)
		f := loadText(t, folder, rulestest.Beginning+rulestest.Rule("made up", text, "{accept: bot}"))
		whole, err := expr.Compile(text, expr.Env(condition.Environment{}), expr.AsBool(), expr.Optimize(false))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		in := genInput(t, f)
		want, wantErr := expr.Run(whole, in.env)
		got, needs := f.Decide(in, 0)
		if !needs.None() {
			if fact := (*lackingCalls)(nil); !errors.As(wantErr, &fact) && in.facts.Err == nil {
				t.Fatalf("%s\nneeds %v, and the expression: %v, %v", text, needs, want, wantErr)
			}
			return
		}
		switch {
		case (wantErr != nil) != (got.Err != nil):
			t.Fatalf("%s\nerror: %v, and the expression: %v", text, got.Err, wantErr)
		case wantErr == nil && (got.By == ByRule) != want.(bool):
			t.Fatalf("%s\n%+v, and the expression: %v", text, got, want)
		}
	})
}

// What rules of a large file begin with: parts by which they are found without looking at all of them.
var madeUpBeginnings = []string{
	`now.Year() > 1`, `free("sales") > 0`, `free("sales") > 0`, `caller.name contains "a" and free("sales") > 0`,
	`calls("1h") > 1`, `payload == "office"`, `"sales" == payload`,
	`caller.country in ["BR", "US"]`, `listed("vip")`, `caller.number startsWith "+55"`, `number == "main"`,
	`open("office")`,
	`(payload == "1h" or caller.name == "Ana")`, `(caller.country == "US" or payload == "sales" and listed("vip"))`,
	`(caller.number startsWith "+5511" or listed("vip") or payload in ["office", "office", "x"])`,
	`caller.country == "BR" and payload == "sales"`, `(payload == "1h" or free("sales") > 0)`,
	`(payload == "1h" or not (caller.name == "Ana"))`,
	`not open("office")`, `caller.area == "11" and open("night")`, `split(payload, "")[2] == "l"`, `listed("blocked")`,
}

// Explain is the same evaluation as Decide, which looks only at the rules that it cannot leave out: same decision, same
// needs; and of the rules it tells of, the last one decided.
func TestExplainingDecidesTheSame(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var rules strings.Builder
		n := rapid.IntRange(1, 12).Draw(t, "rules")
		for i := range n {
			beginning := rapid.SampledFrom(madeUpBeginnings).Draw(t, "beginning")
			rules.WriteString(rulestest.Rule(fmt.Sprintf("rule %d", i), beginning+" and ("+genCondition(t, 1)+")",
				rapid.SampledFrom([]string{
					"{accept: bot}", "{handoff: sales}", "{reject: {message: busy}}"}).Draw(t, "then")))
			if rapid.IntRange(0, 4).Draw(t, "on") == 0 {
				rules.WriteString("    on: [other]\n")
			}
		}
		f := loadText(t, folder, rulestest.Beginning+rules.String())
		in := genInput(t, f)
		for from := range n + 1 {
			decided, needs := f.Decide(in, from)
			explained, trace, needsToo := f.Explain(in, from)
			if fmt.Sprint(needs) != fmt.Sprint(needsToo) || fmt.Sprint(decided) != fmt.Sprint(explained) {
				t.Fatalf("from %d: %+v %v, explained %+v %v", from, decided, needs, explained, needsToo)
			}
			if !needs.None() {
				continue
			}
			checkTrace(t, explained, trace, from, n)
		}
	})
}

func checkTrace(t *rapid.T, d Decision, trace []Trace, from, rules int) {
	looked := d.Index - from + 1
	if d.By == ByDefault {
		looked = rules - from
	}
	if d.By != ByOnError && len(trace) != looked {
		t.Fatalf("%d rules were looked at, and %d are told of", looked, len(trace))
	}
	for i, e := range trace {
		want := NoMatch
		if e.Result == Skipped {
			want = Skipped
		}
		if i == len(trace)-1 && d.By == ByRule {
			want = Decided
		}
		if i == len(trace)-1 && d.By == ByOnError {
			want = Errored
		}
		if e.Result != want || e.Why == "" || e.Values == nil {
			t.Fatalf("entry %d of %d: %+v", i, len(trace), e)
		}
	}
}

// The same condition, evaluated from many goroutines at once, at the turn of a minute.
func TestDecidingIsSafeForConcurrentUse(t *testing.T) {
	f := loadText(t, t.TempDir(),
		rulestest.Beginning+
			rulestest.Rule("a", `clock >= "12:01" and listed("vip")`, "{accept: bot}")+
			rulestest.Rule("b", `listed("vip") or open("night")`, "reject"))
	call := Call{Caller: NewCaller("5511988887777", "", ""), Number: "main"}
	turn := time.Date(2026, 11, 23, 15, 1, 0, 0, time.UTC)
	done := make(chan error)
	for g := range 4 {
		go func() {
			for i := range 500 {
				at := turn.Add(time.Duration(i%2*g-1) * time.Second)
				want := "b"
				if !at.Before(turn) {
					want = "a"
				}
				if d, _ := f.Decide(f.Input(call, at, nil, Facts{}), 0); d.Rule != want {
					done <- fmt.Errorf("at %v: %+v", at, d)
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
