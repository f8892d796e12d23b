package engine

import (
	"context"
	"time"

	"callrouter/rules"
)

// firstMedia bounds how long a webhook waits for the audio of a call that is accepted at once.
const firstMedia = 300 * time.Millisecond

// first returns the record with which a new call is stored. Where the rules need nothing but the call and the clock to
// reject it, or to play something to it, the record already says so: one write, then the action. Any other call is
// stored as it was received, and its runner decides it. So is one whose evaluation panics: the webhook must not be
// lost for it.
func (r *runner) first() (c *Call) {
	if !r.c.Live() {
		return r.c
	}
	defer func() {
		if p := recover(); p != nil {
			r.e.caught(p, "a bug stopped the evaluation of a call; it is stored and evaluated again; report the stack",
				"call", r.c.Key())
			c = r.c
		}
		r.draft = nil
	}()
	d, trace, ok := r.evaluateUnasked()
	if !ok || !r.begin(d, trace) {
		return r.c
	}
	return r.draft
}

// evaluateUnasked asks the rules without asking the store; ok is false if they need it.
func (r *runner) evaluateUnasked() (d rules.Decision, trace []rules.Trace, ok bool) {
	r.evaluation = r.newEvaluation(r.now())
	r.asked = true
	d, trace, needs := r.f.DecideTold(r.input(), 0)
	return d, trace, needs.None()
}

// begin makes a decision the draft of the record, up to what is sent to Positus, and reports whether it could.
func (r *runner) begin(d rules.Decision, trace []rules.Trace) bool {
	switch d.Action {
	case rules.Reject:
		if _, needs, _ := r.f.Render(d.Message, r.input()); d.Message != "" && !needs.None() {
			return false
		}
		r.note(d, trace)
		r.rejecting(r.draft, r.compose(d.Message))
		return true
	case rules.Accept:
		a, found := r.f.Answer(d.Answer)
		if !found || a.URL != "" {
			return false
		}
		ctx, cancel := context.WithTimeout(context.Background(), firstMedia)
		defer cancel()
		sdp, err := r.preparePlayback(ctx, a)
		if err != nil { // the runner tries once more, and then goes on with the next rule
			return false
		}
		r.note(d, trace)
		r.accepting(r.draft, sdp)
		return true
	}
	return false
}
