package rules

import (
	"bytes"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
	"callrouter/rules/phone"
)

// What holds where the file says nothing.
const (
	defaultRing         = 10 * time.Second
	defaultAwayAfter    = 3
	defaultCapacity     = 1
	defaultTimeout      = 3 * time.Second
	defaultAnswerWithin = 25 * time.Second
	defaultMaxCall      = time.Hour
)

// collectNames gathers the names of a file before anything is looked up, so that a mistake in what is named does not
// make the name unknown.
func (l *loader) collectNames() {
	for k, section := range map[condition.Kind]string{
		condition.Number: "numbers", condition.Hours: "hours", condition.Calendar: "calendars", condition.List: "lists",
		condition.Agent: "agents",
		condition.Queue: "queues", condition.Answer: "answers", condition.Message: "messages",
	} {
		for name := range source.Pairs(l.Child(l.Root, section)) {
			l.known[k] = append(l.known[k], name.Value)
		}
	}
	for rule := range l.Items(l.Child(l.Root, "rules")) {
		if name := l.Child(rule, "name"); name != nil {
			l.known[condition.Rule] = append(l.known[condition.Rule], name.Value)
		}
	}
}

func (l *loader) readSettings() {
	if n := l.Child(l.Root, "version"); n != nil && n.Value != "1" {
		l.Fail(n, "unsupported-version", "there is no version "+n.Value+" of the format", "write `version: 1`")
	}
	l.f.loc = time.UTC
	if n := l.Child(l.Root, "timezone"); n != nil {
		l.f.loc = l.zone(n)
	}
	l.f.language = "en"
	if n := l.Child(l.Root, "language"); n != nil {
		l.f.language = n.Value
	}
	limits := l.Child(l.Root, "limits")
	l.f.limits = Limits{
		AnswerWithin: l.duration(limits, "answer_within", defaultAnswerWithin, hours.ParseDuration),
		MaxCall:      l.duration(limits, "max_call", defaultMaxCall, hours.ParseDuration),
	}
}

// zone reads a time zone; UTC stands in for one that is wrong, so that the rest can be checked.
func (l *loader) zone(n *source.Node) *time.Location {
	if n.Value == "" || n.Value == "Local" {
		l.Fail(n, "unknown-timezone",
			fmt.Sprintf("%s is not a time zone: it would differ from machine to machine", source.Quoted(n.Value)),
			"write an IANA name such as America/Sao_Paulo")
		return time.UTC
	}
	loc, err := time.LoadLocation(n.Value)
	if err != nil {
		l.Fail(n, "unknown-timezone", fmt.Sprintf("there is no time zone %s", source.Quoted(n.Value)),
			"write an IANA name such as America/Sao_Paulo or Europe/Lisbon")
		return time.UTC
	}
	return loc
}

// duration reads a duration that may be left out.
func (l *loader) duration(n *source.Node, name string, otherwise time.Duration,
	parse func(string) (time.Duration, error)) time.Duration {
	v := l.Child(n, name)
	if v == nil {
		return otherwise
	}
	d, err := parse(v.Value)
	if err != nil {
		l.FailWith(v, "bad-duration", err)
		return otherwise
	}
	return d
}

func (l *loader) count(n *source.Node, name string, otherwise int) int {
	v := l.Child(n, name)
	if v == nil {
		return otherwise
	}
	i, err := strconv.Atoi(v.Value)
	if err != nil {
		return otherwise
	}
	return i
}

func (l *loader) text(n *source.Node, name string) string {
	if v := l.Child(n, name); v != nil {
		return v.Value
	}
	return ""
}

func (l *loader) readNumbers() {
	l.f.numbersByName, l.f.phones = map[string]int{}, map[string]int{}
	ids := map[string]string{}
	for name, n := range l.Entries(l.Child(l.Root, "numbers")) {
		number := Number{Name: name.Value, PositusID: l.text(n, "positus_id")}
		index := len(l.f.numbers)
		if written := l.Child(n, "phone"); written != nil {
			normal, err := phone.Normalize(written.Value)
			if err != nil {
				l.FailWith(written, "bad-phone", err)
			} else if other, twice := l.f.phones[normal]; twice {
				l.Fail(written, "duplicate-phone",
					fmt.Sprintf("%s is the number of %q already", normal, l.f.numbers[other].Name),
					"remove one of them")
			} else {
				number.Phone = normal
				l.f.phones[normal] = index
			}
		}
		if id := l.Child(n, "positus_id"); id != nil {
			if other, twice := ids[id.Value]; twice {
				l.Fail(id, "duplicate-id", fmt.Sprintf("this is the positus_id of %q already", other),
					"remove one of them")
			}
			ids[id.Value] = name.Value
		} else {
			l.f.withoutID = append(l.f.withoutID, l.Of(name).Problem(Error, "missing-key",
				fmt.Sprintf("the number %q has no positus_id, so its calls can be neither accepted nor rejected",
					name.Value),
				"add `positus_id: NUMBER_ID`, as the Positus API names the number"))
		}
		l.f.numbersByName[name.Value] = index
		l.f.numbers = append(l.f.numbers, number)
	}
}

