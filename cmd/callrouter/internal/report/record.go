package report

import (
	"fmt"

	"callrouter/console"
)

// Caller is who called, as people know them.
func Caller(c *console.Record) string {
	switch {
	case c.From != "":
		return c.From
	case c.UserID != "":
		return "id:" + c.UserID
	}
	return Withheld
}

// Decision is what was decided, in a few words.
func Decision(c *console.Record) string {
	if c.Action == nil {
		return ""
	}
	s := string(*c.Action)
	for _, part := range []struct {
		label string
		value *string
	}{{" to queue ", c.Queue}, {" with answer ", c.Answer}} {
		if part.value != nil {
			s += part.label + *part.value
		}
	}
	if c.Message != nil {
		s += ", message " + c.Message.Name
	}
	return s
}

// DecidedBy is what decided, in a few words.
func DecidedBy(c *console.Record) string {
	switch {
	case c.Rule != nil:
		return fmt.Sprintf("rule %q", *c.Rule)
	case c.By != nil:
		return string(*c.By)
	}
	return ""
}

// End is the outcome of a call, or its state while it goes on.
func End(c *console.Record) string {
	if c.Outcome != nil {
		return string(*c.Outcome)
	}
	return "(" + string(c.State) + ")"
}

// Withheld stands for a caller without a number.
const Withheld = "withheld"
