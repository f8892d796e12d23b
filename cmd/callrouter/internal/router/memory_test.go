package router

import "testing"

func TestGarbageIsBounded(t *testing.T) {
	for live, want := range map[uint64]int{
		0:         1600, // 64 MB beside the 4 MB below which Go never collects
		16 << 20:  400,
		64 << 20:  100,
		500 << 20: 100, // as Go itself does
	} {
		if got := growth(live); got != want {
			t.Errorf("a heap of %d bytes may grow by %d %%, want %d %%", live, got, want)
		}
	}
}
