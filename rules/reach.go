package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

// Where a rule can be reached, and whether a hand-off has the time it asks for.

// reserve is what is kept, at the end of answer_within, for the default.
const reserve = 2 * time.Second

// terminal reports whether a rule that holds always decides: nothing behind it is looked at.
func (l *loader) terminal(d Decision) bool {
	if d.Action == Accept {
		a, _ := l.f.Answer(d.Answer)
		return a.URL == "" && !l.named(d.Answer, "url")
	}
	return d.Action == Reject
}

// named reports whether an answer has a key, be it right or wrong.
func (l *loader) named(answer, name string) bool {
	return l.Has(l.Child(l.Child(l.Root, "answers"), answer), name)
}

// checkReach reports rules that can never be reached: on every number they are for, one before them takes every call.
func (l *loader) checkReach() {
	taken := make([]*ruleSource, len(l.f.numbers)) // by number: the rule that takes every call
	for _, s := range l.rules {
		if l.Has(s.node, "on") && s.rule.on == nil {
			continue // its numbers could not be read
		}
		var by []string
		reached := len(l.f.numbers) == 0
		for i := range l.f.numbers {
			switch {
			case !s.rule.answersFor(i):
			case taken[i] == nil:
				reached = true
			default:
				addTo(&by, fmt.Sprintf("%s (line %d)", source.Quoted(taken[i].rule.name), taken[i].rule.line))
			}
		}
		if !reached && len(by) > 0 {
			l.ErrorAt(l.placeOf(s), "unreachable-rule",
				fmt.Sprintf("rule %s can never be reached: every call is decided before it, by %s",
					source.Quoted(s.rule.name), strings.Join(by, " and ")),
				"move it up, or give the rule before it a condition")
		}
		if !s.sound || !condition.Always(s.rule.when) || !l.terminal(s.rule.decision) {
			continue
		}
		for i := range taken {
			if s.rule.answersFor(i) && taken[i] == nil {
				taken[i] = s
			}
		}
	}
}

// available is how long waiting and ringing may take, and how that is reckoned.
func (l *loader) available() (time.Duration, string) {
	a, _ := l.f.Answer(l.f.fallback.Answer)
	left := l.f.limits.AnswerWithin - reserve
	sum := fmt.Sprintf("%s (answer_within) - %s (kept for the default)", short(l.f.limits.AnswerWithin), short(reserve))
	if a.URL != "" && l.f.fallback.Action == Accept {
		left -= a.Timeout
		sum += fmt.Sprintf(" - %s (timeout of %q)", short(a.Timeout), a.Name)
	}
	return left, sum + " = " + short(left)
}

// checkTimes reports hand-offs whose wait and one ring do not fit.
func (l *loader) checkTimes() {
	left, sum := l.available()
	if left <= 0 {
		at := l.Start()
		if limits := l.Child(l.Root, "limits"); l.Child(limits, "answer_within") != nil {
			at = l.Of(l.Child(limits, "answer_within"))
		} else if n := l.Child(l.Root, "default"); n != nil {
			at = l.Of(n)
		}
		l.ErrorAt(at, "too-little-time", "no time is left for the rules: "+sum,
			"raise answer_within, or lower the timeout")
		return
	}
	for _, s := range l.rules {
		d := s.rule.decision
		if d.Action != Handoff || !s.sound || d.Wait+d.Ring <= left {
			continue
		}
		need := fmt.Sprintf("%s (ring)", short(d.Ring))
		if d.Wait > 0 {
			need = fmt.Sprintf("%s (wait) + %s (ring) = %s", short(d.Wait), short(d.Ring), short(d.Wait+d.Ring))
		}
		l.ErrorAt(l.Of(s.then), "handoff-too-long",
			fmt.Sprintf("the hand-off does not fit: it takes %s, and the limit is %s", need, sum),
			fmt.Sprintf("lower them by %s, or raise answer_within", short(d.Wait+d.Ring-left)))
	}
}

// short writes a duration as a rules file does.
func short(d time.Duration) string {
	if d < 0 {
		return "-" + short(-d)
	}
	if d == 0 {
		return "0s"
	}
	s := d.String()
	s = strings.TrimSuffix(s, "m0s") + strings.Repeat("m", btoi(strings.HasSuffix(s, "m0s")))
	return strings.TrimSuffix(s, "h0m") + strings.Repeat("h", btoi(strings.HasSuffix(s, "h0m")))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// checkTimeForAll warns of hand-offs that cannot ring every agent in time, alone or together with the hand-offs that
// may come before them on the same number.
func (l *loader) checkTimeForAll() {
	left, sum := l.available()
	warned := map[*ruleSource]bool{}
	for i := range l.f.numbers {
		for at, s := range l.rules {
			if s.rule.decision.Action != Handoff || !s.rule.answersFor(i) || warned[s] {
				continue
			}
			if r := l.reckon(l.before(at, i), s); r.total > left {
				warned[s] = true
				l.Warn(l.Of(s.then), "agents-not-all-rung",
					fmt.Sprintf("%s: %s, and the limit is %s", r.what(),
						strings.Join(r.terms, " + ")+" = "+short(r.total), sum),
					"lower ring or wait, ask fewer agents, or raise answer_within")
			}
		}
	}
}

// before are the rules that a call on a number may have passed before it comes to the rule at an index.
func (l *loader) before(at, number int) []*ruleSource {
	var all []*ruleSource
	for _, s := range l.rules[:at] {
		if s.rule.answersFor(number) && !l.terminal(s.rule.decision) &&
			!condition.Exclude(s.rule.when, l.rules[at].rule.when) {
			all = append(all, s)
		}
	}
	return all
}

// reckoning is how long a hand-off takes at most, with those before it.
type reckoning struct {
	total    time.Duration
	terms    []string
	together bool // not alone
}

func (r reckoning) what() string {
	if r.together {
		return "not every agent can be rung in time after the hand-offs before it"
	}
	return "not every agent can be rung in time"
}

func (l *loader) reckon(before []*ruleSource, last *ruleSource) reckoning {
	if alone := l.add(nil, last); len(before) == 0 || alone.total > l.mustAvailable() {
		return alone
	}
	r := l.add(before, last)
	r.together = true
	return r
}

func (l *loader) mustAvailable() time.Duration {
	left, _ := l.available()
	return left
}

// add sums up what hand-offs and answerers take, no agent being rung twice.
func (l *loader) add(before []*ruleSource, last *ruleSource) reckoning {
	var r reckoning
	rung := map[string]bool{}
	for _, s := range append(slices.Clone(before), last) {
		d := s.rule.decision
		if d.Action == Accept {
			a, _ := l.f.Answer(d.Answer)
			r.total += a.Timeout
			r.terms = append(r.terms, fmt.Sprintf("%s (%s)", short(a.Timeout), a.Name))
			continue
		}
		q, _ := l.f.Queue(d.Queue)
		fresh := 0
		for _, a := range q.Agents {
			if !rung[a] {
				fresh++
			}
			rung[a] = true
		}
		if fresh == 0 {
			continue
		}
		if q.Strategy == RingAll {
			fresh = 1
		}
		r.total += d.Wait + time.Duration(fresh)*d.Ring
		if d.Wait > 0 {
			r.terms = append(r.terms, short(d.Wait)+" (wait)")
		}
		r.terms = append(r.terms, fmt.Sprintf("%d × %s (%s)", fresh, short(d.Ring), q.Name))
	}
	return r
}
