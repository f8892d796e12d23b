package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// repository is the root of the repository, from the folder in which the tests of this package run.
const repository = "../.."

// TestScripts runs the program as people do, each script in a folder of its own that has the examples in it.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(e *testscript.Env) error { return copyExamples(e.WorkDir) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"shows": shows,
		},
	})
}

// copyExamples puts what the documentation's commands name into a folder.
func copyExamples(folder string) error {
	if err := os.CopyFS(filepath.Join(folder, "examples"), os.DirFS(filepath.Join(repository, "examples"))); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(repository, "rules.example.yaml"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "rules.example.yaml"), data, 0o600)
}

// exits is `exits CODE COMMAND...`: the command ends with this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d\nstdout:\n%s\nstderr:\n%s", strings.Join(args[1:], " "), got, want,
			ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// shows is `shows stdout|stderr FILE`: what was printed is the file, but for what differs from run to run.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shows stdout|stderr FILE")
	}
	got, want := steady(ts.ReadFile(args[0])), steady(ts.ReadFile(args[1]))
	if got != want {
		ts.Fatalf("%s is\n%s\nwant\n%s", args[0], got, want)
	}
}

// unsteady is what differs from run to run, or from version to version of a file, and what stands for it.
var unsteady = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\d+ (ms|µs)\b`), "N $1"},
	{regexp.MustCompile(`\bversion [0-9a-f]{16}\b`), "version V"},
	{regexp.MustCompile(`\b127\.0\.0\.1:\d+\b`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`\bgo1\.[0-9.a-z]+`), "goV"},
}

func steady(s string) string {
	for _, u := range unsteady {
		s = u.pattern.ReplaceAllString(s, u.word)
	}
	return s
}
