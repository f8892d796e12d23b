package main

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const plantedBugs = repository + "/.ci/planted.d/*.patch"

// testsByFolder returns the tests of this module, by folder and name, as "./engine TestMonth".
func testsByFolder(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	err := filepath.WalkDir(repository, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			folder, err := filepath.Rel(repository, filepath.Dir(path))
			if err != nil {
				return err
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(read(t, path), -1) {
				tests["./"+filepath.ToSlash(folder)+" "+m[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// docs/proofs.md names tests that exist and every planted bug. A planted bug without a promise is missing from its
// table.
func TestProofsThatAreNamedExist(t *testing.T) {
	names := map[string]bool{}
	for test := range testsByFolder(t) {
		_, name, _ := strings.Cut(test, " ")
		names[name] = true
	}
	doc := read(t, repository+"/docs/proofs.md")
	for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(doc, -1) {
		if !names[name[1]] {
			t.Errorf("docs/proofs.md: there is no test %s", name[1])
		}
	}
	var documented, planted []string
	for line := range strings.Lines(section(t, doc, "Promises")) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && !strings.Contains(cells[3], "planted") {
			documented = append(documented, quotedWords(cells[3])...)
		}
	}
	patches, err := filepath.Glob(plantedBugs)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range patches {
		planted = append(planted, strings.TrimSuffix(filepath.Base(path), ".patch"))
	}
	slices.Sort(documented)
	sameWords(t, "planted bug", slices.Compact(documented), planted)
}

// A planted bug says what it breaks, and names tests that exist in the package that it names.
func TestPlantedBugsHaveAHeader(t *testing.T) {
	tests := testsByFolder(t)
	patches, err := filepath.Glob(plantedBugs)
	if err != nil || len(patches) == 0 {
		t.Fatalf("%d patches: %v", len(patches), err)
	}
	for _, path := range patches {
		name := filepath.Base(path)
		header, diff, ok := strings.Cut(read(t, path), "\n\ndiff ")
		if !ok || strings.Contains(diff, "_test.go") {
			t.Errorf("%s: want a header, an empty line, and a diff that leaves the tests as they are", name)
		}
		var folder, test, bug string
		proofs := 0
		for _, line := range strings.Split(header, "\n") {
			switch key, value, _ := strings.Cut(line, ": "); key {
			case "Bug":
				bug = value
			case "Package":
				folder = value
			case "Test":
				test, _, _ = strings.Cut(value, "/")
				if !tests[folder+" "+test] {
					t.Errorf("%s: there is no test %s in %s", name, test, folder)
				}
			case "Proof":
				if _, err := regexp.Compile(value); err != nil || value == "" || test == "" {
					t.Errorf("%s: the proof %q of test %q: %v", name, value, test, err)
				}
				proofs, test = proofs+1, ""
			default:
				t.Errorf("%s: the header has the line %q", name, line)
			}
		}
		if bug == "" || proofs == 0 || test != "" {
			t.Errorf("%s: want a Bug, and a Proof behind each Test", name)
		}
	}
}
