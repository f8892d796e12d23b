package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"callrouter/rules"
)

// docBlock is one fenced block of a document.
type docBlock struct {
	file     string
	line     int // of the fence
	language string
	note     string // of the comment <!-- note --> above it
	lines    []string
}

func (b docBlock) String() string { return fmt.Sprintf("%s:%d", b.file, b.line) }
func (b docBlock) text() string   { return strings.Join(b.lines, "\n") + "\n" }

var noteLine = regexp.MustCompile(`^<!-- (.*) -->$`)

// docFiles are the README, everything in docs, and the README of each example.
func docFiles(t *testing.T) []string {
	t.Helper()
	files := []string{filepath.Join(repository, "README.md")}
	for _, pattern := range []string{"docs/*.md", "examples/*/README.md"} {
		more, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil || len(more) == 0 {
			t.Fatalf("%s: %d documents, %v", pattern, len(more), err)
		}
		files = append(files, more...)
	}
	return files
}

func readDoc(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// docBlocks reads the fenced blocks of every document.
func docBlocks(t *testing.T) []docBlock {
	t.Helper()
	var all []docBlock
	for _, file := range docFiles(t) {
		name, err := filepath.Rel(repository, file)
		if err != nil {
			t.Fatal(err)
		}
		var open *docBlock
		note := ""
		for i, line := range strings.Split(readDoc(t, file), "\n") {
			fence, isFence := strings.CutPrefix(line, "```")
			switch {
			case open != nil && isFence:
				all, open = append(all, *open), nil
			case open != nil:
				open.lines = append(open.lines, line)
			case isFence:
				open, note = &docBlock{file: name, line: i + 1, language: fence, note: note}, ""
			case noteLine.MatchString(line):
				note = noteLine.FindStringSubmatch(line)[1]
			case line != "":
				note = ""
			}
		}
		if open != nil {
			t.Fatalf("%s: the block is not closed", open)
		}
	}
	return all
}

// TestDocs runs what the documentation shows: rules are checked, commands are run, and what they print is compared.
func TestDocs(t *testing.T) {
	t.Parallel()
	checkers := map[string]func(*testing.T, docBlock){
		"yaml":    checkYAML,
		"console": checkConsole,
		"sh":      checkShell,
		"ini":     checkUnit,
		"text":    func(*testing.T, docBlock) {}, // a picture, or what a program of somebody else prints
	}
	seen := map[string]int{}
	for _, b := range docBlocks(t) {
		check, ok := checkers[b.language]
		if !ok {
			t.Errorf("%s: nobody checks blocks of %q", b, b.language)
			continue
		}
		seen[b.language]++
		t.Run(b.String(), func(t *testing.T) {
			t.Parallel()
			check(t, b)
		})
	}
	for language, least := range map[string]int{"yaml": 10, "console": 8, "sh": 3, "ini": 1} {
		if seen[language] < least {
			t.Errorf(
				"%d blocks of %s were found, want at least %d: are they still recognised?",
				seen[language],
				language,
				least,
			)
		}
	}
}

// docFrame is the file that a fragment is a part of: a section that the fragment has goes before the frame's.
var docFrame = []struct{ section, text string }{
	{"version", "version: 1\n"},
	{"timezone", "timezone: America/Sao_Paulo\n"},
	{"numbers", "numbers:\n  main: {phone: \"+55 11 2236-1741\"}\n  second: {phone: \"+55 11 3136-1234\"}\n"},
	{"calendars", "calendars:\n  city: {01-25: Aniversário de São Paulo}\n"},
	{"hours", "hours:\n  office: {weekly: {mon-fri: 09:00-18:00}, holidays: [br, city]}\n"},
	{
		"lists",
		"lists:\n  vip: [\"+55 11 98888-7777\", {id: BR.13491208655302741918}]\n  blocked: {file: lists/blocked.txt}\n  partners: {store: true}\n",
	},
	{"agents", "agents:\n  ana:\n  bruno: {capacity: 2}\n"},
	{"queues", "queues:\n  sales: {agents: [ana, bruno], ring: 8s}\n  support: {agents: [bruno], ring: 5s}\n"},
	{
		"answers",
		"answers:\n  greeting: {play: examples/audio/greeting.ogg}\n  bot: {url: \"https://bot.example/answer\", timeout: 2s}\n",
	},
	{"messages", "messages:\n  closed: Estamos fechados.\n"},
	{"default", "default: reject\n"},
}

// wholeFile makes a whole file of a fragment: of sections, or of rules alone.
func wholeFile(fragment string) string {
	if strings.HasPrefix(fragment, "- name:") {
		fragment = "rules:\n" + fragment
	}
	if strings.Contains("\n"+fragment, "\nversion:") {
		return fragment
	}
	for _, part := range docFrame {
		if !strings.Contains("\n"+fragment, "\n"+part.section+":") {
			fragment = part.text + fragment
		}
	}
	return fragment
}

// examplesFolder is a folder with what the documentation names.
func examplesFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := copyExamples(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"lists/blocked.txt": "+55 11 97777-0000 # rang forty times in one night\n", "audio/greeting.ogg": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			text = readDoc(t, filepath.Join(repository, "examples", name))
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// checkYAML lets rules be checked. The note "refused: CODE" says that they are refused, and as what; "file: NAME" that
// the commands of the document use them as a file, and so say themselves what comes of it.
func checkYAML(t *testing.T, b docBlock) {
	if strings.HasPrefix(b.note, "file: ") {
		return
	}
	path := filepath.Join(examplesFolder(t), "fragment.yaml")
	if err := os.WriteFile(path, []byte(wholeFile(b.text())), 0o600); err != nil {
		t.Fatal(err)
	}
	_, problems := rules.Load(path)
	code, refused := strings.CutPrefix(b.note, "refused: ")
	if !refused {
		for _, p := range problems {
			if p.Severity == rules.Error {
				t.Error(p)
			}
		}
		return
	}
	if !slices.ContainsFunc(
		problems,
		func(p rules.Problem) bool { return p.Severity == rules.Error && p.Code == code },
	) {
		t.Errorf("want an error with the code %s, got %v", code, problems)
	}
}

// docNotRun are commands that are only shown: they would run these very tests.
var docNotRun = []string{"go test ./..."}

// checkConsole runs commands behind "$ " and compares what they print with what follows. They may fail only under the
// note "exit: CODE".
func checkConsole(t *testing.T, b docBlock) {
	dir := examplesFolder(t)
	for _, other := range docBlocks(t) {
		if name, ok := strings.CutPrefix(other.note, "file: "); ok && other.file == b.file {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(other.text()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := 0; i < len(b.lines); {
		line, ok := strings.CutPrefix(b.lines[i], "$ ")
		if !ok {
			t.Fatalf("a console block begins with a command behind \"$ \", not with %q", b.lines[i])
		}
		end := i + 1
		for end < len(b.lines) && !strings.HasPrefix(b.lines[end], "$ ") {
			end++
		}
		want := strings.Join(b.lines[i+1:end], "\n")
		i = end
		if slices.Contains(docNotRun, line) {
			if want != "" {
				t.Errorf("%s: its output is not checked, so it must not be shown", line)
			}
			continue
		}
		args := callrouterArguments(t, line)
		cmd := exec.Command(callrouterBinary(t), args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		code := 0
		if _, err := fmt.Sscanf(b.note, "exit: %d", &code); b.note != "" && err != nil {
			t.Fatalf("the note %q is not understood", b.note)
		}
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
			t.Errorf("%s: %v, want exit status %d", line, err, code)
		}
		if got, want := strings.TrimSpace(steady(string(out))), strings.TrimSpace(steady(want)); got != want {
			t.Errorf("%s\nprints\n%s\nand the document says\n%s", line, got, want)
		}
	}
}

// callrouterArguments are the arguments of a command line that runs the program.
func callrouterArguments(t *testing.T, line string) []string {
	t.Helper()
	for _, prefix := range []string{"go run ./cmd/callrouter ", "./callrouter ", "callrouter "} {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return shellWords(t, rest)
		}
	}
	t.Fatalf("%q is not a command that can be run here", line)
	return nil
}

// shellWords splits a line as a shell does, as far as the documentation uses it.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var all []string
	var word strings.Builder
	started, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, started = r, true
		case quote == 0 && r == ' ':
			if started {
				all = append(all, word.String())
			}
			word.Reset()
			started = false
		case quote == 0 && r == '#' && !started:
			return all
		default:
			word.WriteRune(r)
			started = true
		}
	}
	if quote != 0 {
		t.Fatalf("a quote is open in %q", line)
	}
	if started {
		all = append(all, word.String())
	}
	return all
}
