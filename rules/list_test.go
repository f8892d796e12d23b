package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrouter/rules/internal/rulestest"
	"callrouter/rules/internal/source"
)

// numbersFile writes a rules file with a list file of n numbers.
func numbersFile(tb testing.TB, n int) (path string) {
	tb.Helper()
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "+55119%08d\n", 60_000_000+i)
	}
	path = filepath.Join(tb.TempDir(), "rules.yaml")
	for name, text := range map[string]string{
		"many.txt": list.String(),
		"rules.yaml": strings.Replace(rulestest.Beginning, "lists:\n", "lists:\n  many: {file: many.txt}\n", 1) +
			rulestest.Rule("a", `listed("many")`, "{accept: bot}"),
	} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return path
}

// A list file may be larger than a rules file.
func TestAListFileMayBeLargerThanARulesFile(t *testing.T) {
	n := source.MaxFile/len("+5511960000000\n") + 1
	f, problems := load(numbersFile(t, n), loadedAt)
	if f == nil {
		t.Fatal(problems)
	}
	if got := f.Lists()[0].Size; got != n {
		t.Errorf("%d entries, want %d", got, n)
	}
	path := numbersFile(t, 1)
	if err := os.Truncate(filepath.Join(filepath.Dir(path), "many.txt"), source.MaxList+1); err != nil {
		t.Fatal(err)
	}
	_, problems = load(path, loadedAt)
	if got := problems.Err(); got == nil || !strings.Contains(got.Error(), "it is larger than 64 MiB") {
		t.Errorf("%v", got)
	}
}

func BenchmarkLoadNumbers(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := numbersFile(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if f, problems := load(path, loadedAt); f == nil {
					b.Fatal(problems)
				}
			}
		})
	}
}
