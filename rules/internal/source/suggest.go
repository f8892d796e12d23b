package source

import (
	"fmt"
	"slices"
	"strings"
)

// knownLimit is how many names knownList spells out.
const knownLimit = 20

// Nearest is the known name that name was most likely meant to be: the one with the fewest slips of the finger (a
// letter wrong, missing, too many, or two swapped) from it, as long as no more than a third of the letters are wrong.
func Nearest(name string, known []string) (string, bool) {
	best, found := "", false
	limit := max(1, len([]rune(name))/3)
	for _, k := range known {
		d := editDistance(strings.ToLower(name), strings.ToLower(k))
		if d < limit || d == limit && (!found || k < best) {
			best, found, limit = k, true, d
		}
	}
	return best, found
}

// KnownList returns the names that could have been written, for the end of a message: at most 20 of them.
func KnownList(known []string) string {
	if len(known) == 0 {
		return "none is defined"
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(known)))
	if more := len(sorted) - knownLimit; more > 0 {
		return fmt.Sprintf("known: %s and %d more", strings.Join(sorted[:knownLimit], ", "), more)
	}
	return "known: " + strings.Join(sorted, ", ")
}

// editDistance is the Damerau-Levenshtein distance (optimal string alignment): how many insertions, deletions,
// substitutions and swaps of neighbours turn a into b.
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	beforeLast := make([]int, len(t)+1)
	last := make([]int, len(t)+1)
	row := make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], beforeLast[j-2]+1)
			}
		}
		beforeLast, last, row = last, row, beforeLast
	}
	return last[len(t)]
}

// DidYouMean returns the hint for an unknown name: the known name that was probably meant, and the known names.
func DidYouMean(name string, known []string) string {
	if near, ok := Nearest(name, known); ok {
		return fmt.Sprintf("did you mean %q? (%s)", near, KnownList(known))
	}
	return KnownList(known)
}

// Quoted returns a name as messages show it: in quotes, and cut after 60 characters.
func Quoted(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
