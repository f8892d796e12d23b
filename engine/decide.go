package engine

import (
	"errors"
	"time"

	"callrouter/rules"
)

// decide evaluates the rules from the call's next rule on, and takes the first step of the decision.
func (r *runner) decide() error {
	now := r.now()
	if !now.Before(r.c.Deadline) {
		return r.end(TimedOut, "the answer window passed before the rules could decide")
	}
	d, trace := r.evaluate(now)
	return r.carryOut(d, trace)
}

// evaluate asks the rules, with one instant, and with the facts they turn out to need.
func (r *runner) evaluate(now time.Time) (rules.Decision, []rules.Trace) {
	r.evaluation = r.newEvaluation(now)
	if r.c.Next > 0 && !now.Before(r.ringingEnds()) {
		return r.f.Default(), nil
	}
	r.facts.Err = r.records.reachable()
	r.asked = true
	for {
		d, trace, needs := r.f.DecideTold(r.input(), r.c.Next)
		if needs.None() {
			return d, trace
		}
		r.facts = r.readFacts(needs, r.facts)
	}
}

func (r *runner) newEvaluation(at time.Time) evaluation {
	return evaluation{at: at, wall: r.e.Clock.Wall(), runtime: r.e.runtime.Load()}
}

// input is the call as the rules see it, at the instant and with the facts of the present evaluation.
func (r *runner) input() rules.Input {
	call := rules.Call{Caller: r.caller, Number: r.c.Number, Payload: r.c.Payload}
	return r.f.Input(call, r.wall, r.runtime, r.facts)
}

// carryOut begins a decision. A hand-off or an accept may fail without losing the call: evaluation then continues with
// the next rule.
func (r *runner) carryOut(d rules.Decision, trace []rules.Trace) error {
	r.note(d, trace)
	r.e.Observer.Decided(r.draft, r.now().Sub(r.c.Timestamp))
	switch d.Action {
	case rules.Reject:
		return r.startReject(d.Message)
	case rules.Accept:
		return r.startAccept(d)
	default:
		return r.startHandoff(d)
	}
}

// note makes a decision the draft of the record.
func (r *runner) note(d rules.Decision, trace []rules.Trace) {
	r.draft = r.view().Clone()
	if r.asked {
		facts := r.recordFacts()
		r.draft.Facts = append(r.draft.Facts, facts)
		for i := range trace {
			trace[i].Evaluation = facts.Evaluation
		}
		r.asked = false
	}
	r.draft.Trace = append(r.draft.Trace, trace...)
	if r.draft.State != Deciding {
		r.draft.to(Deciding, r.at, "")
	}
	r.draft.Rule, r.draft.By, r.draft.Action = d.Rule, d.By, d.Action
	r.draft.Queue, r.draft.Answer = d.Queue, d.Answer
}

// passOn notes that a rule's action could not be carried out, and continues with the next rule. A default that fails
// ends in a reject.
func (r *runner) passOn(d rules.Decision, why string) error {
	r.log.Info("a rule's action could not be carried out; the next rule, or after the default a reject, follows",
		"rule", d.Rule, "by", d.By, "action", d.Action, "why", why)
	if d.By != rules.ByRule {
		r.draft = r.view().Clone()
		r.draft.Action, r.draft.Answer = rules.Reject, ""
		r.draft.Why = string(d.By) + " could not be carried out: " + why
		return r.startReject("")
	}
	return r.write(func(n *Call) {
		now := r.now()
		n.Next = d.Index + 1
		n.settleOffers(OfferEnded, now)
		n.Holds, n.Step = nil, nil
		n.markTrace(rules.PassedOn, why)
		n.Due = now
		n.to(Deciding, now, why)
	})
}

var errTooLate = errors.New("too little of the answer window is left")
