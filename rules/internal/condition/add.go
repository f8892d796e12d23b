package condition

import "slices"

// addTo appends what is not yet there.
func addTo[T comparable](to *[]T, more ...T) {
	for _, v := range more {
		if !slices.Contains(*to, v) {
			*to = append(*to, v)
		}
	}
}
