package rules

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"callrouter/rules/internal/rulestest"
)

// Every file under testdata/decide is a situation, with what must come out of it in its own tests.
func TestSituations(t *testing.T) {
	files, err := filepath.Glob("testdata/decide/*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			f, problems := load(path, loadedAt)
			if f == nil {
				t.Fatal(printed("testdata/decide", problems))
			}
			if len(f.tests) == 0 {
				t.Error("there are no tests in it")
			}
		})
	}
}

// call is one whose every part is known.
func callFrom(number string) Call {
	return Call{Caller: NewCaller(number, "", "Bia"), Number: "main"}
}

func TestOneRoundTripServesOneDecision(t *testing.T) {
	f := loadText(t, t.TempDir(), rulestest.Beginning+
		rulestest.Rule("a", `caller.country == "BR" and free("sales") > 5`, "reject")+
		"  - name: other number\n    on: [other]\n    when: waiting(\"support\") > 9 and calls(\"7d\") > 1\n    "+
		"then: reject\n"+
		rulestest.Rule("b", `listed("blocked") or calls("1h") > 3 or calls("60m") > 3`, "reject")+
		rulestest.Rule("c", `online("support") == 0`, "{reject: {message: busy}}"))
	at := loadedAt
	in := f.Input(callFrom("5511988887777"), at, nil, Facts{})
	_, needs := f.Decide(in, 0)
	want := Needs{Lists: []string{"blocked"}, Queues: []string{"sales", "support"}, Calls: []time.Duration{time.Hour}}
	if !reflect.DeepEqual(needs, want) {
		t.Fatalf("%+v", needs)
	}
	facts := Facts{
		Listed: map[string]bool{"blocked": false}, Calls: map[time.Duration]int{time.Hour: 1},
		Queues: map[string]QueueFacts{"sales": {}, "support": {}},
	}
	d, needs := f.Decide(f.Input(callFrom("5511988887777"), at, nil, facts), 0)
	if !needs.None() || d.Rule != "c" {
		t.Errorf("%+v %+v", d, needs)
	}
	if text, needs, err := f.Render(d.Message, f.Input(callFrom("5511988887777"), at, nil, facts)); text != "0 wait." ||
		!needs.None() || err != nil {
		t.Errorf("%q %+v %v", text, needs, err)
	}

	// A call that comes to the facts by another way asks for less, and one without a number or id has no history.
	if _, needs := f.Decide(in, 2); !reflect.DeepEqual(needs,
		Needs{Lists: want.Lists, Queues: []string{"support", "sales"}, Calls: want.Calls}) {
		t.Errorf("from rule 2: %+v", needs)
	}
	if _, needs := f.Decide(f.Input(callFrom(""), at, nil, Facts{}), 0); !reflect.DeepEqual(needs,
		Needs{Queues: []string{"support", "sales"}}) {
		t.Errorf("withheld: %+v", needs)
	}
}

func TestADurationMadeUpAtRunTimeIsAskedFor(t *testing.T) {
	f := loadText(t, t.TempDir(),
		rulestest.Beginning+rulestest.Rule("a", `calls(payload) > 1 and calls(payload + "30m") > 2`, "{accept: bot}"))
	call := callFrom("5511988887777")
	call.Payload = "2h"
	facts := Facts{Calls: map[time.Duration]int{}}
	var asked []time.Duration
	for {
		d, needs := f.Decide(f.Input(call, loadedAt, nil, facts), 0)
		if needs.None() {
			if d.Rule != "a" {
				t.Errorf("%+v", d)
			}
			break
		}
		facts = Facts{Calls: map[time.Duration]int{}}
		for _, n := range needs.Calls {
			facts.Calls[n] = 3
		}
		asked = needs.Calls
	}
	if want := []time.Duration{2 * time.Hour, 150 * time.Minute}; !reflect.DeepEqual(asked, want) {
		t.Errorf("asked for %v", asked)
	}
}

