package report

import (
	"fmt"
	"time"

	"callrouter/rules"
	"callrouter/rules/week"
)

// Ahead is how one call is decided from one instant to another.
type Ahead struct {
	File       *rules.File
	Call       rules.Call
	From       string // the caller: normal form, id, or "withheld"
	Assumed    bool   // nobody said who calls
	Start, End time.Time
	Intervals  []week.Interval
}

// caller describes the caller, and says if it is assumed.
func (a *Ahead) caller() string {
	c := a.Call.Caller
	switch {
	case !a.Assumed:
		return a.From
	case c.Number == "":
		return "withheld (assumed: no --from)"
	}
	area := ""
	if c.Area != "" {
		area = ", area " + c.Area
	}
	return fmt.Sprintf(
		"%s (assumed: no --from; somebody from %s%s, on none of the file's lists)",
		c.Number,
		c.Country,
		area,
	)
}
