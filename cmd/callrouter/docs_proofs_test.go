package main

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every test that the page on proofs names is there, and so is every planted bug; and no planted bug is without its promise.
func TestProofsThatAreNamedExist(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(read(t, path), -1) {
				tests[m[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	doc := read(t, "../../docs/proofs.md")
	for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(doc, -1) {
		if !tests[name[1]] {
			t.Errorf("there is no test %s", name[1])
		}
	}
	var documented, planted []string
	for line := range strings.Lines(section(t, doc, "Promises")) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && !strings.Contains(cells[3], "planted") {
			documented = append(documented, quotedWords(cells[3])...)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^plant (\w+) `).FindAllStringSubmatch(read(t, "../../.ci/planted"), -1) {
		planted = append(planted, m[1])
	}
	slices.Sort(documented)
	sameWords(t, "planted bug", slices.Compact(documented), planted)
}
