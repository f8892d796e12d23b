package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"callrouter/cmd/callrouter/internal/metrics"
	"callrouter/rules"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
)

// cellWords are the words in backquotes of the first cell of every table row.
func cellWords(doc string) []string {
	var all []string
	for line := range strings.Lines(doc) {
		cells := strings.Split(line, "|")
		if len(cells) > 2 {
			all = append(all, quotedWords(cells[1])...)
		}
	}
	return all
}

func quotedWords(s string) []string {
	var all []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(s, -1) {
		all = append(all, m[1])
	}
	return all
}

// section is what stands under a heading, up to the next one of its kind.
func section(t *testing.T, doc, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(doc, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("there is no section %q", heading)
	}
	text, _, _ := strings.Cut(after, "\n## ")
	return text
}

// sameWords compares what a document says with what there is.
func sameWords(t *testing.T, what string, documented, real []string) {
	t.Helper()
	for _, w := range real {
		if !slices.Contains(documented, w) {
			t.Errorf("%s %s is not documented", what, w)
		}
	}
	for _, w := range documented {
		if !slices.Contains(real, w) {
			t.Errorf("%s %s is documented, and is not there", what, w)
		}
	}
}

// loadText checks a text as a rules file.
func loadText(t *testing.T, text string) rules.Problems {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, problems := rules.Load(path)
	return problems
}

// TestDocsHolidays compares the table of holidays with what the rules know: the loader names all when one is unknown.
func TestDocsHolidays(t *testing.T) {
	t.Parallel()
	known := func(calendar, before string) []string {
		problems := loadText(
			t,
			"version: 1\ntimezone: UTC\nnumbers: {main: {phone: \"+55 11 2236-1741\"}}\ndefault: reject\n"+
				"hours: {office: {weekly: {daily: 09:00-18:00}, holidays: ["+calendar+"]}}\n",
		)
		if len(problems) != 1 {
			t.Fatalf("%s: %v", calendar, problems)
		}
		_, list, found := strings.Cut(problems[0].Hint, before)
		if !found {
			t.Fatalf("%s: the hint %q does not name what there is", calendar, problems[0].Hint)
		}
		return strings.Split(list, ", ")
	}
	documented := map[string][]string{}
	for line := range strings.Lines(section(t, readDoc(t, filepath.Join(repository, "docs/rules.md")), "Holiday calendars")) {
		if cells := strings.Split(line, "|"); len(cells) > 3 && len(quotedWords(cells[1])) == 1 {
			documented[quotedWords(cells[1])[0]] = strings.Split(strings.TrimSpace(cells[2]), " · ")
		}
	}
	codes := known("nowhere", "known: ")
	sameWords(t, "calendar", slices.Collect(maps.Keys(documented)), codes)
	for _, code := range codes {
		sameWords(
			t,
			"holiday of "+code+":",
			documented[code],
			known("{"+code+": {without: [nothing of the kind]}}", "it has: "),
		)
	}
}

// TestDocsCodes compares the codes of problems with those that the files of mistakes lead to, and those in the sources.
func TestDocsCodes(t *testing.T) {
	t.Parallel()
	text := section(t, readDoc(t, filepath.Join(repository, "docs/rules.md")), "Problems and their codes")
	documented := cellWords(text)
	_, warnings, _ := strings.Cut(text, "\nWarnings: ")
	warnings, _, _ = strings.Cut(warnings, "\n\n")
	documented = append(documented, quotedWords(warnings)...)

	printed := regexp.MustCompile(`(?m)(?:error|warning)\[([a-z0-9-]+)\]: `)
	wants, err := filepath.Glob(filepath.Join(repository, "rules/testdata/invalid/*/want.txt"))
	if err != nil || len(wants) < 50 {
		t.Fatalf("%d files of mistakes, %v", len(wants), err)
	}
	for _, want := range wants {
		for _, m := range printed.FindAllStringSubmatch(readDoc(t, want), -1) {
			if !slices.Contains(documented, m[1]) {
				t.Errorf("the code %s, of %s, is not documented", m[1], want)
			}
		}
	}
	sources := sourcesOf(t, "rules")
	for _, code := range documented {
		if !strings.Contains(sources, `"`+code+`"`) {
			t.Errorf("the code %s is documented, and is not in the sources", code)
		}
	}
}

// sourcesOf is all code of a package, and of those in its folder, that is no test.
func sourcesOf(t *testing.T, pkg string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(repository, pkg), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go") {
			all.WriteString(readDoc(t, path))
		}
		return err
	})
	if err != nil || all.Len() == 0 {
		t.Fatalf("%s: %d bytes of code, %v", pkg, all.Len(), err)
	}
	return all.String()
}

// TestDocsKeys sees to it that every key of the file's schema is in the reference.
func TestDocsKeys(t *testing.T) {
	t.Parallel()
	var schema any
	if err := json.Unmarshal(rules.JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				collect(item)
			}
		case map[string]any:
			properties, _ := v["properties"].(map[string]any)
			for name := range properties {
				keys[name] = true
			}
			for _, item := range v {
				collect(item)
			}
		}
	}
	collect(schema)
	if len(keys) < 40 {
		t.Fatalf("the schema has %d keys: is it read rightly?", len(keys))
	}
	doc := readDoc(t, filepath.Join(repository, "docs/rules.md"))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !regexp.MustCompile("[`{ ]" + key + "[`:,} ]").MatchString(doc) {
			t.Errorf("the key %s is not documented", key)
		}
	}
}

