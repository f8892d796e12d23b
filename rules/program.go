package rules

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
)

// File is a rules file that was loaded without an error. It never changes and is safe for concurrent use.
type File struct {
	path    string
	version string
	texts   []text // what it was made of
	paths   []string

	loc      *time.Location
	language string

	numbers   []Number
	hours     []*hours.Plan
	calendars map[string]hours.Calendar // own ones, and the public ones that conditions name
	lists     []*list
	agents    []Agent
	queues    []Queue
	answers   []Answer
	messages  []*message
	limits    Limits
	withoutID Problems // numbers without a positus_id

	rules []rule
	// clockParts are, by rule, the parts that read nothing but the clock and come before anything that could fail.
	clockParts [][]*condition.Condition
	indexes    []numberIndex // by number
	ruleSets   int
	facts      factTable
	listsOf    map[string][]int32 // by key of a caller: lists of the file; nil where there are few lists
	fallback   Decision           // the default
	onError    Decision
	tests      []Case

	atoms     []*condition.Atom
	durations map[string]time.Duration // literals of calls(), parsed once
	scratch   sync.Pool                // of *scratch
	memos     int                      // atoms that more than one rule shares
	clocks    int                      // atoms that read the clock only
	minute    atomic.Pointer[minute]

	hoursByName   map[string]int
	listsByName   map[string]*list
	numbersByName map[string]int
	agentsByID    map[string]int
	queuesByName  map[string]int
	phones        map[string]int // index of the number, by its normal form
}

// rule is one rule, compiled.
type rule struct {
	name     string
	line     int
	on       []bool // by index of the number; nil: every number
	when     *condition.Condition
	decision Decision
}

func (r *rule) answersFor(number int) bool {
	return r.on == nil || number >= 0 && r.on[number]
}

// list is a list of callers, with what stands in the file.
type list struct {
	List
	entries map[string]time.Time // until, by key; zero: always
	numbers int                  // entries that are numbers, not ids
}

// has reports whether a caller is on the list of the file.
func (l *list) has(key string, now time.Time) bool {
	return isOn(l.entries, key, now)
}

// isOn reports whether a caller has an entry that counts.
func isOn(entries map[string]time.Time, key string, now time.Time) bool {
	until, ok := entries[key]
	return ok && (until.IsZero() || now.Before(until))
}

// add puts a caller on the list; of two entries for one caller the longer one counts.
func (l *list) add(key string, until time.Time) { addEntry(l.entries, key, until) }

func addEntry(entries map[string]time.Time, key string, until time.Time) {
	if before, ok := entries[key]; ok && (before.IsZero() || !until.IsZero() && until.Before(before)) {
		return
	}
	entries[key] = until
}

// message is a message, compiled.
type message struct {
	Message
	parts []part
	needs condition.Needs
}

// part is a piece of a message: a text as it stands, or an expression.
type part struct {
	literal string
	text    string // of the expression
	program *condition.Program
}

// minute holds the truths of the atoms that read nothing but the clock, for one minute of it: no clock time, date, or
// window of hours has seconds. They are filled in as they are asked for; whoever comes second writes the same.
type minute struct {
	number int64 // since 1970
	truths []atomic.Uint32
	groups []atomic.Pointer[[][]int32] // by number of a ruleSet: the rules of its groups whose parts of the clock hold
}

// at returns what is indexed under a name.
func at[T any](all []T, index map[string]int, name string) (T, bool) {
	if i, ok := index[name]; ok {
		return all[i], true
	}
	var none T
	return none, false
}

func find[T any](all []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	var none T
	return none, false
}
