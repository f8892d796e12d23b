package rules

import (
	"fmt"
	"strings"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

func (l *loader) readRules() {
	first := map[string]*source.Node{}
	for n := range l.Items(l.Child(l.Root, "rules")) {
		if n.Kind != source.MappingNode {
			continue
		}
		before := len(l.Problems)
		s := &ruleSource{node: n, name: l.Child(n, "name"), when: l.Child(n, "when"), then: l.Child(n, "then"),
			rule: &rule{line: n.Line}}
		if s.name != nil {
			s.rule.name, s.rule.line = s.name.Value, n.Line
			if strings.TrimSpace(s.name.Value) == "" {
				l.Fail(s.name, "empty-value", "the name is empty",
					"name the rule: the name is what traces and metrics show")
			} else if other := first[s.name.Value]; other != nil {
				l.Fail(s.name, "duplicate-name",
					fmt.Sprintf("there is a rule %s already, at line %d", source.Quoted(s.name.Value), other.Line),
					"give it another name")
			}
			first[s.name.Value] = s.name
		}
		l.readOn(s)
		l.readWhen(s)
		s.rule.decision = l.action(s.then, true)
		s.rule.decision.By, s.rule.decision.Rule, s.rule.decision.Index = ByRule, s.rule.name, len(l.f.rules)
		s.sound = len(l.Problems) == before && s.then != nil && (s.when != nil || !l.Has(n, "when"))
		l.rules = append(l.rules, s)
		l.f.rules = append(l.f.rules, *s.rule)
	}
	l.readEnd()
	l.language.Finish()
}

// readEnd reads what happens when no rule decides.
func (l *loader) readEnd() {
	l.f.fallback = l.action(l.Child(l.Root, "default"), false)
	l.f.fallback.By, l.f.fallback.Index = ByDefault, len(l.f.rules)
	l.f.onError = l.f.fallback
	if n := l.Child(l.Root, "on_error"); n != nil {
		l.f.onError = l.action(n, false)
	}
	l.f.onError.By, l.f.onError.Index = ByOnError, len(l.f.rules)
}

func (l *loader) readOn(s *ruleSource) {
	n := l.Child(s.node, "on")
	if n == nil {
		return
	}
	s.rule.on = make([]bool, len(l.f.numbers))
	for item := range l.Items(n) {
		if name, ok := l.refer(condition.Number, item); ok {
			if i, ok := l.f.numbersByName[name]; ok {
				if s.rule.on[i] {
					l.Fail(item, "duplicate-name", fmt.Sprintf("the number %s is already there", source.Quoted(name)),
						"remove one of them")
				}
				s.rule.on[i] = true
			}
		}
	}
}

func (l *loader) readWhen(s *ruleSource) {
	n := s.when
	if n == nil || l.cutByComment(n) {
		return
	}
	if strings.TrimSpace(n.Value) == "" {
		l.Fail(n, "empty-condition", "the condition is empty",
			"write one, or remove `when`: then the rule always holds")
		return
	}
	s.rule.when, s.canonical = l.language.Condition(condition.Text{
		Text: n.Value, Place: func(from, to int) source.Span { return l.Within(n, from, to) },
		Commented: l.Commented(n),
	})
}

// action reads what is done with a call. Only a rule can hand off.
func (l *loader) action(n *source.Node, ofRule bool) Decision {
	d := Decision{Action: Reject}
	if n == nil || n.Kind != source.MappingNode {
		return d
	}
	chosen := ""
	for k, v := range source.Pairs(n) {
		if !l.Usable(k) || chosen != "" && chosen != k.Value {
			if chosen != "" && l.Usable(k) {
				l.Fail(k, "conflicting-keys",
					fmt.Sprintf("one action is enough: %s is already there", source.Quoted(chosen)),
					"remove one of them, or make it two rules")
			}
			continue
		}
		chosen = k.Value
		if !l.Usable(v) {
			continue
		}
		switch k.Value {
		case "reject":
			if m := l.Child(v, "message"); m != nil {
				d.Message, _ = l.refer(condition.Message, m)
			}
		case "accept":
			d.Action = Accept
			d.Answer, _ = l.refer(condition.Answer, v)
		case "handoff":
			if !ofRule {
				l.Fail(k, "not-allowed", "default and on_error can only reject or accept",
					"hand off in a last rule without `when`, and name here what happens when nobody picks up")
				continue
			}
			l.handoff(&d, v)
		}
	}
	return d
}

func (l *loader) handoff(d *Decision, n *source.Node) {
	d.Action = Handoff
	name := n
	if n.Kind == source.MappingNode {
		name = l.Child(n, "queue")
	}
	d.Queue, _ = l.refer(condition.Queue, name)
	queue, _ := l.f.Queue(d.Queue)
	d.Ring = l.duration(n, "ring", queue.Ring, hours.ParseDuration)
	d.Wait = l.duration(n, "wait", time.Duration(0), hours.ParseDurationOrZero)
}