func TestAnErrorSaysWhichConditionFailedAndWhy(t *testing.T) {
	down := Facts{Err: errors.New("the store cannot be reached")}
	for condition, want := range map[string]string{
		`free("sales") > 0`:               `rule "a": free("sales"): the store cannot be reached`,
		`clock != "" and calls('1h') > 2`: `rule "a": calls('1h'): the store cannot be reached`,
		`open(payload)`: `rule "a": open(payload): there are no hours "ofice"; did you mean ` +
			`"office"?`,
		`split(payload, "")[9] == "x"`: `rule "a": split(payload, "")[9] == "x": there is no element at ` +
			`this place`,
		`now.Hour() % int(caller.area) == 0`: `rule "a": now.Hour() % int(caller.area) == 0: `,
		// Division by zero is an error in each way of asking, and so is a text that is no number.
		`len(caller.name) / len(caller.name) > 2`:        `rule "a": len(caller.name) / len(caller.name) > 2: this divides by zero`,
		`len(caller.name) / len(caller.name) <= 2`:       `rule "a": len(caller.name) / len(caller.name) <= 2: this divides by zero`,
		`not (len(caller.name) / len(caller.name) <= 2)`: `rule "a": len(caller.name) / len(caller.name) <= 2: this divides by zero`,
		`any([1], # / (len(payload) - 5) > 0)`:           `rule "a": any(`,
		`-1.5 / (len(payload) - 5) < 0`:                  `rule "a": -1.5 / (len(payload) - 5) < 0: this divides by zero`,
		`10.0 ** (len(payload) * 200) > 1`:               `rule "a": 10.0 ** (len(payload) * 200) > 1: this divides by zero, or`,
		`int(payload) > 0`:                               `rule "a": int(payload) > 0: this text is not a number`,
		`float(payload) > 0`:                             `rule "a": float(payload) > 0: this text is not a number`,
		`float(caller.id) > 0`:                           `rule "a": float(caller.id) > 0: this text is not a number`,
		`not (float(caller.id) > 0)`:                     `rule "a": float(caller.id) > 0: this text is not a number`,
		`max(filter([1], # > 5)) > 0`:                    `rule "a": max(filter([1], # > 5)) > 0: this uses a value that is not`,
		`filter([1], # > 5)[0] > 0`:                      `rule "a": filter([1], # > 5)[0] > 0: there is no element at`,
		`sort([payload, 1])[0] == 1`:                     `rule "a": sort([payload, 1])[0] == 1: this compares values of different`,
	} {
		if strings.HasPrefix(condition, "clock") {
			condition = strings.Replace(condition, `clock != ""`, `clock != "00:01"`, 1)
		}
		f := loadText(t, t.TempDir(), rulestest.Beginning+rulestest.Rule("a", condition, "{accept: bot}"))
		call := callFrom("")
		call.Caller.ID, call.Caller.Name, call.Payload = "NaN", "", "ofice"
		d, needs := f.Decide(f.Input(call, loadedAt, nil, down), 0)
		if d.By != ByOnError || d.Action != Reject || !needs.None() || d.Err == nil ||
			!strings.HasPrefix(d.Err.Error(), want) {
			t.Errorf("%s: %+v %+v", condition, d, needs)
		}
		if strings.Contains(d.Err.Error(), "interface") || strings.Contains(d.Err.Error(), "\n") {
			t.Errorf("a word of Go: %v", d.Err)
		}
	}
}

func TestSwitchesAndRuntimeEntriesEnd(t *testing.T) {
	f := loadText(t, t.TempDir(),
		rulestest.Beginning+
			rulestest.Rule("open", `open("office")`, "{accept: bot}")+
			rulestest.Rule("vip", `listed("vip")`, "{handoff: sales}"))
	at := time.Date(2026, 11, 23, 22, 0, 0, 0, f.Location()) // closed
	end := at.Add(time.Hour)
	rt := &Runtime{
		Switches: map[string]Switch{"office": {Open: true, Until: end}, "unknown": {}},
		Entries:  map[string]map[string]time.Time{"vip": {"+551122223333": end, "id:BR.9": {}}},
	}
	decide := func(c Caller, now time.Time) string {
		d, _ := f.Decide(f.Input(Call{Caller: c, Number: "main"}, now, rt, Facts{}), 0)
		return d.Rule
	}
	caller := NewCaller("551122223333", "", "")
	for _, step := range []struct {
		caller Caller
		now    time.Time
		want   string
	}{
		{caller, at, "open"}, {caller, end.Add(-time.Nanosecond), "open"}, {caller, end, ""},
		{NewCaller("", "BR.9", ""), end, "vip"}, {NewCaller("", "BR.8", ""), end, ""},
	} {
		if got := decide(step.caller, step.now); got != step.want {
			t.Errorf("%v at %v: %q, want %q", step.caller, step.now, got, step.want)
		}
	}
	rt.Switches = nil
	if got := decide(caller, at); got != "vip" {
		t.Errorf("without the switch: %q", got)
	}
}

