package engine

import (
	"cmp"
	"context"

	"callrouter/rules"
)

// takeOver makes this instance the owner of a call that another one left, and continues it.
func (e *Engine) takeOver(ctx context.Context, c *Call, why string) error {
	f, ok := e.version(c.RulesVersion)
	n, err := e.modify(ctx, c.Key(), func(n *Call) error {
		if n.Rev != c.Rev {
			return errUnchanged
		}
		n.Owner, n.Due = e.instance, e.Now()
		n.Adopted = !n.State.Ringing() // while it rang nothing was sent
		if !ok && n.State.Ringing() {
			f = e.beginAnew(n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if f == nil {
		f = e.Rules()
	}
	e.log.Warn("call taken over", "call", n.Key(), "state", n.State, "why", why)
	e.resume(n, f)
	return nil
}

// beginAnew moves a call to the present rules, because those it began with are not loaded: the file changed while no
// router ran. A call in the middle of a cascade takes the default, so that no rule is tried twice.
func (e *Engine) beginAnew(n *Call) *rules.File {
	f := e.Rules()
	if n.State == Waiting || n.State == Offered || n.Next > 0 {
		n.settleOffers(OfferEnded, e.Now())
		n.Holds, n.Step = nil, nil
		n.Next = len(f.RuleNames())
		n.to(Deciding, e.Now(), "the rules it began with are not loaded any more")
	}
	for i := range n.Facts {
		n.Facts[i].Version = cmp.Or(n.Facts[i].Version, n.RulesVersion)
	}
	n.RulesVersion = f.Version()
	return f
}
