package engine

import (
	"context"
	"errors"
	"fmt"

	"callrouter/rules"
)

// startAccept gets an SDP answer and writes the accept. If it cannot get one, the next rule follows.
func (r *runner) startAccept(d rules.Decision) error {
	a, ok := r.f.Answer(d.Answer)
	if !ok {
		return r.passOn(d, fmt.Sprintf("the answer %q is not in the rules file", d.Answer))
	}
	sdp, err := r.answer(d, a)
	if err != nil {
		return r.passOn(d, fmt.Sprintf("answer %q: %s", a.Name, err))
	}
	return r.write(func(n *Call) { r.accepting(n, sdp) })
}

// accepting makes a record say that the call is accepted with an SDP answer.
func (r *runner) accepting(n *Call, sdp string) {
	now := r.now()
	n.AnswerSDP, n.Due = sdp, now
	n.to(Accepting, now, "")
}

// answer makes the SDP answer: with audio of our own, or by an outside answerer.
func (r *runner) answer(d rules.Decision, a rules.Answer) (string, error) {
	c := r.view()
	limit := r.ringingEnds()
	if d.By != rules.ByRule {
		limit = c.Deadline.Add(-actReserve)
	}
	left := limit.Sub(r.now())
	if a.URL != "" {
		left = min(left, a.Timeout)
	} else {
		left = max(left, actReserve/2) // preparing audio takes milliseconds
	}
	if left <= 0 {
		return "", errTooLate
	}
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	if a.URL == "" {
		return r.preparePlayback(ctx, a)
	}
	req := AnswerRequest{
		CallID: c.ID, From: r.caller.Number, Number: c.Number, Name: c.Name, Payload: c.Payload, SDP: c.Offer,
	}
	if r.e.HangUpURL != nil {
		req.HangUp = r.e.HangUpURL(c.ID)
	}
	sdp, err := r.e.Answerer.Answer(ctx, a.URL, req)
	if err != nil {
		return "", err
	}
	if err := r.e.Media.CheckAnswer(c.Offer, sdp); err != nil {
		return "", fmt.Errorf("the answerer returned an unusable SDP: %w", err)
	}
	return sdp, nil
}

// accept sends the written accept until Positus took it or the answer window is over.
func (r *runner) accept() error {
	if r.c.CallerEnd != nil && !r.c.Adopted {
		return r.end(Abandoned, "the caller hung up before the accept was sent")
	}
	if err := r.renewAudio(); err != nil {
		return err
	}
	if r.c.State != Accepting {
		return nil
	}
	ctx, cancel := r.untilDeadline()
	err := r.e.Provider.Accept(ctx, r.c.PositusID, r.c.ID, r.c.AnswerSDP)
	cancel()
	var pe *ProviderError
	switch {
	case err == nil:
		return r.accepted(nil)
	case errors.As(err, &pe) && (pe.Kind == InProgress || pe.Kind == Gone) && r.c.Adopted, // sent by the previous owner
		errors.As(err, &pe) && pe.Kind == InProgress && pe.Repeated:
		return r.accepted(err)
	case errors.As(err, &pe) && pe.Kind == Gone && r.c.CallerEnd != nil:
		return r.end(Abandoned, "the caller hung up as the call was accepted")
	case errors.As(err, &pe) && pe.Kind == Gone:
		return r.end(Abandoned, "the call was over before the accept arrived")
	case !errors.As(err, &pe), pe.Kind == Unavailable && (!pe.Unsent || r.c.Adopted):
		return r.hangUpUnknown(TimedOut, err)
	case pe.Kind == InProgress, pe.Repeated, r.c.Adopted: // Positus may have taken an earlier attempt
		return r.hangUpUnknown(Failed, err)
	}
	return r.refused(err)
}

// hangUpUnknown ends a call that Positus may or may not have accepted. The caller may be connected, so the call stays
// live and its agent busy until the hang-up is confirmed. Only the owner may hang up: another instance may own the
// call by now, with people talking.
func (r *runner) hangUpUnknown(o Outcome, cause error) error {
	r.e.report("positus", "Positus may or may not have taken the accept; the call is hung up; check Positus", cause,
		"call", r.c.Key())
	err := r.writeResult(func(n *Call) {
		now := r.now()
		switch {
		case n.CallerEnd == nil:
			n.HangUp = &HangUp{Why: cause.Error(), Outcome: o, Since: now}
			r.e.claimHangUp(n, now)
		case n.CallerEnd.PickedUp:
			outcome, why := n.CallerEnd.outcome()
			n.end(outcome, why, now)
		default:
			n.end(Abandoned, "the caller hung up while Positus could not be reached", now)
		}
	})
	switch {
	case err != nil:
		return err
	case r.c.State == Ended:
		r.e.reportEnd(r.c)
	default:
		r.records.tryHangUp(r)
	}
	return nil
}

// accepted records that Positus took the accept. If the call ended meanwhile, it is hung up: nobody else will.
func (r *runner) accepted(echo error) error {
	r.e.Observer.Acted(r.c, r.now().Sub(r.c.Timestamp))
	deadAudio := echo != nil && r.play != nil && r.c.Adopted // it was accepted with an SDP whose process is gone
	err := r.writeResult(func(n *Call) {
		now := r.now()
		if n.CallerEnd != nil && !n.CallerEnd.PickedUp {
			n.end(Abandoned, "the caller hung up as the call was accepted", now)
			return
		}
		n.ActiveAt = now
		n.to(Active, now, "")
		if n.CallerEnd != nil { // an agent who has talked has a wrap-up, however short it was
			outcome, why := n.CallerEnd.outcome()
			n.end(outcome, why, now)
			return
		}
		n.Due = now.Add(n.MaxCall)
		if n.Agent != "" {
			n.Due = now.Add(min(n.MaxCall, r.e.Timing.AgentLook))
		} else if r.play != nil {
			n.Local = true
		}
		for i := range n.Holds {
			n.Holds[i].Kind, n.Holds[i].Until = HoldActive, now.Add(n.MaxCall+activeGrace)
		}
		if deadAudio {
			n.HangUp = &HangUp{Why: "the process that played the audio is gone", Outcome: Failed, Since: now}
			n.Due = now
		}
	})
	switch {
	case err != nil && r.c.State != Ended:
		return err
	case r.c.State == Ended:
		if err == nil {
			r.e.reportEnd(r.c)
		}
		r.hangUpBestEffort()
		return nil
	case deadAudio:
		r.closePlayback()
		r.records.tryHangUp(r)
	}
	r.log.Info("call accepted", "action", r.c.Action, "rule", r.c.Rule, "agent", r.c.Agent)
	return nil
}