// What is kept of a minute is what holds without a switch.
func TestASwitchIsForgottenWithinTheMinute(t *testing.T) {
	f := loadText(t, t.TempDir(),
		rulestest.Beginning+
			rulestest.Rule("open", `open("office") and caller.name != ""`, "{accept: bot}")+
			rulestest.Rule("closed", `not open("office")`, "{handoff: sales}"))
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, f.Location())
	closed := &Runtime{Switches: map[string]Switch{"office": {Until: at.Add(time.Hour)}}}
	for i, step := range []struct {
		rt   *Runtime
		want string
	}{{closed, "closed"}, {nil, "open"}, {closed, "closed"}, {nil, "open"}} {
		if d, _ := f.Decide(f.Input(callFrom("5511988887777"), at, step.rt, Facts{}), 0); d.Rule != step.want {
			t.Errorf("step %d: %q, want %q", i, d.Rule, step.want)
		}
	}
}

func TestADryRunAsJSON(t *testing.T) {
	f, problems := load("testdata/valid/whole/rules.yaml", loadedAt)
	if f == nil {
		t.Fatal(problems)
	}
	at := time.Date(2026, 11, 23, 22, 15, 0, 0, f.Location())
	s, err := f.Simulate(Call{Caller: NewCaller("5521977776666", "", ""), Number: "main"}, at, Given{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	compareWithFile(t, "testdata/valid/whole/after-hours.json", string(got)+"\n")

	_, err = f.Simulate(Call{Number: "mian"}, at,
		Given{Free: map[string]int{"sale": 1}, Listed: []string{"vips"}, Fails: []string{"bott"}})
	for _, want := range []string{`there is no number "mian"; did you mean "main"?`, `"sales"?`, `"vip"?`, `"bot"?`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in: %v", want, err)
		}
	}
}

func TestWhatAFileIsMadeOf(t *testing.T) {
	f, _ := load("testdata/valid/whole/rules.yaml", loadedAt)
	if got := f.Paths(); len(got) != 3 || !strings.HasSuffix(got[1], filepath.Join("lists", "blocked.txt")) {
		t.Errorf("%v", got)
	}
	if n, ok := f.NumberFor("551122361741"); !ok || n.Name != "main" || n.Phone != "+551122361741" ||
		n.PositusID == "" {
		t.Errorf("%+v", n)
	}
	if _, ok := f.NumberFor("551122361742"); ok {
		t.Error("a number that is not there")
	}
	q, _ := f.Queue("sales")
	want := Queue{Name: "sales", Agents: []string{"ana", "bruno"}, Strategy: LongestIdle, Ring: 10 * time.Second,
		WrapUp: 15 * time.Second, AwayAfter: 3}
	if !reflect.DeepEqual(q, want) {
		t.Errorf("%+v", q)
	}
	if a, _ := f.Answer("greeting"); !filepath.IsAbs(a.Play) {
		t.Errorf("%+v", a)
	}
	if m, _ := f.Message("closed"); m.AtMostEvery != 12*time.Hour {
		t.Errorf("%+v", m)
	}
	if got := f.Lists(); !reflect.DeepEqual(got,
		[]List{{"vip", false, 3}, {"blocked", false, 3}, {"partners", true, 0}}) {
		t.Errorf("%+v", got)
	}
	if d := f.Default(); d.Action != Accept || d.By != ByDefault || d.Index != 5 {
		t.Errorf("%+v", d)
	}
	if d := f.OnError(errors.New("x")); d.Action != Reject || d.By != ByOnError || d.Err == nil {
		t.Errorf("%+v", d)
	}
}
