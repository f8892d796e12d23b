package rules

import (
	"slices"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
)

// Number is a business number of the file.
type Number struct {
	Name      string
	Phone     string // normal form, as [phone.Normalize] writes it
	PositusID string // NUMBER_ID in the Positus API; may be empty in a file that is only tried out
}

// ForService are the problems of a file that is fine to try things out with, and that a router cannot run with: numbers
// without a positus_id.
func (f *File) ForService() Problems { return f.withoutID }

// Agent is a human who answers calls.
type Agent struct {
	ID       string
	Name     string // for people; the id where the file has none
	Capacity int    // calls at once
}

// Strategy says in which order a queue's agents are offered a call.
type Strategy string

// The strategies.
const (
	LongestIdle Strategy = "longest_idle" // the default
	RoundRobin  Strategy = "round_robin"
	LeastBusy   Strategy = "least_busy"
	InOrder     Strategy = "in_order"
	RingAll     Strategy = "ring_all" // all who are free at once
)

// Queue is a group of agents who can be handed a call.
type Queue struct {
	Name      string
	Agents    []string // ids, in file order
	Strategy  Strategy
	Ring      time.Duration // how long one agent's phone rings
	WrapUp    time.Duration // no new call for so long after one ends
	AwayAfter int           // missed offers in a row that set an agent away; 0: never
}

// Answer is a way to accept a call without a human. Exactly one of Play and URL is set.
type Answer struct {
	Name    string
	Play    string        // absolute path of an Ogg Opus file
	URL     string        // gets the SDP offer, returns the SDP answer
	Timeout time.Duration // of the URL
}

// Message is a text that can be sent to a caller who was rejected.
type Message struct {
	Name        string
	AtMostEvery time.Duration // for one caller; 0: every time
}

// List is a list of callers.
type List struct {
	Name  string
	Store bool // kept at run time, in the store
	Size  int  // entries in the file
}

// Limits bound every call.
type Limits struct {
	AnswerWithin time.Duration // from the call's own timestamp
	MaxCall      time.Duration // then the call is hung up
}

// Path is the path the file was loaded from.
func (f *File) Path() string { return f.path }

// Version is a hash over the file and every file it names.
func (f *File) Version() string { return f.version }

// Paths is every file it is made of, the rules file first.
func (f *File) Paths() []string { return slices.Clone(f.paths) }

// LongestHistory returns the longest time that a condition or message looks back with calls(), 0 if none does.
func (f *File) LongestHistory() time.Duration {
	var longest time.Duration
	for _, d := range f.durations {
		longest = max(longest, d)
	}
	return longest
}

// Location is the file's time zone.
func (f *File) Location() *time.Location { return f.loc }

// Language returns the language of the file's texts: en or pt.
func (f *File) Language() string { return f.language }

// RuleNames lists the rules in file order.
func (f *File) RuleNames() []string {
	names := make([]string, len(f.rules))
	for i := range f.rules {
		names[i] = f.rules[i].name
	}
	return names
}

// Numbers lists the business numbers in file order.
func (f *File) Numbers() []Number { return slices.Clone(f.numbers) }

// Number finds a business number by its name in the file.
func (f *File) Number(name string) (Number, bool) {
	return at(f.numbers, f.numbersByName, name)
}

// NumberFor finds a business number by a phone number as it came in, in any spelling.
func (f *File) NumberFor(raw string) (Number, bool) {
	i, ok := f.phones[NewCaller(raw, "", "").Number]
	if !ok {
		return Number{}, false
	}
	return f.numbers[i], true
}

// Agents lists the agents in file order.
func (f *File) Agents() []Agent { return slices.Clone(f.agents) }

// Agent finds an agent by id.
func (f *File) Agent(id string) (Agent, bool) {
	return at(f.agents, f.agentsByID, id)
}

// Queues lists the queues in file order.
func (f *File) Queues() []Queue { return slices.Clone(f.queues) }

// Queue finds a queue by name.
func (f *File) Queue(name string) (Queue, bool) {
	return at(f.queues, f.queuesByName, name)
}

// Answer finds an answer by name.
func (f *File) Answer(name string) (Answer, bool) {
	return find(f.answers, func(a Answer) bool { return a.Name == name })
}

// Message finds a message by name; [File.Render] makes its text.
func (f *File) Message(name string) (Message, bool) {
	m, ok := find(f.messages, func(m *message) bool { return m.Name == name })
	if !ok {
		return Message{}, false
	}
	return m.Message, true
}

// Lists lists the lists in file order.
func (f *File) Lists() []List {
	all := make([]List, len(f.lists))
	for i, l := range f.lists {
		all[i] = l.List
	}
	return all
}

// HoursNames lists the hours in file order.
func (f *File) HoursNames() []string {
	names := make([]string, len(f.hours))
	for i, h := range f.hours {
		names[i] = h.Name
	}
	return names
}

// Hours returns the plan of hours by name, nil if there is none.
func (f *File) Hours(name string) *hours.Plan {
	i, ok := f.hoursByName[name]
	if !ok {
		return nil
	}
	return f.hours[i]
}

// ListedUntil returns until when a caller, by key, is on a list by an entry of the file; the zero time if there is no
// such entry, or one without an end.
func (f *File) ListedUntil(list, key string) time.Time {
	if l := f.listsByName[list]; l != nil {
		return l.entries[key]
	}
	return time.Time{}
}

// OnList reports whether a caller, by key, is on a list by an entry of the file that has not ended.
func (f *File) OnList(list, key string, now time.Time) bool {
	l := f.listsByName[list]
	if l == nil {
		return false
	}
	until, ok := l.entries[key]
	return ok && (until.IsZero() || now.Before(until))
}

// Atoms lists the parts of the conditions that a call to a number can meet, each once.
func (f *File) Atoms(number string) []*condition.Atom {
	i, ok := f.numbersByName[number]
	if !ok {
		i = -1
	}
	var all []*condition.Atom
	seen := map[*condition.Atom]bool{}
	for r := range f.rules {
		if !f.rules[r].answersFor(i) {
			continue
		}
		f.rules[r].when.Each(func(a *condition.Atom) {
			if !seen[a] {
				seen[a] = true
				all = append(all, a)
			}
		})
	}
	return all
}

// Open reports whether hours are open at an instant, by their plan or by a switch in rt (which may be nil). known is
// false if the file has no such hours.
func (f *File) Open(name string, at time.Time, rt *Runtime) (open, known bool) {
	i, known := f.hoursByName[name]
	if !known {
		return false, false
	}
	var sw *Switch
	if rt != nil {
		if s, ok := rt.Switches[name]; ok {
			sw = &s
		}
	}
	return f.hours[i].Open(at, sw), true
}

// Limits are the file's limits, or what holds where it names none: 25 s and 1 h.
func (f *File) Limits() Limits { return f.limits }

func (f *File) calendarNames() []string { return sortedKeys(f.calendars) }

func (f *File) listNames() []string { return names(f.lists, func(l *list) string { return l.Name }) }

func (f *File) queueNames() []string { return names(f.queues, func(q Queue) string { return q.Name }) }

func (f *File) message(name string) *message {
	m, _ := find(f.messages, func(m *message) bool { return m.Name == name })
	return m
}
