package ruletest

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"callrouter/rules"
)

var update = flag.Bool("update", false, "rewrite the expected output under testdata")

var loadedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const madeUp = `version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741"}
  other: {phone: "+55 11 2236-1742"}
hours:
  office: {weekly: {mon-fri: 09:00-18:00}}
  night: {weekly: {daily: 22:00-06:00}}
calendars:
  city: {11-23: Today}
lists:
  vip: ["+55 11 98888-7777", {id: BR.1}]
  blocked: {store: true}
agents: {ana: , bruno: {capacity: 2}}
queues:
  sales: {agents: [ana, bruno]}
  support: {agents: [bruno]}
answers:
  bot: {url: "https://bot.example/answer"}
messages:
  busy: "${waiting('sales')} wait."
default: reject
rules:
`

func asRule(name, condition, then string) string {
	return fmt.Sprintf("  - name: %s\n    when: |\n      %s\n    then: %s\n", name,
		strings.ReplaceAll(condition, "\n", "\n      "), then)
}

func printed(folder string, problems rules.Problems) string {
	var b strings.Builder
	for _, p := range problems {
		p.File = strings.TrimPrefix(strings.TrimPrefix(p.File, folder), "/")
		b.WriteString(p.String())
		b.WriteString("\n")
	}
	return b.String()
}

func compareWithFile(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
