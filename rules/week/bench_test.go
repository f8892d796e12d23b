package week

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callrouter/rules"
)

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

// benchFile is a file of n rules with conditions of every kind, of which only the last holds.
func benchFile(tb testing.TB, n, listed int) *rules.File {
	tb.Helper()
	var list, text strings.Builder
	for i := range listed {
		fmt.Fprintf(&list, "    - \"+55119%08d\"\n", 60000000+i)
	}
	text.WriteString(strings.Replace(madeUp, "  blocked: {store: true}\n",
		"  blocked: {store: true}\n  known:\n"+list.String(), 1))
	for i := range n - 1 {
		var c string
		switch i % 6 {
		case 0:
			c = fmt.Sprintf(`number == "other" and caller.area == "%d"`, 11+i%80)
		case 1:
			c = fmt.Sprintf(`not open("office") and caller.name != "x%d"`, i)
		case 2:
			c = fmt.Sprintf(`listed("known") and payload == "p%d"`, i)
		case 3:
			c = fmt.Sprintf(`caller.number startsWith "+55213%d"`, i)
		case 4:
			c = fmt.Sprintf(`free("sales") > %d and open("office")`, 5+i%3)
		default:
			c = fmt.Sprintf(`now.Hour() > 20 and clock >= "2%d:%02d"`, i%4, i%60)
		}
		text.WriteString(asRule(fmt.Sprintf("rule %d", i), c, "reject"))
	}
	text.WriteString(asRule("last", `caller.country == "BR" and weekday != "sun"`, "{accept: bot}"))
	return load(tb, text.String())
}

func BenchmarkWeekOfHundredRules(b *testing.B) {
	f := benchFile(b, 100, 1000)
	call := rules.Call{Caller: rules.NewCaller("5511988887777", "", ""), Number: "main"}
	from := time.Date(2026, 11, 23, 0, 0, 0, 0, f.Location())
	for b.Loop() {
		if _, err := Intervals(f, call, from, from.AddDate(0, 0, 7), rules.Given{}); err != nil {
			b.Fatal(err)
		}
	}
}
