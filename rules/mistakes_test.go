package rules

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the expected output under testdata")

// loadedAt is the instant at which the files under testdata are loaded.
var loadedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Every folder under testdata/invalid is one mistake of an author; want.txt is all that is printed for it.
func TestMistakesAreToldAtTheirPlaceWithWhatToDo(t *testing.T) {
	folders, err := filepath.Glob("testdata/invalid/*")
	if err != nil || len(folders) < 40 {
		t.Fatalf("%d folders, %v", len(folders), err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			f, problems := load(filepath.Join(folder, "rules.yaml"), loadedAt)
			got := printed(folder, problems)
			if strings.HasPrefix(filepath.Base(folder), "warning-") != (f != nil) {
				t.Errorf("loaded: %v", f != nil)
			}
			compareWithFile(t, filepath.Join(folder, "want.txt"), got)
			for _, word := range []string{"rules.", "condition.Environment", "condition.Caller", "interface", "reflect",
				"time.Time", "func("} {
				for _, p := range problems {
					if strings.Contains(strings.ReplaceAll(p.Message+p.Hint, "rules.yaml", ""), word) {
						t.Errorf("a word of Go, %q, is in: %s", word, p.Message)
					}
				}
			}
			for _, p := range problems {
				if p.Hint == "" && p.Code != "unreadable-file" {
					t.Errorf("it does not say what to do: %s", p.Message)
				}
				if p.Line < 1 || p.Column < 1 || p.Length < 1 {
					t.Errorf("no place: %+v", p)
				}
			}
		})
	}
}

func printed(folder string, problems Problems) string {
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

// Every file and folder under testdata/valid is loaded without a problem, but for the warnings in its want.txt.
func TestSoundFilesAreLoaded(t *testing.T) {
	files, err := filepath.Glob("testdata/valid/*/rules.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			f, problems := load(file, loadedAt)
			if f == nil {
				t.Fatal(printed(filepath.Dir(file), problems))
			}
			compareWithFile(t, filepath.Join(filepath.Dir(file), "want.txt"), printed(filepath.Dir(file), problems))
		})
	}
}
