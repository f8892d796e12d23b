package console

import (
	"fmt"
	"strings"
	"time"

	"callrouter/rules/hours"
)

// until reads when something that was set by hand ends: a time in the future, in any form that instant reads.
func (a *api) until(s, what string) (time.Time, error) {
	if s == "" {
		return time.Time{}, invalid("until_required",
			"%s needs an end: send until, a time or a duration (2h, 18:00, 2026-11-23T18:00:00-03:00)", what)
	}
	now := a.Now()
	t, err := a.instant(s, now, 1)
	if err != nil {
		return time.Time{}, invalid("invalid_until", "until: %s", err)
	}
	if !t.After(now) {
		return time.Time{}, invalid("invalid_until", "until %s is in the past; send a later time", s)
	}
	return t, nil
}

// instant reads a time (18:00 is its next occurrence, or with sign -1 its last), a date (its end, or its start), or a
// duration from now (or back).
func (a *api) instant(s string, now time.Time, sign int) (time.Time, error) {
	loc := a.Engine.Rules().Location()
	if d, err := hours.ParseDuration(s); err == nil {
		return now.Add(time.Duration(sign) * d), nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, s, loc); err == nil {
		if sign > 0 {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	t, err := hours.ParseTime(s, loc, now)
	if sign < 0 && err == nil && t.After(now) { // a time of day alone is its last occurrence
		t, err = hours.ParseTime(s, loc, now.AddDate(0, 0, -1))
	}
	if err != nil {
		return t, fmt.Errorf("%w, or a duration (90s, 1h30m, 7d)", err)
	}
	return t, nil
}

// shown is how many names a message lists before it counts the rest.
const shown = 20

func joinSome(names []string) string {
	if more := len(names) - shown; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), more)
	}
	return strings.Join(names, ", ")
}

func namesOf[T any](all []T, name func(T) string) []string {
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = name(v)
	}
	return names
}

// orNull is a pointer to v, or nil (null in JSON) for the zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
