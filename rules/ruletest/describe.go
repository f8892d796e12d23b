package ruletest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"callrouter/rules"
)

// describe is the call of a test and the state of the world it is made in, in one line.
func describe(c *rules.Case, f *rules.File) string {
	var b strings.Builder
	from := c.Call.Caller.Number
	if from == "" {
		from = rules.Withheld
	}
	fmt.Fprintf(&b, "from %s to %s at %s", from, c.Call.Number,
		c.Time.In(f.Location()).Format("Mon 2006-01-02 15:04:05 -07:00"))
	for _, p := range []struct{ what, value string }{{"id", c.Call.Caller.ID}, {"name", c.Call.Caller.Name},
		{"payload", c.Call.Payload}} {
		if p.value != "" && (p.what != "id" || c.Call.Caller.Number == "") {
			fmt.Fprintf(&b, ", %s %q", p.what, p.value)
		}
	}
	if given := describeGiven(c.Given); given != "" {
		b.WriteString("; given " + given)
	}
	return b.String()
}

func describeGiven(g rules.Given) string {
	var all []string
	for _, p := range []struct {
		what string
		of   map[string]int
	}{{"free", g.Free}, {"online", g.Online}, {"waiting", g.Waiting}} {
		for _, q := range sorted(p.of) {
			all = append(all, fmt.Sprintf("%s %s=%d", p.what, q, p.of[q]))
		}
	}
	if len(g.Listed) > 0 {
		all = append(all, "listed "+strings.Join(g.Listed, " "))
	}
	if g.Calls > 0 {
		all = append(all, fmt.Sprintf("calls %d", g.Calls))
	}
	for _, h := range sorted(g.Switches) {
		all = append(all, fmt.Sprintf("switch %s=%s", h, map[bool]string{true: "open", false: "closed"}[g.Switches[h]]))
	}
	if len(g.NoAnswer) > 0 {
		all = append(all, "no_answer "+strings.Join(g.NoAnswer, " "))
	}
	if len(g.Fails) > 0 {
		all = append(all, "fails "+strings.Join(g.Fails, " "))
	}
	if g.StoreDown {
		all = append(all, "store down")
	}
	return strings.Join(all, ", ")
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func inOneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// shown is a value that a condition read.
func shown(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}

// pointer is nil for an empty text: as JSON, null.
func pointer(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
