package ruletest

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"callrouter/rules"
)

var update = flag.Bool("update", false, "rewrite the expected output under testdata")

var loadedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func printed(folder string, problems rules.Problems) string {
	var b strings.Builder
	for _, p := range problems {
		p.File = strings.TrimPrefix(strings.TrimPrefix(p.File, folder), "/")
		b.WriteString(p.String())
		b.WriteString("\n")
	}
	return b.String()
}

func compareWithFile(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
