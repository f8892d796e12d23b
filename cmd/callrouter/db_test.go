package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrouter/engine"
	"callrouter/positus/fake"
	"callrouter/store"
)

// A copy that is made while the router runs is a whole store; what needs the router stopped says so.
func TestStoreFile(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	o.call(fake.Phone{Number: operatedOther}, engine.Ended)
	dir := t.TempDir()
	backup := filepath.Join(dir, "copy.db")
	o.ok([]string{"db", "backup", backup}, `copy\.db: 1 call; to restore it, stop the router and put it in place`)
	o.exits(exitUsage, []string{"db", "backup", backup}, "exists already")
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	o.must(err)
	if len(left) != 1 {
		t.Errorf("files after the backup: %v", left)
	}

	for _, command := range []string{"check", "compact"} {
		code, _, stderr := offline(t, "db", command, o.store)
		if code != exitUsage || !strings.Contains(stderr, "a callrouter is using it; stop that one first") {
			t.Errorf("%s of a file in use: %d %s", command, code, stderr)
		}
		code, stdout, stderr := offline(t, "db", command, backup)
		if code != 0 || !strings.Contains(stdout, "copy.db: ") {
			t.Errorf("%s of the copy: %d %s%s", command, code, stdout, stderr)
		}
	}
	s, err := store.Open(t.Context(), backup, store.Config{})
	o.must(err)
	calls, err := s.List(t.Context(), engine.Filter{Outcome: engine.Rejected})
	o.must(err)
	o.must(s.Close())
	if len(calls) != 1 {
		t.Errorf("the copy has %d rejected calls, want 1", len(calls))
	}

	doc, err := os.ReadFile(backup)
	o.must(err)
	o.must(os.WriteFile(backup, bytes.ReplaceAll(doc, []byte(`{"id":`), []byte(`{"id"!`)), 0o600))
	code, stdout, stderr := offline(t, "db", "check", backup)
	if code != exitFound || !strings.Contains(stdout, "the stored record is damaged") {
		t.Errorf("check of a damaged copy: %d %s%s", code, stdout, stderr)
	}
}

// offline runs a command that asks no router.
func offline(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, &environment{
		ctx: t.Context(), stdout: &out, stderr: &errs, getenv: func(string) string { return "" },
	})
	return code, out.String(), errs.String()
}
