// Package rulestest has the texts of rules files that the tests of several packages make up. It is text only, so that
// the tests of package rules itself can use it.
package rulestest

import (
	"fmt"
	"strings"
)

// Beginning is a rules file up to the first of its rules: something of every kind that a condition can name, and a
// default.
const Beginning = `version: 1
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

// Rule is one rule, to be appended to [Beginning]. The condition may have several lines.
func Rule(name, condition, then string) string {
	return fmt.Sprintf("  - name: %s\n    when: |\n      %s\n    then: %s\n", name,
		strings.ReplaceAll(condition, "\n", "\n      "), then)
}

// ManyRules is a file of n rules with conditions of every kind, of which the last holds by day. known is what stands
// behind the name of the list known.
func ManyRules(n int, known string) string {
	var text strings.Builder
	text.WriteString(strings.Replace(Beginning, "  blocked: {store: true}\n",
		"  blocked: {store: true}\n  known: "+known+"\n", 1))
	for i := range n - 1 {
		text.WriteString(Rule(fmt.Sprintf("rule %d", i), manyConditions[i%len(manyConditions)](i), "reject"))
	}
	text.WriteString(Rule("last", `caller.country == "BR" and weekday != "sun"`, "{accept: bot}"))
	return text.String()
}

var manyConditions = []func(i int) string{
	func(i int) string { return fmt.Sprintf(`number == "other" and caller.area == "%d"`, 11+i%80) },
	func(i int) string { return fmt.Sprintf(`not open("office") and caller.name != "x%d"`, i) },
	func(i int) string { return fmt.Sprintf(`listed("known") and payload == "p%d"`, i) },
	func(i int) string { return fmt.Sprintf(`caller.number startsWith "+55213%d"`, i) },
	func(i int) string { return fmt.Sprintf(`free("sales") > %d and open("office")`, 5+i%3) },
	func(i int) string { return fmt.Sprintf(`now.Hour() > 20 and clock >= "2%d:%02d"`, i%4, i%60) },
}
