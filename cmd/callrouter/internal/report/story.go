// Package report is what commands print for people: the story of a call, a dry run, a week as text and as a picture,
// what changes next, problems of a rules file, and tables.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"callrouter/console"
	"callrouter/engine"
	"callrouter/rules"
)

// Story prints a call so that it tells why it went as it did, months later, to people who were not there.
func Story(w io.Writer, call *console.Record, loc *time.Location) error {
	return (&story{w, call, loc}).print()
}

// story prints one call.
type story struct {
	w    io.Writer
	call *console.Record
	loc  *time.Location
}

func (s *story) print() error {
	c := s.call
	head := [][]string{
		{"call", fmt.Sprintf("%s (in logs: %s)", c.ID, c.Key)},
		{"from", s.from()},
		{"to", c.Number},
		{"received", s.received()},
	}
	if c.Payload != "" {
		head = append(head, []string{"payload", value(c.Payload)})
	}
	head = append(
		head,
		[]string{"decision", s.decision()},
		[]string{"rules", "version " + c.RulesVersion},
		[]string{"outcome", s.outcome()},
	)
	if c.Agent != nil {
		head = append(head, []string{"agent", *c.Agent})
	}
	if c.Message != nil {
		head = append(head, []string{"message", s.message()})
	}
	if c.HangUp != nil {
		head = append(head, []string{"hang-up", s.hangUp()})
	}
	if err := Table(s.w, head); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		rows  [][]string
	}{
		{"rules looked at", s.trace()},
		{"facts from the store", s.facts()},
		{"offers to agents", s.offers()},
		{"what happened", s.happened()},
	} {
		if len(part.rows) == 0 {
			continue
		}
		fmt.Fprintf(s.w, "\n%s\n", part.title)
		if err := Table(s.w, part.rows); err != nil {
			return err
		}
	}
	return nil
}

// since is a time relative to when the call was received.
func (s *story) since(t time.Time) string {
	d := t.Sub(s.call.ReceivedAt).Round(time.Millisecond)
	if d < 0 {
		return fmt.Sprintf("-%.3f s", -d.Seconds())
	}
	return fmt.Sprintf("+%.3f s", d.Seconds())
}

func (s *story) from() string {
	c := s.call
	text := callerText(rules.NewCaller(c.FromReceived, c.UserID, c.Name))
	if c.Name != "" {
		text += ", " + value(c.Name)
	}
	if c.From != "" && c.FromReceived != strings.TrimPrefix(c.From, "+") {
		text += ", received as " + c.FromReceived
	}
	return text
}

func (s *story) received() string {
	c := s.call
	text := c.ReceivedAt.In(s.loc).Format("Mon 2006-01-02 15:04:05.000") + fmt.Sprintf(" (%s)", s.loc)
	if d := c.ReceivedAt.Sub(c.Timestamp).Round(time.Millisecond); d > 0 {
		text += fmt.Sprintf(", %.3f s after WhatsApp's own timestamp", d.Seconds())
	}
	return text + "; answer window until " + s.since(c.Deadline)
}

func (s *story) decision() string {
	if s.call.Action == nil {
		return "none"
	}
	return Decision(s.call) + "  by " + DecidedBy(s.call)
}

func (s *story) outcome() string {
	c := s.call
	text := End(c)
	if c.EndedAt != nil {
		text += ", ended at " + s.since(*c.EndedAt)
	}
	if c.ActiveAt != nil {
		end := "goes on"
		if c.EndedAt != nil {
			end = fmt.Sprintf("talked for %s", c.EndedAt.Sub(*c.ActiveAt).Round(time.Second))
		}
		text += ", " + end
	}
	if c.Why != "" {
		text += ": " + c.Why
	}
	return text
}

func (s *story) message() string {
	m := s.call.Message
	switch {
	case m.Error != "":
		return fmt.Sprintf("%s was not sent: %s", m.Name, m.Error)
	case m.At.IsZero():
		return m.Name + " is not sent yet"
	}
	return fmt.Sprintf("%s, sent at %s: %q", m.Name, s.since(m.At), m.Text)
}

