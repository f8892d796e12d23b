package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrouter/engine/testrun"
)

// hostileConditions are conditions that try to end the process, to hang it, or to fill its memory.
func hostileConditions() []string {
	nest := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	long := strings.Repeat("a", 3000)
	return []string{
		nest(
			"(",
			"true",
			")",
			1<<20,
		), nest("(", "true", ")", 65), nest("[", "1", "]", 2000), nest("{a: ", "1", "}", 900),
		strings.Repeat("(", 1<<20), strings.Repeat("[", 1<<20), strings.Repeat("{", 1<<20), strings.Repeat("!", 1<<20),
		strings.Repeat("-", 4000) + "1 > 0", strings.Repeat("not ", 1000) + "true", strings.Repeat("+", 4000) + "1 > 0",
		strings.Repeat(
			"true and ",
			440,
		) + "true", strings.Repeat("true ? ", 500) + "true" + strings.Repeat(" : true", 500),
		strings.Repeat(
			"1 ** ",
			800,
		) + "1 > 0", strings.Repeat("a.", 2000) + "b", strings.Repeat("caller?.", 500) + "name == ''",
		nest("len(", `"x"`, ")", 60) + " > 0", nest("upper(", "payload", ")", 63) + ` == ""`,
		nest("all(1..1000, ", "true", ")", 5), nest("any(1..100000, ", "false", ")", 2), "all(1..300000000, true)",
		"sum(1..1000000000) > 0", "len(1..9223372036854775807) > 0", "count(1..100000000, # > 0) > 0",
		"let a = 1..300; sum(a, sum(a, sum(a, #))) > 0", `reduce(1..27, #acc + #acc, "x") == ""`,
		`let a = payload + payload; let b = a + a; let c = b + b; c == ""`, `repeat("abc", 1000000000) == ""`,
		`replace(replace(payload, "", payload), "", payload) == ""`, `join([join([payload, payload], payload)], payload) == ""`,
		`split(payload, "") == []`, `fromJSON(payload) == nil`, `toJSON(caller) == ""`, `$env["caller"] == nil`, `$env == nil`,
		`payload matches caller.name`, `payload matches "(a+)+$"`, `payload matches "` + strings.Repeat("(a?){50}", 60) + `"`,
		`payload matches "` + strings.Repeat(
			"a{1000}",
			20,
		) + `"`, `payload in ["` + strings.Repeat(`x", "`, 700) + `"]`,
		`payload == "` + long + `"`, `"` + strings.Repeat("\\u0041", 600) + `" == payload`, `flatten([[1],[2]]) == []`,
		"max([1,2,3]) > 0 and min([[[[1]]]]) > 0", "now().Year() > 0", "date('2026-01-01').Year() > 0", "now.AppendFormat([], '') == []",
		"now.In(nil).Year() > 0", "1 / 0 > 1", "now.Hour() % 0 == 1", "int('x') > 0", "caller.name[100:200] == ''", "caller.name[-1:] == ''",
		"opens(payload) == closes(payload)", "open(caller.name)", "calls(payload) > 0", "free(payload) > 0", "filter([1], #) == []",
		"sortBy([3,1,2], #)[0] == 1", "groupBy([1,2], #) == {}", `duration("999999h") > duration("1s")`, "\x00", "/*", "//", "`", "#", "# > 0",
	}
}

// Nothing in a rules file can end the program, hang it, or cost a call its time: check refuses it, or a call is
// decided.
func TestHostileConditionsCannotEndTheProgram(t *testing.T) {
	t.Parallel()
	binary := callrouterBinary(t)
	folder := t.TempDir()
	conditions, accepted := hostileConditions(), 0
	for i := 0; i < len(conditions); i += testrun.Pick(5, 1, 1) {
		condition := conditions[i]
		path := filepath.Join(folder, fmt.Sprintf("%d.yaml", i))
		write(t, path, hostileFile(condition))
		code := runHostile(t, binary, condition, "check", path)
		if code == 1 {
			continue
		}
		accepted++
		args := []string{
			"simulate",
			"-r",
			path,
			"--from",
			"+55 21 97777-6666",
			"--payload",
			strings.Repeat("a", 4096),
			"--name",
			strings.Repeat("b", 4096),
		}
		if code := runHostile(t, binary, condition, args...); code != 0 {
			t.Errorf("a call cannot be decided by %.60q: exit code %d", condition, code)
		}
	}
	t.Logf("%d conditions, %d of them harmless enough to be decided by", len(conditions), accepted)
	if accepted == 0 || accepted == len(conditions) {
		t.Error("the conditions are not worth their name, or nothing passes")
	}
}

func hostileFile(condition string) string {
	return `version: 1
timezone: America/Sao_Paulo
numbers: {main: {phone: "+55 11 2236-1741", positus_id: n-1}}
hours: {office: {weekly: {mon-fri: 09:00-18:00}}}
agents: {ana: }
queues: {sales: {agents: [ana]}}
rules:
  - {name: offices, when: 'open("office") and free("sales") > 5', then: reject}
  - name: hostile
    when: |
      ` + condition + `
    then: reject
default: reject
`
}

// runHostile runs the program with a bound on its time and memory, and answers its exit code.
func runHostile(t *testing.T, binary, what string, args ...string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=256MiB")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Errorf("%.60q keeps %s busy for more than 20 s", what, args[0])
	case err != nil && !errors.As(err, &exit):
		t.Fatal(err)
	case strings.Contains(stderr.String(), "goroutine "),
		exit != nil && exit.ExitCode() > 1,
		exit != nil && exit.ExitCode() < 0:
		t.Errorf("%.60q ends %s: %v\n%.500s", what, args[0], err, stderr.String())
	case exit != nil:
		return exit.ExitCode()
	}
	return 0
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
