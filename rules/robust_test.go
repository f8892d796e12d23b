package rules

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrouter/rules/internal/rulestest"
	"callrouter/rules/internal/source"
)

// checkLoaded loads bytes as a file in a folder: it must answer with a file or with problems that have a place.
func checkLoaded(t *testing.T, folder string, data []byte) {
	t.Helper()
	f, problems := newLoader(source.New(filepath.Join(folder, "rules.yaml")), loadedAt).load(data)
	if f == nil != problems.HasErrors() {
		t.Fatalf("file %v, problems %v, of:\n%s", f != nil, problems, data)
	}
	for _, p := range problems {
		if p.Line < 1 || p.Column < 1 || p.Length < 1 || p.Message == "" || p.Code == "" || p.String() == "" {
			t.Fatalf("%+v, of:\n%s", p, data)
		}
	}
}

func TestAFileCutAnywhereIsAFileOrProblems(t *testing.T) {
	data, err := os.ReadFile("testdata/valid/whole/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i += 3 { // every third place comes upon every kind of line, in a third of the time
		checkLoaded(t, "testdata/valid/whole", data[:i])
	}
}

func TestAFileWithAnyPieceMovedIsAFileOrProblems(t *testing.T) {
	data, err := os.ReadFile("testdata/valid/whole/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"\"", "'", "[", "{", "}", "\n", ": ", "- ", "!", "&a ", "*a", "|", "#", "\t", "\x00", "é",
		"not ", "null", "  ", "\"office\"", "${", "((", "let a = 1; "}
	for range 400 {
		changed := bytes.Clone(data)
		for range 1 + random.IntN(3) {
			at, length := random.IntN(len(changed)), random.IntN(12)
			piece := pieces[random.IntN(len(pieces))]
			changed = bytes.Join([][]byte{changed[:at], []byte(piece), changed[min(at+length, len(changed)):]}, nil)
		}
		checkLoaded(t, "testdata/valid/whole", changed)
	}
}

// Files that are made to take long or much memory are refused in good time.
func TestHostileFilesAreRefusedInTime(t *testing.T) {
	conditions := map[string]string{
		"brackets":    strings.Repeat("(", 1<<20),
		"nots":        strings.Repeat("not ", 1000) + "true",
		"bangs":       strings.Repeat("!", 4000) + "true",
		"minuses":     strings.Repeat("-", 4000) + "1 > 0",
		"lists":       strings.Repeat("[", 4000),
		"ternaries":   strings.Repeat("true ? ", 500) + "true" + strings.Repeat(" : true", 500),
		"powers":      strings.Repeat("1 ** ", 800) + "1 > 0",
		"predicates":  strings.Repeat("all(1..1000, ", 5) + "true" + strings.Repeat(")", 5),
		"doubling":    "let a = payload + payload; let b = a + a; let c = b + b; c == c",
		"replacing":   `replace(replace(payload, "", payload), "", payload) == ""`,
		"joining":     `join([join([payload, payload], payload), payload], payload) == ""`,
		"environment": `$env["caller"] == nil`,
		"repeating":   `len(repeat("abc", 1000000000)) > 3`,
		"json":        `fromJSON(payload) == nil`,
	}
	for name, condition := range conditions {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			data := rulestest.Beginning + rulestest.Rule("hostile", condition, "reject")
			_, problems := newLoader(source.New("rules.yaml"), loadedAt).load([]byte(data))
			if !problems.HasErrors() {
				t.Error("it is not refused")
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	files := map[string]string{
		"brackets in YAML": strings.Repeat("[", 2<<20),
		"braces in YAML":   "a: " + strings.Repeat("{a: ", 1<<20),
		"dashes":           strings.Repeat("- ", 1<<20),
		"question marks":   strings.Repeat("? ", 1<<20),
		"merge of a list":  "<<: {? [a] : b}\n",
		"too large":        strings.Repeat("#", 4<<20+1),
		"quotes":           "\"" + strings.Repeat("[", 1<<20),
	}
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			path := filepath.Join(t.TempDir(), "rules.yaml")
			if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, problems := Load(path); !problems.HasErrors() {
				t.Error("it is not refused")
			} else if n := len(problems.Err().Error()); n > 100_000 {
				t.Errorf("%d bytes are printed", n)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestAFileThatCannotBeReadIsTold(t *testing.T) {
	for path, want := range map[string]string{
		"testdata/none.yaml": `testdata/none.yaml: error[unreadable-file]: there is no such file`,
		"testdata":           `testdata: error[unreadable-file]: it is not a file`,
	} {
		f, problems := Load(path)
		if f != nil || len(problems) != 1 || problems[0].String() != want {
			t.Errorf("%v", problems)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/valid/*/rules.yaml", "testdata/invalid/*/rules.yaml",
		"testdata/decide/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkLoaded(t, "testdata/valid/whole", data) })
}