func (s *story) hangUp() string {
	h := s.call.HangUp
	text := fmt.Sprintf(
		"wanted since %s (%s), not confirmed after %s",
		s.since(h.Since),
		h.Why,
		Plural(h.Attempts, "attempt"),
	)
	if h.Error != "" {
		text += ": " + h.Error
	}
	return text
}

// trace lists why each rule did or did not hold, in order. A cascade lists a rule once for each evaluation.
func (s *story) trace() [][]string {
	var rows [][]string
	decided := false
	for _, t := range s.call.Trace {
		decided = decided || t.Result == rules.Decided
		rows = append(
			rows,
			[]string{"  " + s.since(t.At), mark(t.Result), fmt.Sprintf("line %d", t.Line), t.Rule, t.Why},
		)
		for _, name := range sortedKeys(t.Values) {
			if v := value(t.Values[name]); !strings.Contains(t.Why, name+" is "+v) {
				rows = append(rows, []string{"", "", "", "", fmt.Sprintf("  where %s is %s", name, v)})
			}
		}
	}
	if !decided && s.call.By != nil && *s.call.By != rules.ByRule {
		why := "no rule decided"
		if *s.call.By == rules.ByOnError {
			why = "the rules could not be evaluated or carried out"
		}
		rows = append(rows, []string{"", mark(rules.Decided), "", DecidedBy(s.call), why})
	}
	return rows
}

func (s *story) facts() [][]string {
	var rows [][]string
	for _, f := range s.call.Facts {
		at := "  " + s.since(f.At)
		add := func(text string) {
			rows = append(rows, []string{at, text})
			at = ""
		}
		for _, list := range sortedNames(f.Listed) {
			is := "not on"
			if f.Listed[list] {
				is = "on"
			}
			add(fmt.Sprintf("the caller was %s the list %q", is, list))
		}
		for _, q := range sortedNames(f.Queues) {
			n := f.Queues[q]
			add(fmt.Sprintf("queue %q: %d free, %d online, %d waiting", q, n.Free, n.Online, n.Waiting))
		}
		for _, last := range sortedNames(f.Calls) {
			add(fmt.Sprintf("%s by this caller in the %s before", Plural(f.Calls[last], "call"), last))
		}
		if f.Error != "" {
			add("it could not be asked: " + f.Error)
		}
	}
	return rows
}

func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// offerTexts explain the results of an offer.
var offerTexts = map[engine.OfferResult]string{
	"":                      "still rings",
	engine.OfferAnswered:    "answered",
	engine.OfferDeclined:    "declined",
	engine.OfferMissed:      "rang out, nobody picked up",
	engine.OfferTaken:       "another agent picked up first",
	engine.OfferUnreachable: "rang out, the agent had disconnected",
	engine.OfferEnded:       "the caller left, or the call was decided otherwise",
}

func (s *story) offers() [][]string {
	var rows [][]string
	for _, o := range s.call.Offers {
		text := offerTexts[o.Result]
		if text == "" {
			text = string(o.Result)
		}
		if !o.ResultAt.IsZero() {
			text += " at " + s.since(o.ResultAt)
		}
		rows = append(rows, []string{"  " + s.since(o.At), o.Agent, "queue " + o.Queue, text})
	}
	return rows
}

// happened lists the states of the call, and the platform's report of its end.
func (s *story) happened() [][]string {
	type event struct {
		at          time.Time
		what, about string
	}
	var events []event
	for _, t := range s.call.Transitions {
		events = append(events, event{t.At, string(t.State), t.Why})
	}
	if e := s.call.CallerEnd; e != nil {
		events = append(events, event{e.At, "(WhatsApp)", callerEndText(e)})
		slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	}
	var rows [][]string
	for _, e := range events {
		rows = append(rows, []string{"  " + s.since(e.at), e.what, e.about})
	}
	return rows
}

func callerEndText(e *engine.CallerEnd) string {
	text := "reported the end of the call"
	if e.Status != "" {
		text += ": " + e.Status
	}
	if e.PickedUp {
		text += fmt.Sprintf(", talked for %d s", e.Duration)
	}
	if len(e.Codes) > 0 {
		text += fmt.Sprintf(", codes %v", e.Codes)
	}
	return text
}
