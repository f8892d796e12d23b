package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxFile is the size of the largest file that is read, in bytes.
const maxFile = 4 << 20

// Load reads a rules file and everything it names, checks all of it, and runs its own tests. The File is nil when the
// problems have errors; warnings may come with a File. A file that cannot be read is a problem with the code
// "unreadable-file".
func Load(path string) (*File, Problems) { return load(path, time.Now()) }

// load is Load at an instant: what has passed by then is warned of.
func load(path string, now time.Time) (*File, Problems) {
	l := newLoader(path, now)
	data, err := readFile(path)
	if err != nil {
		l.errorAt(span{file: path}, codeOf(err), reason(err), hintOf(err))
		return nil, l.problems
	}
	return l.load(data)
}

// load makes a file of the bytes of one.
func (l *loader) load(data []byte) (*File, Problems) {
	if root := l.parse(data); root != nil {
		l.compile(root, data)
	}
	problems := l.problems.sorted()
	if problems.HasErrors() {
		return nil, problems
	}
	return l.f, problems
}

// loader is what is known while a file is read.
type loader struct {
	f        *File
	src      *source
	dir      string // what the file names is relative to this
	now      time.Time
	root     *yaml.Node
	bad      map[*yaml.Node]bool // nodes that were reported and cannot be used
	problems Problems
	hash     hash.Hash
	known    map[kind][]string        // names the file defines, even where what they name is wrong
	used     map[kind]map[string]bool // names that something refers to
	language *language
	rules    []*ruleSource
	untested bool // the file's own tests are run by who loads it
}

func newLoader(path string, now time.Time) *loader {
	return &loader{
		f: &File{path: path, paths: []string{path}}, src: newSource(path, nil), dir: filepath.Dir(path), now: now,
		bad: map[*yaml.Node]bool{}, hash: sha256.New(), known: map[kind][]string{}, used: map[kind]map[string]bool{},
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
func (l *loader) compile(root *yaml.Node, data []byte) {
	l.root = root
	l.check(nil, root, fileShape)
	if root.Kind != yaml.MappingNode {
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
	if l.problems.HasErrors() {
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
func (l *loader) refer(k kind, n *yaml.Node) (string, bool) {
	if n == nil {
		return "", false
	}
	if !l.use(k, n.Value) {
		l.unknownName(k, l.of(n), n.Value)
		return "", false
	}
	return n.Value, true
}

func (l *loader) unknownName(k kind, at span, name string) {
	l.errorAt(at, "unknown-name", noSuch(k, name), l.didYouMean(name, l.known[k]))
}

func noSuch(k kind, name string) string {
	if k == anHours {
		return "there are no hours " + quoted(name)
	}
	return fmt.Sprintf("there is no %s %s", k, quoted(name))
}

// include reads a file that the rules file names: it is part of the version, and is watched.
func (l *loader) include(n *yaml.Node) (data []byte, path string, ok bool) {
	path = n.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	data, err := readFile(path)
	if err != nil {
		code := "missing-file"
		if errors.Is(err, errTooLarge) {
			code = "too-large"
		}
		l.fail(n, code, fmt.Sprintf("%s cannot be used: %s", quoted(n.Value), reason(err)), "paths are relative to the rules file")
		return nil, path, false
	}
	l.f.paths = append(l.f.paths, path)
	fmt.Fprintf(l.hash, "\x00%s\x00%d\x00", n.Value, len(data))
	l.hash.Write(data)
	return data, path, true
}

var (
	errTooLarge = fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	errNotFile  = errors.New("it is not a file")
)

// readFile reads a file of bounded size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errNotFile
	case info.Size() > maxFile:
		return nil, errTooLarge
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errTooLarge
	}
	return data, err
}

func codeOf(err error) string {
	if errors.Is(err, errTooLarge) {
		return "too-large"
	}
	return codeUnreadable
}

func hintOf(err error) string {
	if errors.Is(err, errTooLarge) {
		return "keep long lists in files of their own: `vip: {file: lists/vip.txt}`"
	}
	return ""
}

func reason(err error) string {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "there is no such file"
		case errors.Is(err, fs.ErrPermission):
			return "reading it is not permitted"
		}
		return path.Err.Error()
	}
	return err.Error()
}

// checkText refuses what is not text, with the place of the first byte that is not.
func (l *loader) checkText(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		l.errorAt(span{file: l.src.file, line: 1, column: 1}, "not-utf8", "the file is UTF-16", "save it as UTF-8")
		return false
	}
	if utf8.Valid(data) {
		return true
	}
	line, column := 1, 1
	for rest := data; ; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		rest = rest[size:]
	}
	l.errorAt(span{l.src.file, l.src, line, column, 1}, "not-utf8", "this is not UTF-8", "save the file as UTF-8")
	return false
}
