package condition

import (
	"slices"
	"strings"
)

// Exclude reports whether two conditions cannot both hold for one call, as far as that is plain to see: one asks for
// what the other rules out, of things that do not change while a call is decided.
func Exclude(a, b *Condition) bool {
	for _, p := range Conjuncts(a) {
		for _, q := range Conjuncts(b) {
			if contradict(p, q) {
				return true
			}
		}
	}
	return false
}

func contradict(p, q *Condition) bool {
	switch {
	case p.Op == Not && p.Parts[0].Op == Leaf && q.Op == Leaf:
		return p.Parts[0].Atom == q.Atom && fixed(q.Atom)
	case q.Op == Not && q.Parts[0].Op == Leaf && p.Op == Leaf:
		return q.Parts[0].Atom == p.Atom && fixed(p.Atom)
	case p.Op == Leaf && q.Op == Leaf:
		l, lv, ok1 := equality(p.Atom.Text)
		r, rv, ok2 := equality(q.Atom.Text)
		return ok1 && ok2 && l == r && lv != rv && fixed(p.Atom)
	}
	return false
}

// fixed reports whether an atom reads the call alone: then it stays what it is while the call is decided.
func fixed(a *Atom) bool {
	return len(a.Reads) > 0 && !slices.ContainsFunc(a.Reads, func(r *Read) bool {
		return !strings.HasPrefix(r.Text, "caller.") && r.Text != "number" && r.Text != "payload"
	})
}

// equality takes `name == "literal"` apart.
func equality(text string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(text, "==")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if len(value) < 2 || !strings.ContainsRune(`"'`, rune(value[0])) || value[len(value)-1] != value[0] {
		return "", "", false
	}
	inner := value[1 : len(value)-1]
	return name, inner, ok && !strings.ContainsAny(inner, `"'\`)
}

// Always reports whether a condition holds whatever happens.
func Always(c *Condition) bool {
	return c == nil || c.Op == Leaf && c.Atom.Text == "true"
}
