package condition

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Pieces of patterns, and of values that they may match.
var (
	patternPieces = []string{
		"a", "b", "ab", "1", "É", ".", "[ab]", "(a|b1)", "(ab|É)", "a*", "b+", "(ab)?", "(a|)", "^", "$", `\A`, `\z`,
		`\b`, "(?i)", "(?m)", "(?s)", "(?i:a)", `\d`, "a{2,3}", "(ab){0,2}", "(ab){1,}", "|", "\uFFFD", "b*?",
		"(?:a|ab)", "\n",
	}
	valuePieces = []string{"a", "b", "ab", "1", "A", "B", "É", "é", "\n", "\xff", "\uFFFD", " "}
)

// Whatever a pattern matches has one of the texts where they are said to stand.
func TestATextOfAPatternStandsInEveryMatch(t *testing.T) {
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			pattern := strings.Join(rapid.SliceOfN(rapid.SampledFrom(patternPieces), 1, 6).Draw(t, "pattern"), "")
			re, err := regexp.Compile(pattern)
			if err != nil {
				continue
			}
			g := Guard{Value: Value{Name: "payload"}}
			if g.How, g.Texts = inEveryMatch(pattern); len(g.Texts) == 0 {
				continue
			}
			found++
			for range 20 {
				value := strings.Join(rapid.SliceOfN(rapid.SampledFrom(valuePieces), 0, 6).Draw(t, "value"), "")
				if re.MatchString(value) && !g.Admits(value) {
					t.Fatalf("%q matches %q, which has none of %q (%d)", pattern, value, g.Texts, g.How)
				}
			}
		}
	})
	if found < 200 {
		t.Errorf("%d patterns had a text", found)
	}
}

func TestTextsOfPatterns(t *testing.T) {
	for pattern, want := range map[string]Guard{
		"promo":               {How: Within, Texts: []string{"promo"}},
		"^promo-[0-9]+$":      {How: Beginning, Texts: []string{"promo-"}},
		"[0-9]+-promo$":       {How: Ending, Texts: []string{"-promo"}},
		"^promo$":             {How: Whole, Texts: []string{"promo"}},
		"^(sales|order)":      {How: Beginning, Texts: []string{"sales", "order"}},
		"^(sales|order)$":     {How: Whole, Texts: []string{"sales", "order"}},
		"(sales|order) [a-z]": {How: Within, Texts: []string{"sales", "order"}},
		"^(sales|spare)$":     {How: Within, Texts: []string{"ales", "pare"}}, // read as s(ales|pare)
		"a.*campaign.*b":      {How: Within, Texts: []string{"campaign"}},
		"(?i)promo":           {},
		"promo|.*":            {},
		"^[a-z]+$":            {},
	} {
		how, texts := inEveryMatch(pattern)
		if strings.Join(texts, ",") != strings.Join(want.Texts, ",") || len(texts) > 0 && how != want.How {
			t.Errorf("%s: %d %q, want %d %q", pattern, how, texts, want.How, want.Texts)
		}
	}
}
