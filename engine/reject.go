package engine

import (
	"context"
	"errors"
	"fmt"
)

func (r *runner) startReject(message string) error {
	return r.write(func(n *Call) { r.rejecting(n, message) })
}

// rejecting makes a record say that the call is rejected.
func (r *runner) rejecting(n *Call, message string) {
	if message != "" {
		n.Message = r.compose(message)
	}
	now := r.now()
	n.Due = now
	n.to(Rejecting, now, "")
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

// compose renders the message of a reject with the facts of its decision.
func (r *runner) compose(name string) *MessageState {
	m := &MessageState{Name: name}
	for {
		text, needs, err := r.f.Render(name, r.input())
		switch {
		case err != nil:
			m.Error = fmt.Sprintf("the text could not be made: %s", err)
			return m
		case needs.None():
			m.Text = text
			return m
		}
		r.facts = r.e.facts(r.f, r.c, needs, r.facts)
	}
}

// message sends the text of a reject that stood: at most once a call, and at most as often as the rules allow. What goes
// wrong is recorded and undoes nothing.
func (r *runner) message() {
	m := r.c.Message
	if r.c.Outcome != Rejected || m == nil || !m.At.IsZero() || m.Error != "" {
		return
	}
	err := r.sendMessage(m)
	if errors.Is(err, errAlreadySent) {
		r.log.Info("the caller got this message lately, it is not sent again", "message", m.Name)
	} else if err != nil {
		r.e.report("message", "the message was not sent", err, "call", r.c.Key(), "message", m.Name)
	}
	if werr := r.writeResult(func(n *Call) {
		if err != nil {
			n.Message.Error = err.Error()
		} else {
			n.Message.At = r.now()
		}
	}); werr != nil {
		r.log.Warn("what became of the message could not be recorded", "error", werr)
	}
}

var errAlreadySent = errors.New("not sent again so soon (at_most_every)")

func (r *runner) sendMessage(m *MessageState) error {
	if r.c.From == "" {
		return errors.New("the caller has no number to write to")
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.MediaWait)
	defer cancel()
	if spec, ok := r.f.Message(m.Name); ok && spec.AtMostEvery > 0 {
		first, err := r.e.Store.Once(ctx, "message:"+m.Name+":"+r.c.CallerKey, spec.AtMostEvery)
		if err != nil {
			return fmt.Errorf("whether it was sent lately cannot be known: %w", err)
		}
		if !first {
			return errAlreadySent
		}
	}
	return r.e.Provider.SendText(ctx, r.c.PositusID, "+"+r.c.From, m.Text)
}

// refused ends a call whose written action Positus did not take. No other action is tried.
func (r *runner) refused(err error) error {
	var pe *ProviderError
	kind := "positus"
	if errors.As(err, &pe) && pe.Kind == Unauthorized { // no call will do better until somebody sees to it
		kind = "unauthorized"
	}
	r.e.report(kind, "Positus did not take the action", err, "call", r.c.Key(), "action", r.c.Action)
	if !errors.As(err, &pe) || pe.Kind == Unavailable {
		if r.c.CallerEnd != nil {
			return r.end(Abandoned, "the caller hung up while Positus could not be reached")
		}
		return r.end(TimedOut, err.Error())
	}
	return r.end(Failed, err.Error())
}
