package rules

import (
	"cmp"
	"maps"
	"slices"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func names[T any](all []T, name func(T) string) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = name(v)
	}
	return out
}

// ptr is a pointer to a copy; nil for the zero value.
func ptr[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// addTo appends what is not yet there.
func addTo[T comparable](to *[]T, more ...T) {
	for _, v := range more {
		if !slices.Contains(*to, v) {
			*to = append(*to, v)
		}
	}
}