func (l *loader) readAgents() {
	l.f.agentsByID = map[string]int{}
	for name, n := range l.Entries(l.Child(l.Root, "agents")) {
		a := Agent{ID: name.Value, Name: l.text(n, "name"), Capacity: l.count(n, "capacity", defaultCapacity)}
		if a.Name == "" {
			a.Name = a.ID
		}
		l.f.agentsByID[a.ID] = len(l.f.agents)
		l.f.agents = append(l.f.agents, a)
	}
}

func (l *loader) readQueues() {
	l.f.queuesByName = map[string]int{}
	for name, n := range l.Entries(l.Child(l.Root, "queues")) {
		q := Queue{
			Name: name.Value, Strategy: LongestIdle,
			Ring:      l.duration(n, "ring", defaultRing, hours.ParseDuration),
			WrapUp:    l.duration(n, "wrap_up", 0, hours.ParseDurationOrZero),
			AwayAfter: l.count(n, "away_after", defaultAwayAfter),
		}
		if s := l.Child(n, "strategy"); s != nil {
			q.Strategy = Strategy(s.Value)
		}
		seen := map[string]bool{}
		for item := range l.Items(l.Child(n, "agents")) {
			if seen[item.Value] {
				l.Fail(item, "duplicate-name",
					fmt.Sprintf("the agent %s is already in this queue", source.Quoted(item.Value)),
					"remove one of them")
				continue
			}
			seen[item.Value] = true
			if id, ok := l.refer(condition.Agent, item); ok {
				q.Agents = append(q.Agents, id)
			}
		}
		l.f.queuesByName[q.Name] = len(l.f.queues)
		l.f.queues = append(l.f.queues, q)
	}
}

func (l *loader) readAnswers() {
	for name, n := range l.Entries(l.Child(l.Root, "answers")) {
		a := Answer{Name: name.Value}
		play, address := l.Child(n, "play"), l.Child(n, "url")
		switch {
		case play != nil && address != nil:
			l.Fail(source.KeyOf(n, "url"), "conflicting-keys", "an answer either plays a file or asks a url",
				"remove one of them")
		case play != nil:
			a.Play = l.audio(play)
			if t := l.Child(n, "timeout"); t != nil {
				l.Fail(source.KeyOf(n, "timeout"), "conflicting-keys", "a file that is played has no timeout",
					"remove it")
			}
		case address != nil:
			a.URL = l.address(address)
			a.Timeout = l.duration(n, "timeout", defaultTimeout, hours.ParseDuration)
		case !l.Has(n, "play") && !l.Has(n, "url"):
			l.Fail(name, "missing-key",
				fmt.Sprintf("%s has neither %q nor %q", source.Quoted(name.Value), "play", "url"),
				"add `play: FILE.ogg` or `url: https://...`")
		}
		l.f.answers = append(l.f.answers, a)
	}
}

// audio reads a sound file that is played to callers, and returns its absolute path.
func (l *loader) audio(n *source.Node) string {
	data, path, ok := l.include(n, source.MaxFile)
	if !ok {
		return ""
	}
	l.f.texts = l.f.texts[:len(l.f.texts)-1] // what is played is no text
	if l.kept != nil {
		return path
	}
	if err := checkOggOpus(bytes.NewReader(data)); err != nil {
		message, hint := err.Error(), ""
		if cut := len(message) - len(errConvertAudio.Error()); cut > 2 {
			message, hint = message[:cut-2], message[cut:]
		}
		l.Fail(n, "bad-audio", fmt.Sprintf("%s: %s", source.Quoted(n.Value), message), hint)
		return ""
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return absolute
}

func (l *loader) address(n *source.Node) string {
	u, err := url.Parse(n.Value)
	switch {
	case err != nil || u.Host == "":
		l.Fail(n, "bad-url", fmt.Sprintf("%s is not a url", source.Quoted(n.Value)), "write https://host/path")
	case u.Scheme != "http" && u.Scheme != "https":
		l.Fail(n, "bad-url", fmt.Sprintf("a call is answered over http or https, not %s", source.Quoted(u.Scheme)),
			"write https://host/path")
	}
	return n.Value
}
