package engine

import (
	"context"
	"errors"
	"fmt"
)

func (r *runner) startReject(message string) error {
	m := r.compose(message)
	return r.write(func(n *Call) { r.rejecting(n, m) })
}

// rejecting makes a record say that the call is rejected.
func (r *runner) rejecting(n *Call, m *MessageState) {
	if m != nil {
		n.Message = m
	}
	now := r.now()
	n.Due = now
	n.to(Rejecting, now, "")
}

// reject sends the written reject until Positus took it or the answer window is over.
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

// compose renders the message of a reject with the facts of its decision, or returns nil if there is none. It may ask
// the store, so it is called before a write and never in one: a write in memory holds the lock of all calls.
func (r *runner) compose(name string) *MessageState {
	if name == "" {
		return nil
	}
	m := &MessageState{Name: name}
	for {
		text, needs, err := r.f.Render(name, r.input())
		switch {
		case err != nil:
			m.Error = fmt.Sprintf("the text could not be rendered, so no message was sent: %s", err)
			return m
		case needs.None():
			m.Text = text
			return m
		}
		r.facts = r.readFacts(needs, r.facts)
	}
}

// message sends the text of a confirmed reject: at most once a call, and at most as often as the rules allow. A
// failure is recorded and changes nothing else.
func (r *runner) message() {
	m := r.c.Message
	if r.c.Outcome != Rejected || m == nil || !m.At.IsZero() || m.Error != "" {
		return
	}
	err := r.sendMessage(m)
	if errors.Is(err, errAlreadySent) {
		r.log.Info("the caller got this message recently; it was not sent again", "message", m.Name)
	} else if err != nil {
		r.e.report("message", "the call was rejected, but the message to the caller was not sent", err,
			"call", r.c.Key(), "message", m.Name)
	}
	if werr := r.writeResult(func(n *Call) {
		if err != nil {
			n.Message.Error = err.Error()
		} else {
			n.Message.At = r.now()
		}
	}); werr != nil {
		r.log.Warn("cannot record whether the message to the caller was sent; the call is over", "error", werr)
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
			return fmt.Errorf(
				"cannot read from the store whether the message was sent recently, so it was not sent: %w",
				err,
			)
		}
		if !first {
			return errAlreadySent
		}
	}
	return r.e.Provider.SendText(ctx, r.c.PositusID, "+"+r.c.From, m.Text)
}

// refused ends a call when Positus did not take its written action. It tries no other action.
func (r *runner) refused(err error) error {
	var pe *ProviderError
	kind := "positus"
	if errors.As(err, &pe) && pe.Kind == Unauthorized { // every call fails until somebody mends the token
		kind = "unauthorized"
	}
	if pe != nil && pe.Kind == NotFound { // the same for a positus_id
		kind = string(NotFound)
	}
	r.e.report(kind, "Positus did not take the action; the call ends without it; see the error and check Positus", err,
		"call", r.c.Key(), "action", r.c.Action)
	if !errors.As(err, &pe) || pe.Kind == Unavailable {
		if r.c.CallerEnd != nil {
			return r.end(Abandoned, "the caller hung up while Positus could not be reached")
		}
		return r.end(TimedOut, err.Error())
	}
	if pe.Kind == NotFound && r.c.CallerEnd != nil {
		return r.end(Abandoned, "the caller hung up, and Positus did not find what the action was addressed to")
	}
	return r.end(Failed, err.Error())
}
