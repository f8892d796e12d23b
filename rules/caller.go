package rules

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"callrouter/rules/internal/condition"
	"callrouter/rules/phone"
)

// idPrefix marks the key of a caller that is known by user id alone.
const idPrefix = "id:"

// Caller is who is calling, as the conditions see it.
type Caller struct {
	Number  string // normal form as of [phone.Normalize], "" if withheld
	ID      string // as received: digits, or the user id of a caller without a number
	Name    string // profile name, may be ""
	Country string // ISO 3166 code in capitals, "" if unknown
	Area    string // geographic area code, "" if there is none
	UserID  string // the platform's id of this person, beside a number too; "" if unknown
}

// NewCaller makes a Caller of what a webhook says: the caller's number with its country code, "" if withheld, the user
// id and the profile name, each of which may be "". It refuses nobody: digits that are no valid number stand for
// themselves, and what is no number at all is an id.
func NewCaller(from, userID, name string) Caller {
	c := Caller{ID: from, Name: name, UserID: userID}
	if c.ID == "" {
		c.ID = userID
	}
	n, ok := phone.Received(from)
	if !ok {
		if c.UserID == "" {
			c.UserID = from
		}
		return c
	}
	c.ID, c.Number, c.Country, c.Area = n.Digits, n.E164, n.Country, n.Area
	return c
}

// Key is what lists and histories know the caller by: the number, or else
// "id:" and the id, or "" for a caller about whom nothing is known.
func (c Caller) Key() string {
	switch {
	case c.Number != "":
		return c.Number
	case c.ID != "":
		return idPrefix + c.ID
	}
	return ""
}

// OtherKey is the second key of a caller who shows a number and whose user id is known: "id:" and the id; else "".
// Lists and histories know the caller by either key, so nobody gets off a list, or is counted anew, by showing or hiding
// the number.
func (c Caller) OtherKey() string { return OtherKey(c.Key(), c.UserID) }

// OtherKey is [Caller.OtherKey] of a caller with this [Caller.Key] and user id.
func OtherKey(key, userID string) string {
	if key == "" || userID == "" || strings.HasPrefix(key, idPrefix) {
		return ""
	}
	return idPrefix + userID
}

// ParseEntry reads one entry of a list: a phone number in any form that [phone.Normalize] reads, or "id:" and a user id
// for a caller who hides the number. The key is that of Caller.Key.
func ParseEntry(s string) (key string, err error) {
	s = strings.TrimSpace(s)
	id, isID := strings.CutPrefix(s, idPrefix)
	if !isID {
		return phone.Normalize(s)
	}
	if id = strings.TrimSpace(id); id == "" || strings.ContainsFunc(id, unicode.IsSpace) {
		return "", fmt.Errorf("entry %q has no user id: write it as id:BR.13491208655302741918", s)
	}
	return idPrefix + id, nil
}

// AnyCaller is a caller from the country of a business number of the file who is on none of its lists and in none of
// its conditions: the caller that a dry run takes when none is given.
func (f *File) AnyCaller(number string) Caller {
	n, _ := f.Number(number)
	country := NewCaller(strings.TrimPrefix(n.Phone, "+"), "", "").Country
	example := phone.ExampleMobile(country)
	if example == "" {
		return Caller{}
	}
	digits := example[1:]
	head, tail := digits[:len(digits)-2], 0
	for {
		c := NewCaller(fmt.Sprintf("%s%02d", head, tail), "", "")
		if tail == 99 || c.Country == country && !f.knows(c) {
			return c
		}
		tail++
	}
}

// knows reports whether the file names this very caller, in a list or in a condition.
func (f *File) knows(c Caller) bool {
	key := c.Key()
	return slices.ContainsFunc(f.lists, func(l *list) bool { _, ok := l.entries[key]; return ok }) ||
		slices.ContainsFunc(f.atoms,
			func(a *condition.Atom) bool { return strings.Contains(a.Text, c.ID) || strings.Contains(a.Text, key) })
}
