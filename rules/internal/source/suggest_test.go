package source

import (
	"fmt"
	"testing"
)

func TestTheNearestNameIsTheOneThatWasMeant(t *testing.T) {
	known := []string{"main", "office", "night_shift", "sales", "vip", "br"}
	for _, c := range []struct{ name, want string }{
		{"offise", "office"},
		{"mian", "main"},
		{"Office", "office"},
		{"nigth_shfit", "night_shift"},
		{"sale", "sales"},
		{"vipp", "vip"},
		{"bt", "br"},
		{"holidays", ""},
		{"zzz", ""},
		{"", ""},
	} {
		got, ok := Nearest(c.name, known)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("nearest(%q) = %q, %v; want %q", c.name, got, ok, c.want)
		}
	}
	if got, ok := Nearest("x", nil); ok {
		t.Errorf("nearest of nothing is %q", got)
	}
	if got, _ := Nearest("cat", []string{"hat", "bat", "rat"}); got != "bat" {
		t.Errorf("of equally near names %q is taken, want the first by alphabet", got)
	}
}

func TestEditDistanceCountsASwapOnce(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"são", "sao", 1},
		{"kitten", "sitting", 3}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestKnownListIsSortedAndBounded(t *testing.T) {
	if got, want := KnownList([]string{"b", "c", "a", "b"}), "known: a, b, c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := KnownList(nil), "none is defined"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var many []string
	for i := range 25 {
		many = append(many, fmt.Sprintf("n%02d", i))
	}
	want := "known: n00, n01, n02, n03, n04, n05, n06, n07, n08, n09, n10, n11, n12, n13, n14, n15, n16, n17, " +
		"n18, n19 and 5 more"
	if got := KnownList(many); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
