package engine

import "cmp"

// Reconcile merges two records of one call: the stored one (nil if the store has none) and the one that an instance
// knows. It is used after the store was away or lost data. It returns the record to store, or nil if the stored one
// stands. It changes neither; the result has a revision newer than both, or that of known if it is the same record and
// newer than the stored one.
//
// The first of these rules that applies decides:
//   - A tombstone, which has only the caller's end, adds that end to the other record.
//   - A record whose action Positus confirmed wins over one without.
//   - Of two live or two ended records the one with the higher revision wins; at equal revisions the stored one stands.
//   - An ended record wins over a live one, unless the live one is stored, has another owner, and the ended one has no
//     confirmed action: then that owner decides.
//
// The caller's end of the losing record is added to the winner.
func Reconcile(stored, known *Call) *Call {
	n := reconcile(stored, known)
	if n == nil {
		return nil
	}
	rev := max(n.Rev, 1)
	switch {
	case stored == nil:
	case n == known:
		rev = max(known.Rev, stored.Rev+1)
	default: // whoever goes on from the record as it was known must see that it is another one
		rev = max(known.Rev, stored.Rev) + 1
	}
	n = n.Clone()
	n.Rev = rev
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
	return stored.withEnd(known.CallerEnd) // another instance owns the call now
}

// onlyEnd reports whether a record is a tombstone: only the end of the call was received.
func (c *Call) onlyEnd() bool {
	return c.State == Ended && c.CallerEnd != nil && c.Owner == "" && c.Action == ""
}

// acted reports whether Positus confirmed the call's action.
func (c *Call) acted() bool {
	switch {
	case c.State == Active:
		return true
	case c.State == Ended:
		return c.Action != "" && (c.Outcome == Answered || c.Outcome == Rejected || c.Outcome == Reaped)
	}
	return false
}

// withEnd returns the call with the platform's report that it is over, or nil if that adds nothing.
func (c *Call) withEnd(end *CallerEnd) *Call {
	if end == nil || c.CallerEnd != nil || c.State == Ended && c.acted() {
		return nil
	}
	n := c.Clone()
	n.callerEnded(*end)
	return n
}
