package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"callrouter/rules"
)

// Simulation prints a dry run: the decision, and why each rule did or did not hold.
func Simulation(w io.Writer, f *rules.File, call rules.Call, s rules.Simulation, took time.Duration) error {
	fmt.Fprintf(w, "decision  %s\n", Headline(s))
	fmt.Fprintf(
		w,
		"call      from %s to %s, at %s (%s)\n",
		callerText(call.Caller),
		call.Number,
		s.At.Format(time.RFC3339),
		f.Location(),
	)
	fmt.Fprintf(w, "rules     %s, version %s\n\n", f.Path(), f.Version())
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for i, step := range s.Trace {
		fmt.Fprintf(t, "%3d  %s\tline %d  %s\t%s\n", i+1, mark(step.Result), step.Line, step.Rule, step.Why)
		for _, name := range sortedKeys(step.Values) {
			if v := value(step.Values[name]); !strings.Contains(step.Why, name+" is "+v) {
				fmt.Fprintf(t, "\t\t  where %s is %s\n", name, v)
			}
		}
	}
	if s.By != rules.ByRule {
		fmt.Fprintf(
			t,
			"  -  %s\t%s\t%s\n",
			mark(rules.Decided),
			strings.ReplaceAll(string(s.By), "_", " "),
			endText(f, s),
		)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	if len(s.NotReached) > 0 {
		fmt.Fprintf(w, "\nnot reached: %s\n", strings.Join(s.NotReached, ", "))
	}
	_, err := fmt.Fprintf(
		w,
		"\n%s looked at, %d µs; nothing was sent (dry run)\n",
		Plural(len(s.Trace), "rule"),
		took.Microseconds(),
	)
	return err
}

// callerText is the caller as conditions see it.
func callerText(c rules.Caller) string {
	if c.Number == "" {
		if c.ID == "" {
			return "a caller without a number"
		}
		return c.ID + " (no number)"
	}
	where := c.Country
	if c.Area != "" {
		where += " " + c.Area
	}
	if where == "" {
		return c.Number
	}
	return fmt.Sprintf("%s (%s)", c.Number, where)
}

// endText says why the end of the file decided.
func endText(f *rules.File, s rules.Simulation) string {
	end, why := f.Default(), "no rule decided"
	if s.By == rules.ByOnError {
		end, why = f.OnError(nil), "the rules could not be carried out"
	}
	if end.Action == rules.Accept && s.Action == rules.Reject {
		why += fmt.Sprintf(", and the answer %q fails", end.Answer)
	}
	return why
}

// Headline is the decision of a dry run in a few words.
func Headline(s rules.Simulation) string {
	var b strings.Builder
	b.WriteString(string(s.Action))
	for _, part := range []struct {
		label string
		value *string
	}{{" to queue ", s.Queue}, {" with answer ", s.Answer}, {", message ", s.Message}} {
		if part.value != nil {
			b.WriteString(part.label + *part.value)
		}
	}
	switch {
	case s.Text != nil:
		fmt.Fprintf(&b, " (%q)", *s.Text)
	case s.TextErr() != nil:
		fmt.Fprintf(&b, " (not sent: %s)", s.TextErr())
	}
	switch {
	case s.Rule != nil:
		fmt.Fprintf(&b, "  by rule %q", *s.Rule)
	case s.By == rules.ByOnError:
		b.WriteString("  by on_error")
	default:
		b.WriteString("  by default")
	}
	return b.String()
}

func mark(r rules.Result) string {
	switch r {
	case rules.Decided:
		return "✓"
	case rules.PassedOn:
		return "→"
	case rules.Errored:
		return "!"
	case rules.Skipped:
		return "-"
	}
	return "✗"
}

func value(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
