package rules

import (
	"time"

	"callrouter/rules/hours"
)

// Call is what the rules know of a call.
type Call struct {
	Caller  Caller
	Number  string // name, under numbers, of the business number that was called
	Payload string // cta_payload or deeplink_payload of the button or link
}

// Switch opens or closes hours by hand until an instant. It is [hours.Switch].
type Switch = hours.Switch

// Runtime is what is set at run time and held in memory. It is not changed while an [Input] that was made with it is
// used.
type Runtime struct {
	Switches map[string]Switch // by name of the hours
	// Entries are the callers who were put on a list at run time, by list, of lists that are not kept in the store:
	// until when they are on it, by key as [Caller.Key] writes it. The zero time: always.
	Entries map[string]map[string]time.Time
}

// NewRuntime makes a Runtime of what a store returns. Of two entries for one caller the longer one counts.
func NewRuntime(switches map[string]Switch, entries map[string][]Entry) *Runtime {
	rt := &Runtime{Switches: switches, Entries: make(map[string]map[string]time.Time, len(entries))}
	for name, all := range entries {
		if len(all) == 0 {
			continue
		}
		until := make(map[string]time.Time, len(all))
		for _, e := range all {
			addEntry(until, e.Key, e.Until)
		}
		rt.Entries[name] = until
	}
	return rt
}

// Entry is a caller who was put on a list at run time.
type Entry struct {
	Key   string // as [Caller.Key] writes it
	Note  string
	Until time.Time // from this instant on it does not count; zero: never
}

// Facts is what the store was asked for one evaluation. What is absent is unknown.
type Facts struct {
	Listed map[string]bool // is the caller on this list, of lists kept in the store
	Queues map[string]QueueFacts
	Calls  map[time.Duration]int // calls by this caller in the last so long, this one not counted
	Err    error                 // the store could not answer: whoever needs a fact gets an evaluation error
}

// QueueFacts is the state of a queue.
type QueueFacts struct {
	// Free is the slots of agents who are connected and available, less those ringing, active and in wrap-up.
	Free    int `json:"free"`
	Online  int `json:"online"`  // agents connected and available
	Waiting int `json:"waiting"` // calls
}

// Needs are facts to fetch: all that one decision may need, so that one round trip is enough. The zero Needs is none.
type Needs struct {
	Lists  []string
	Queues []string
	Calls  []time.Duration
}

// None reports whether there is nothing to fetch.
func (n Needs) None() bool { return len(n.Lists) == 0 && len(n.Queues) == 0 && len(n.Calls) == 0 }

// Input is one evaluation: one call, one instant, one set of facts. It belongs to the [File] that made it, and does not
// change: two evaluations of one Input are the same.
type Input struct{ *input }

type input struct {
	file     *File
	call     Call
	key      string
	otherKey string // a second one that lists know the caller by, "" if there is none
	number   int    // index of the business number, -1 if the file does not know it
	now      time.Time
	runtime  *Runtime
	switches []*Switch // by index of the hours; nil if there is none at all
	facts    Facts
	env      any // an environment, boxed once
	minute   *minute
	cursors  []cursor
	seen     Observer // called for every part of a condition that is explained; may be nil
}

// AtRuntime is what was set at run time that this evaluation is subject to: the switches of hours, and the lists of the
// file on which the caller stands by an entry of that kind.
func (in Input) AtRuntime() (switched map[string]Switch, listed []string) {
	for i, s := range in.switches {
		if s.Active(in.now) {
			if switched == nil {
				switched = map[string]Switch{}
			}
			switched[in.file.hours[i].Name] = *s
		}
	}
	if in.runtime == nil {
		return switched, nil
	}
	for list := range in.runtime.Entries {
		if in.enteredAtRuntime(list) {
			listed = append(listed, list)
		}
	}
	return switched, listed
}

// Input prepares an evaluation. rt may be nil. It may allocate; deciding does not.
func (f *File) Input(call Call, now time.Time, rt *Runtime, facts Facts) Input {
	in := &input{file: f, call: call, key: call.Caller.Key(), otherKey: call.Caller.OtherKey(), number: -1,
		now: now.Round(0).In(f.loc), runtime: rt, facts: facts}
	if i, ok := f.numbersByName[call.Number]; ok {
		in.number = i
	}
	if rt != nil && len(rt.Switches) > 0 {
		in.switches = make([]*Switch, len(f.hours))
		for name, s := range rt.Switches {
			if i, ok := f.hoursByName[name]; ok {
				in.switches[i] = &s
			}
		}
	}
	in.minute = f.minuteOf(in.now)
	in.env = newEnvironment(in)
	in.cursors = f.cursors(in)
	return Input{in}
}

// Given is the state of the world for a dry run. What is left out: every agent is free, nobody waits, store lists are
// empty, the caller has not called before, no hours are switched, agents pick up, answerers answer, the store is there.
type Given struct {
	Free, Online, Waiting map[string]int  // by queue
	Listed                []string        // lists, of any kind, that the caller is on
	Calls                 int             // by this caller, within any duration
	Switches              map[string]bool // hours that are switched open (true) or closed, to the end of the day
	NoAnswer              []string        // queues whose agents do not pick up
	Fails                 []string        // answers that fail
	StoreDown             bool
}
