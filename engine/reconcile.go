package engine

import "cmp"

// Reconcile answers what is to be stored of a call of which the store has one record (nil: none) and an instance knows
// another: after the store was away, or has lost what it was told. It answers nil if what is stored stands. Neither record
// is changed; the answer has a revision that is newer than both.
//
// What Positus did goes before what one of them believes, an end goes before a life, and a record that has nothing but
// the caller's end adds that end to the other one.
func Reconcile(stored, known *Call) *Call {
	n := reconcile(stored, known)
	if n == nil {
		return nil
	}
	n = n.Clone()
	n.Rev = max(n.Rev, 1)
	if stored != nil {
		n.Rev = max(known.Rev, stored.Rev+1)
	}
	return n
}

func reconcile(stored, known *Call) *Call {
	switch {
	case stored == nil:
		return known
	case known.onlyEnd(), stored.acted() && !known.acted():
		return stored.withEnd(known.CallerEnd)
	case stored.onlyEnd(), known.acted() && !stored.acted():
		return cmp.Or(known.withEnd(stored.CallerEnd), known)
	case stored.Live() == known.Live():
		if known.Rev > stored.Rev {
			return cmp.Or(known.withEnd(stored.CallerEnd), known)
		}
		return stored.withEnd(known.CallerEnd)
	case known.Live():
		return stored.withEnd(known.CallerEnd)
	case known.acted(), stored.Owner == known.Owner:
		return known
	}
	return stored.withEnd(known.CallerEnd) // somebody else is at it
}

// onlyEnd says whether a record is a tombstone: of the call only its end was received.
func (c *Call) onlyEnd() bool {
	return c.State == Ended && c.CallerEnd != nil && c.Owner == "" && c.Action == ""
}

// acted says whether Positus confirmed the call's action.
func (c *Call) acted() bool {
	switch {
	case c.State == Active:
		return true
	case c.State == Ended:
		return c.Action != "" && (c.Outcome == Answered || c.Outcome == Rejected || c.Outcome == Reaped)
	}
	return false
}

// withEnd is the call with the platform's word that it is over, or nil if that is no news.
func (c *Call) withEnd(end *CallerEnd) *Call {
	if end == nil || c.CallerEnd != nil || c.State == Ended && c.acted() {
		return nil
	}
	n := c.Clone()
	n.callerEnded(*end)
	return n
}
