package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callrouter/rules"
)

func (r *runner) startReject(message string) error {
	return r.write(func(n *Call) {
		if message != "" {
			n.Message = r.compose(message)
		}
		now := r.now()
		n.Due = now
		n.to(Rejecting, now, "")
	})
}

// reject sends the reject that is written, until Positus took it or the window is over.
func (r *runner) reject() error {
	if r.c.CallerEnd != nil && !r.c.Adopted {
		return r.end(Abandoned, "the caller hung up before the reject was sent")
	}
	ctx, cancel := r.untilDeadline()
	defer cancel()
	err := r.e.Provider.Reject(ctx, r.c.PositusID, r.c.ID)
	var pe *ProviderError
	switch {
	case err == nil:
		return r.rejected()
	case errors.As(err, &pe) && pe.Kind == Gone && (pe.Repeated || r.c.Adopted):
		return r.rejected() // the echo of an attempt whose reply was lost
	case errors.As(err, &pe) && pe.Kind == Gone:
		return r.end(Abandoned, "the call was over before the reject arrived")
	}
	return r.refused(err)
}

func (r *runner) rejected() error {
	r.e.Observer.Acted(r.c, r.now().Sub(r.c.Timestamp))
	return r.end(Rejected, r.c.Why)
}

// refused ends a call whose written action Positus did not take. No other action is tried.
func (r *runner) refused(err error) error {
	var pe *ProviderError
	kind := "positus"
	if errors.As(err, &pe) && pe.Kind == Unauthorized { // no call will do better until somebody sees to it
		kind = "unauthorized"
	}
	r.e.problem(kind, "Positus did not take the action", err, "call", r.c.Key(), "action", r.c.Action)
	if !errors.As(err, &pe) || pe.Kind == Unavailable {
		if r.c.CallerEnd != nil {
			return r.end(Abandoned, "the caller hung up while Positus could not be reached")
		}
		return r.end(TimedOut, err.Error())
	}
	return r.end(Failed, err.Error())
}

func (r *runner) untilDeadline() (context.Context, context.CancelFunc) {
	// The deadline is on the engine's clock; the context needs the time that is left.
	return context.WithTimeout(context.Background(), r.c.Deadline.Sub(r.now()))
}

// startAccept gets an SDP answer, and writes the accept. What fails before that is passed on to the next rule.
func (r *runner) startAccept(d rules.Decision) error {
	a, ok := r.f.Answer(d.Answer)
	if !ok {
		return r.passOn(d, fmt.Sprintf("the answer %q is not in the rules file", d.Answer))
	}
	sdp, err := r.answer(d, a)
	if err != nil {
		return r.passOn(d, fmt.Sprintf("answer %q: %s", a.Name, err))
	}
	return r.write(func(n *Call) {
		now := r.now()
		n.AnswerSDP, n.Due = sdp, now
		n.to(Accepting, now, "")
	})
}

// answer makes the SDP answer: with audio of our own, or by an outside answerer.
func (r *runner) answer(d rules.Decision, a rules.Answer) (string, error) {
	c := r.view()
	limit := r.cut()
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
	req := AnswerRequest{CallID: c.ID, Number: c.Number, Name: c.Name, Payload: c.Payload, SDP: c.Offer}
	req.From = rules.NewCaller(c.From, c.UserID, c.Name).Number
	if r.e.HangUpURL != nil {
		req.HangUp = r.e.HangUpURL(c.ID)
	}
	sdp, err := r.e.Answerer.Answer(ctx, a.URL, req)
	if err != nil {
		return "", err
	}
	if err := r.e.Media.CheckAnswer(c.Offer, sdp); err != nil {
		return "", fmt.Errorf("its SDP is unusable: %w", err)
	}
	return sdp, nil
}

func (r *runner) preparePlayback(ctx context.Context, a rules.Answer) (string, error) {
	r.closePlayback()
	p, err := r.e.Media.Answer(ctx, r.view().Offer, a.Play)
	if err != nil {
		return "", err
	}
	r.play = p
	return p.SDP(), nil
}

func (r *runner) closePlayback() {
	if r.play != nil {
		if err := r.play.Close(); err != nil {
			r.log.Warn("closing audio", "error", err)
		}
		r.play = nil
	}
}

// accept sends the accept that is written, until Positus took it or the window is over.
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
	case errors.As(err, &pe) && (pe.Kind == InProgress || pe.Kind == Gone) && r.c.Adopted, // whoever had it may have sent it
		errors.As(err, &pe) && pe.Kind == InProgress && pe.Repeated:
		return r.accepted(err)
	case errors.As(err, &pe) && pe.Kind == Gone && r.c.CallerEnd != nil:
		return r.end(Abandoned, "the caller hung up as the call was accepted")
	case errors.As(err, &pe) && pe.Kind == Gone:
		return r.end(Abandoned, "the call was over before the accept arrived")
	case !errors.As(err, &pe), pe.Kind == Unavailable && (!pe.Unsent || r.c.Adopted):
		return r.hangUpUnknown(TimedOut, err)
	case pe.Kind == InProgress, pe.Repeated, r.c.Adopted: // an earlier attempt may have been taken, whoever made it
		return r.hangUpUnknown(Failed, err)
	}
	return r.refused(err)
}