// TestDocsSettings compares the table of settings with the flags that serve has.
func TestDocsSettings(t *testing.T) {
	t.Parallel()
	text := section(t, readDoc(t, filepath.Join(repository, "docs/operations.md")), "Settings")
	rows := map[string]string{}
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, "|"); len(cells) > 4 && len(quotedWords(cells[2])) == 1 {
			rows[quotedWords(cells[2])[0]] = strings.Join(
				quotedWords(cells[1]),
				"",
			) + " " + strings.Join(
				quotedWords(cells[3]),
				"",
			)
		}
	}
	real := map[string]string{envPositusToken: " ", envWebhookSecret: " ", envAdminToken: " ", envICEServers: " "}
	for _, f := range node(t, "serve").Flags {
		if f.Name != "help" {
			real[f.Envs[0]] = "--" + f.Name + " " + f.Default
		}
	}
	for name, want := range real {
		if got, ok := rows[name]; !ok || got != want {
			t.Errorf("%s: flag and default are %q, and documented %q", name, want, got)
		}
	}
	sameWords(t, "setting", slices.Collect(maps.Keys(rows)), slices.Collect(maps.Keys(real)))
}

// TestDocsSimulateFlags compares the flags of simulate with their table.
func TestDocsSimulateFlags(t *testing.T) {
	t.Parallel()
	var documented, real []string
	for _, word := range cellWords(section(t, readDoc(t, filepath.Join(repository, "docs/rules.md")), "Commands")) {
		if name, ok := strings.CutPrefix(word, "--"); ok {
			name, _, _ = strings.Cut(name, " ")
			documented = append(documented, name)
		}
	}
	for _, f := range node(t, "simulate").Flags {
		if f.Name != "help" {
			real = append(real, f.Name)
		}
	}
	sameWords(t, "flag", documented, real)
}

func node(t *testing.T, command string) *kong.Node {
	t.Helper()
	for _, c := range docParser(t).Model.Children {
		if c.Name == command {
			return c
		}
	}
	t.Fatalf("there is no command %s", command)
	return nil
}

// TestDocsMetrics compares the metrics with their table.
func TestDocsMetrics(t *testing.T) {
	t.Parallel()
	described := make(chan *prometheus.Desc, 1000)
	metrics.New().Describe(described)
	close(described)
	name := regexp.MustCompile(`fqName: "(callrouter_[a-z_]+)".*variableLabels: \{([a-z,]*)\}`)
	var real []string
	for d := range described {
		if m := name.FindStringSubmatch(d.String()); m != nil {
			real = append(real, fmt.Sprintf("%s by %s", m[1], strings.ReplaceAll(m[2], ",", ", ")))
		}
	}
	var documented []string
	for line := range strings.Lines(section(t, readDoc(t, filepath.Join(repository, "docs/operations.md")), "Metrics")) {
		if cells := strings.Split(line, "|"); len(cells) > 3 && len(quotedWords(cells[1])) > 0 {
			words := quotedWords(cells[1])
			documented = append(documented, fmt.Sprintf("%s by %s", words[0], strings.Join(words[1:], ", ")))
		}
	}
	sameWords(t, "metric", documented, real)
}

// TestDocsSources reads the addresses of Positus as the program would.
func TestDocsSources(t *testing.T) {
	t.Parallel()
	doc := readDoc(t, filepath.Join(repository, "docs/operations.md"))
	m := regexp.MustCompile(`export CALLROUTER_WEBHOOK_SOURCES=(\S+)`).FindStringSubmatch(doc)
	if m == nil {
		t.Fatal("the addresses of Positus are not documented")
	}
	sources, err := prefixes("--webhook-sources", strings.Split(m[1], ","))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(sources, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	count := fmt.Sprintf("%d addresses when this was written", len(slices.Compact(sources)))
	if !strings.Contains(doc, count) {
		t.Errorf("the document does not say that there are %s", count)
	}
}

// TestDocsMention sees to it that no document speaks of a command of ours that is not there, or links to nothing.
func TestDocsMention(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join(repository, "docs/problems/*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages of problems, %v", len(pages), err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	for _, file := range append(docFiles(t), pages...) {
		text := readDoc(t, file)
		for _, span := range quotedWords(text) {
			if args, ok := strings.CutPrefix(strings.TrimPrefix(span, "go run ./cmd/"), "callrouter "); ok {
				if _, after, found := strings.Cut(args, " "); !found || after == "" {
					node(t, args)
				} else {
					checkParses(t, shellWords(t, args))
				}
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := file
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(file), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", file, m[1])
			} else if m[2] != "" && !slices.Contains(anchors(readDoc(t, target)), m[2]) {
				t.Errorf("%s: %s has no heading #%s", file, target, m[2])
			}
		}
	}
}

// anchors are what links call the headings of a document.
func anchors(doc string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(doc, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
