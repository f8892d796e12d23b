package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"time"

	"callrouter/rules/internal/schema"
	"callrouter/rules/internal/source"
)

// Load reads a rules file and everything it names, checks all of it, and runs its own tests. The File is nil when the
// problems have errors; warnings may come with a File. A file that cannot be read is a problem with the code
// "unreadable-file".
func Load(path string) (*File, Problems) { return load(path, time.Now()) }

// load is Load at an instant: what has passed by then is warned of.
func load(path string, now time.Time) (*File, Problems) {
	l := newLoader(path, now)
	data, ok := l.ReadFile()
	if !ok {
		return nil, l.Problems
	}
	return l.load(data)
}

// load makes a file of the bytes of one.
func (l *loader) load(data []byte) (*File, Problems) {
	if l.Parse(data) {
		l.compile(data)
	}
	problems := l.Problems.Sorted()
	if problems.HasErrors() {
		return nil, problems
	}
	return l.f, problems
}

// loader is what is known while a file is read.
type loader struct {
	*source.Document
	f        *File
	dir      string // what the file names is relative to this
	now      time.Time
	hash     hash.Hash
	known    map[kind][]string        // names the file defines, even where what they name is wrong
	used     map[kind]map[string]bool // names that something refers to
	language *language
	rules    []*ruleSource
	untested bool // the file's own tests are run by who loads it
}

func newLoader(path string, now time.Time) *loader {
	return &loader{
		Document: source.New(path), f: &File{path: path, paths: []string{path}}, dir: filepath.Dir(path), now: now,
		hash: sha256.New(), known: map[kind][]string{}, used: map[kind]map[string]bool{},
	}
}

// kind is a kind of thing that has a name.
type kind string

const (
	aNumber   kind = "number"
	anHours   kind = "hours"
	aCalendar kind = "calendar"
	aList     kind = "list"
	anAgent   kind = "agent"
	aQueue    kind = "queue"
	anAnswer  kind = "answer"
	aMessage  kind = "message"
	aRule     kind = "rule"
)

// compile makes the program of a file whose YAML is sound. Every part is read even where another is wrong.
func (l *loader) compile(data []byte) {
	schema.CheckRules(l.Document)
	if l.Root.Kind != source.MappingNode {
		return
	}
	l.hash.Write(data)
	l.collectNames()
	l.readSettings()
	l.readNumbers()
	l.readCalendars()
	l.readHours()
	l.readLists()
	l.readAgents()
	l.readQueues()
	l.readAnswers()
	l.language = newLanguage(l)
	l.readMessages()
	l.readRules()
	l.finish()
	l.checkReach()
	l.checkTimes()
	l.readTests()
	if l.Problems.HasErrors() {
		return
	}
	l.warnings()
	if !l.untested {
		l.runTests()
	}
}

// finish makes the rest of the file ready: names, hash, what is borrowed for an evaluation.
func (l *loader) finish() {
	f := l.f
	f.version = hex.EncodeToString(l.hash.Sum(nil))[:16]
	f.index()
	f.scratch.New = func() any { return &scratch{memo: make([]truth, f.memos)} }
}

// use notes that something refers to a name, and says whether the file defines it.
func (l *loader) use(k kind, name string) bool {
	if l.used[k] == nil {
		l.used[k] = map[string]bool{}
	}
	l.used[k][name] = true
	for _, known := range l.known[k] {
		if known == name {
			return true
		}
	}
	return false
}

// refer is use for a name that stands alone in the file; one that is not defined is reported.
func (l *loader) refer(k kind, n *source.Node) (string, bool) {
	if n == nil {
		return "", false
	}
	if !l.use(k, n.Value) {
		l.unknownName(k, l.Of(n), n.Value)
		return "", false
	}
	return n.Value, true
}

func (l *loader) unknownName(k kind, at source.Span, name string) {
	l.ErrorAt(at, "unknown-name", noSuch(k, name), source.DidYouMean(name, l.known[k]))
}

func noSuch(k kind, name string) string {
	if k == anHours {
		return "there are no hours " + source.Quoted(name)
	}
	return fmt.Sprintf("there is no %s %s", k, source.Quoted(name))
}

// include reads a file that the rules file names: it is part of the version, and is watched.
func (l *loader) include(n *source.Node) (data []byte, path string, ok bool) {
	path = n.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	data, err := source.ReadFile(path)
	if err != nil {
		code := err.Code
		if code == source.CodeUnreadable {
			code = "missing-file"
		}
		l.Fail(n, code, fmt.Sprintf("%s cannot be used: %s", source.Quoted(n.Value), err.Reason), "paths are relative to the rules file")
		return nil, path, false
	}
	l.f.paths = append(l.f.paths, path)
	fmt.Fprintf(l.hash, "\x00%s\x00%d\x00", n.Value, len(data))
	l.hash.Write(data)
	return data, path, true
}
