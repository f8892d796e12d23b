package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"callrouter/rules"
)

// TestDemoFiles keeps what is built into the program equal to what stands in the repository.
func TestDemoFiles(t *testing.T) {
	t.Parallel()
	found := 0
	err := fs.WalkDir(demoFiles, "demo", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found++
		built, err := demoFiles.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel("demo", path)
		if err != nil {
			return err
		}
		original, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			return err
		}
		if !bytes.Equal(built, original) {
			t.Errorf("cmd/callrouter/%s is not %s any more: copy it again", path, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found != 2 {
		t.Errorf("the demo has %d files, want rules.example.yaml and its greeting", found)
	}
}

// TestExamples checks that the examples are examples: nothing is wrong with them, and nothing is to be warned of.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(repository, "examples", "*", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 3 {
		t.Errorf("there are %d examples, want at least a clinic, a shop, and several numbers", len(files))
	}
	for _, file := range append(files, filepath.Join(repository, "rules.example.yaml")) {
		f, problems := rules.Load(file)
		for _, p := range problems {
			t.Error(p)
		}
		if f != nil && len(f.RunTests()) == 0 {
			t.Errorf("%s has no tests of its own", file)
		}
	}
}
