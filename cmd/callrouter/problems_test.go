package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"callrouter/rules"
)

// Every code that check prints has a page that shows it as it is printed, and every page has a code that exists.
func TestEveryProblemHasItsPage(t *testing.T) {
	cases, err := filepath.Glob("../../rules/testdata/invalid/*/want.txt")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	printed := map[string]bool{
		"unreadable-file": true, "too-large": true, // no file of the repository can show these
	}
	code := regexp.MustCompile(`(?m)^\S+:\d+:\d+: (?:error|warning|info)\[([a-z0-9-]+)\]`)
	var all strings.Builder
	for _, path := range cases {
		text := read(t, path)
		all.WriteString(text)
		for _, m := range code.FindAllStringSubmatch(text, -1) {
			printed[m[1]] = true
		}
	}
	index := read(t, "../../docs/problems/README.md")
	pages, err := filepath.Glob("../../docs/problems/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pages {
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		if name == "README" {
			continue
		}
		if !printed[name] {
			t.Errorf("%s is about a code that check never prints", path)
		}
		if !strings.Contains(index, "("+name+".md)") {
			t.Errorf("%s is not in the list of problems", path)
		}
		delete(printed, name)
		_, sample, found := strings.Cut(read(t, path), "```text\n")
		if sample, _, _ = strings.Cut(sample, "```"); found && !strings.Contains(all.String(), sample) {
			t.Errorf("%s shows what is not printed like that:\n%s", path, sample)
		}
	}
	for name := range printed {
		t.Errorf("the code %s has no page: write docs/problems/%s.md", name, name)
	}
}

// Each page's example before "After:" has the problem that the page is about, and the one behind it has not.
func TestProblemPagesShowTheWayOut(t *testing.T) {
	t.Parallel()
	dir := examplesFolder(t)
	if err := os.WriteFile(filepath.Join(dir, "greeting.wav"), []byte("RIFF\x24\x00\x00\x00WAVEfmt "), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"pagina.ics": "<!DOCTYPE html>\n",
		"feriados.ics": "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20200101\nRRULE:FREQ=YEARLY\n" +
			"END:VEVENT\nEND:VCALENDAR\n",
		"cinzas.ics": "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20200226T000000\nDURATION:PT14H\n" +
			"END:VEVENT\nEND:VCALENDAR\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pages, err := filepath.Glob("../../docs/problems/*.md")
	if err != nil || len(pages) < 50 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	example := regexp.MustCompile("(?s)(Before:\n\n)?```yaml\n(.*?)```")
	for _, page := range pages {
		code := strings.TrimSuffix(filepath.Base(page), ".md")
		for _, m := range example.FindAllStringSubmatch(read(t, page), -1) {
			path := filepath.Join(dir, "fragment.yaml")
			if err := os.WriteFile(path, []byte(wholeFile(m[2])), 0o600); err != nil {
				t.Fatal(err)
			}
			_, problems := rules.Load(path)
			if before := m[1] != ""; before != slices.ContainsFunc(
				problems,
				func(p rules.Problem) bool { return p.Code == code },
			) {
				t.Errorf(
					"%s: this has the problem, which should be %t; check says %v:\n%s",
					page,
					before,
					problems,
					m[2],
				)
			} else if !before && problems.HasErrors() {
				t.Errorf("%s: the way out is refused: %v\n%s", page, problems, m[2])
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
