package rules

import (
	"fmt"
	"math"
	"strings"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

func newEnvironment(in *input) any {
	return condition.Environment{
		Caller:  callerOf(&in.call.Caller),
		Number:  in.call.Number,
		Payload: in.call.Payload,
		Now:     in.now,
		Today:   in.now.Format(time.DateOnly),
		Clock:   in.now.Format("15:04"),
		Weekday: strings.ToLower(in.now.Format("Mon")),

		Open:    in.open,
		Opens:   in.opens,
		Closes:  in.closes,
		Holiday: in.holiday,
		Listed:  in.listed,
		Free:    in.free,
		Online:  in.online,
		Waiting: in.waiting,
		Calls:   in.calls,

		Quotient: quotient,
		Finite:   finite,
	}
}

func quotient(n float64) float64 {
	if math.IsInf(n, 0) || math.IsNaN(n) {
		panic(&runtimeError{"this divides by zero, or its result is too large"})
	}
	return n
}

// finite refuses the texts "NaN" and "Inf", which are numbers for Go.
func finite(n float64) float64 {
	if math.IsInf(n, 0) || math.IsNaN(n) {
		panic(&runtimeError{"this text is not a number"})
	}
	return n
}

func callerOf(c *Caller) condition.Caller {
	return condition.Caller{Number: c.Number, ID: c.ID, Name: c.Name, Country: c.Country, Area: c.Area}
}

func unknown(k condition.Kind, name string, known []string) {
	message := condition.NoSuch(k, name)
	if near, ok := source.Nearest(name, known); ok {
		message += fmt.Sprintf("; did you mean %q?", near)
	}
	panic(&runtimeError{message})
}

func (in *input) hours(name string) (*hours.Plan, *Switch) {
	i, ok := in.file.hoursByName[name]
	if !ok {
		unknown(condition.Hours, name, in.file.HoursNames())
	}
	if in.switches == nil {
		return in.file.hours[i], nil
	}
	return in.file.hours[i], in.switches[i]
}

func (in *input) open(name string) bool {
	h, s := in.hours(name)
	return h.Open(in.now, s)
}

func (in *input) opens(name string) string {
	h, s := in.hours(name)
	return in.when(h.Opens(in.now, s))
}

func (in *input) closes(name string) string {
	h, s := in.hours(name)
	return in.when(h.Closes(in.now, s))
}

func (in *input) when(t time.Time, ok bool) string {
	if !ok {
		return ""
	}
	return hours.FormatWhen(t, in.file.language)
}

func (in *input) holiday(name string) bool {
	c, ok := in.file.calendars[name]
	if !ok {
		unknown(condition.Calendar, name, in.file.calendarNames())
	}
	y, m, d := in.now.Date()
	_, is := c.Holiday(y, m, d)
	return is
}

func (in *input) listed(name string) bool {
	l, ok := in.file.listsByName[name]
	if !ok {
		unknown(condition.List, name, in.file.listNames())
	}
	if in.key == "" {
		return false
	}
	if !l.Store {
		return l.has(in.key, in.now) || in.otherKey != "" && l.has(in.otherKey, in.now) || in.enteredAtRuntime(name)
	}
	is, ok := in.facts.Listed[name]
	if !ok {
		in.lacks("list " + name)
	}
	return is
}

func (in *input) enteredAtRuntime(list string) bool {
	if in.runtime == nil {
		return false
	}
	entries := in.runtime.Entries[list]
	return isOn(entries, in.key, in.now) || in.otherKey != "" && isOn(entries, in.otherKey, in.now)
}

func (in *input) free(queue string) int { return in.queue(queue).Free }

func (in *input) online(queue string) int { return in.queue(queue).Online }

func (in *input) waiting(queue string) int { return in.queue(queue).Waiting }

func (in *input) queue(name string) QueueFacts {
	q, ok := in.facts.Queues[name]
	if ok {
		return q
	}
	if _, ok := in.file.Queue(name); !ok {
		unknown(condition.Queue, name, in.file.queueNames())
	}
	in.lacks("queue " + name)
	return q
}

func (in *input) calls(last string) int {
	d, ok := in.file.durations[last]
	if !ok {
		var err error
		if d, err = hours.ParseDuration(last); err != nil {
			panic(&runtimeError{err.Error()})
		}
	}
	if in.key == "" {
		return 0
	}
	n, ok := in.facts.Calls[d]
	if !ok {
		if in.facts.Err == nil {
			panic(&lackingCalls{d})
		}
		panic(in.facts.Err)
	}
	return n
}

func (in *input) lacks(fact string) {
	if in.facts.Err != nil {
		panic(in.facts.Err)
	}
	panic(&lackingFact{fact})
}