// hangUpUnknown ends a call of which nobody knows whether Positus accepted it. It may be going on, so it is live, and its
// agent busy, until the hang-up is confirmed. Only who has the call may hang up: it may be another's by now, and talk.
func (r *runner) hangUpUnknown(o Outcome, cause error) error {
	r.e.problem("positus", "whether Positus took the accept is not known; the call is hung up", cause, "call", r.c.Key())
	err := r.finish(func(n *Call) {
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
		r.e.ended(r.c)
	case r.memory:
		r.hangUpBestEffort()
	default:
		_, _ = r.e.tryHangUp(r.c) // it tells of its own errors, and the sweep goes on
	}
	return nil
}

// renewAudio prepares audio anew for a played answer that was written by a process that is gone: its connection died
// with it.
func (r *runner) renewAudio() error {
	a, ok := r.f.Answer(r.c.Answer)
	if r.play != nil || r.c.Agent != "" || !ok || a.URL != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), actReserve)
	defer cancel()
	sdp, err := r.preparePlayback(ctx, a)
	if err != nil {
		return r.end(Failed, "the audio could not be prepared again after a restart: "+err.Error())
	}
	return r.write(func(n *Call) { n.AnswerSDP = sdp })
}

// accepted records that Positus took the accept. If the call ended meanwhile, it is hung up: nobody else will.
func (r *runner) accepted(echo error) error {
	r.e.Observer.Acted(r.c, r.now().Sub(r.c.Timestamp))
	deadAudio := echo != nil && r.play != nil && r.c.Adopted // it was accepted with an SDP whose process is gone
	err := r.finish(func(n *Call) {
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
			n.Local, n.Due = true, now // the sweep must see at once when this process is gone
		}
		for i := range n.Holds {
			n.Holds[i].Kind, n.Holds[i].Until = HoldActive, now.Add(n.MaxCall+activeGrace)
		}
		if deadAudio {
			n.HangUp = &HangUp{Why: "the process that played the audio is gone", Outcome: Failed, Since: now}
		}
	})
	switch {
	case err != nil && r.c.State != Ended:
		return err
	case r.c.State == Ended:
		if err == nil {
			r.e.ended(r.c)
		}
		r.hangUpBestEffort()
		return nil
	case deadAudio:
		r.closePlayback()
		r.e.tryHangUp(r.c)
	}
	r.log.Info("call accepted", "action", r.c.Action, "rule", r.c.Rule, "agent", r.c.Agent)
	return nil
}

// hangUpBestEffort tells Positus once that a call is over which our record already calls ended.
func (r *runner) hangUpBestEffort() {
	ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.MediaWait)
	defer cancel()
	if err := r.e.Provider.HangUp(ctx, r.c.PositusID, r.c.ID); err != nil {
		r.log.Info("hanging up a call that is over", "error", err)
	}
}

// playOut plays the prepared audio and hangs up at its end.
func (r *runner) playOut() error {
	r.playing.Store(true)
	wake, cancel := r.e.hub.subscribe(TopicCall(r.c.Key()))
	defer cancel()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	up := make(chan struct{}, 1)
	go func() { done <- r.play.Run(ctx, func() { up <- struct{}{} }) }()
	stopping := r.e.ctx.Done()
	poll := time.NewTicker(r.e.Timing.Poll)
	defer poll.Stop()
	for {
		select {
		case err := <-done:
			return r.played(err)
		case <-up:
			if err := r.write(func(n *Call) { n.MediaUp = r.now() }); err != nil && !errors.Is(err, errChanged) {
				r.log.Warn("the connection of audio could not be recorded", "error", err)
			}
		case <-stopping:
			stopping = nil
			go r.endAtStop(ctx, stop)
		case <-wake:
			_ = r.reread()
		case <-poll.C:
			_ = r.reread()
		}
		if r.c.State != Active || r.c.Owner != r.e.instance {
			stop()
			<-done
			r.closePlayback()
			return nil
		}
	}
}

// endAtStop gives audio a moment to come to its end when the engine stops.
func (r *runner) endAtStop(ctx context.Context, stop context.CancelFunc) {
	t := time.NewTimer(r.e.Timing.MediaWait / 2)
	defer t.Stop()
	select {
	case <-t.C:
		stop()
	case <-ctx.Done():
	}
}

// played ends a call whose audio is over.
func (r *runner) played(err error) error {
	r.closePlayback()
	why, outcome := "", Answered
	switch {
	case errors.Is(err, ErrNoMedia) && r.c.MediaUp.IsZero():
		why, outcome = err.Error(), Failed
	case errors.Is(err, context.Canceled):
		why = "the router was stopped while it played"
	case err != nil:
		why = err.Error()
	}
	if r.memory {
		r.hangUpBestEffort()
		return r.end(outcome, why)
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.MediaWait)
	defer cancel()
	c, err := r.e.hangUp(ctx, r.c.Key(), why, outcome)
	if c != nil {
		r.c = c
	}
	if err != nil && !errors.Is(err, ErrNotActive) {
		r.log.Warn("the hang-up is not confirmed yet; the sweep goes on trying", "error", err)
	}
	return nil
}
