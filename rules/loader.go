package rules

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"path/filepath"
	"slices"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

// loader is what is known while a file is read.
type loader struct {
	*source.Document
	f        *File
	dir      string // what the file names is relative to this
	now      time.Time
	hash     hash.Hash
	known    map[condition.Kind][]string        // names the file defines, even where what they name is wrong
	used     map[condition.Kind]map[string]bool // names that something refers to
	language *condition.Language
	rules    []*ruleSource
	kept     map[string][]byte // of a file that is unpacked: what it names; nil: it is read
}

func newLoader(doc *source.Document, now time.Time) *loader {
	return &loader{
		Document: doc, f: &File{path: doc.Path, paths: []string{doc.Path}}, dir: filepath.Dir(doc.Path), now: now,
		hash: sha256.New(), known: map[condition.Kind][]string{}, used: map[condition.Kind]map[string]bool{},
	}
}

// ruleSource is a rule with where its parts stand, for the checks that look at several rules.
type ruleSource struct {
	node      *source.Node // the whole rule
	name      *source.Node
	when      *source.Node // nil: no condition
	then      *source.Node
	canonical string // the condition, written in one way
	rule      *rule
	sound     bool // everything in it could be read
}

func (l *loader) placeOf(s *ruleSource) source.Span {
	if s.name != nil {
		return l.Of(s.name)
	}
	return l.Of(s.node)
}

// use notes that something refers to a name, and reports whether the file defines it.
func (l *loader) use(k condition.Kind, name string) bool {
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
func (l *loader) refer(k condition.Kind, n *source.Node) (string, bool) {
	if n == nil {
		return "", false
	}
	if !l.use(k, n.Value) {
		l.unknownName(k, l.Of(n), n.Value)
		return "", false
	}
	return n.Value, true
}

func (l *loader) unknownName(k condition.Kind, at source.Span, name string) {
	l.ErrorAt(at, "unknown-name", condition.NoSuch(k, name), source.DidYouMean(name, l.known[k]))
}

// conditionNames are the names of the file, for its conditions.
type conditionNames struct{ *loader }

func (l conditionNames) Known(k condition.Kind) []string {
	if k == condition.Calendar {
		return append(slices.Clone(l.known[k]), hours.PublicCalendars()...)
	}
	return l.known[k]
}

func (l conditionNames) Use(k condition.Kind, name string) bool {
	if k == condition.Calendar {
		if c, err := hours.PublicCalendar(name, nil); err == nil {
			l.f.calendars[name] = c
			return true
		}
	}
	return l.use(k, name)
}

func (l conditionNames) InStore(list string) bool {
	found := l.f.listsByName[list]
	return found != nil && found.Store
}

func (l conditionNames) NumberOf(phone string) (name string, ok bool) {
	i, ok := l.f.phones[phone]
	if !ok {
		return "", false
	}
	return l.f.numbers[i].Name, true
}

// include reads a file of at most so many bytes that the rules file names: it is part of the version, and is watched.
func (l *loader) include(n *source.Node, most int64) (data []byte, path string, ok bool) {
	path = n.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	data, err := l.readIncluded(n.Value, path, most)
	if err != nil {
		code := err.Code
		if code == source.CodeUnreadable {
			code = "missing-file"
		}
		l.Fail(n, code, fmt.Sprintf("%s cannot be used: %s", source.Quoted(n.Value), err.Reason),
			"paths are relative to the rules file")
		return nil, path, false
	}
	l.f.paths = append(l.f.paths, path)
	fmt.Fprintf(l.hash, "\x00%s\x00%d\x00", n.Value, len(data))
	l.hash.Write(data)
	l.f.texts = append(l.f.texts, text{n.Value, data})
	return data, path, true
}

func (l *loader) readIncluded(name, path string, most int64) ([]byte, *source.FileError) {
	if l.kept == nil {
		return source.ReadFile(path, most)
	}
	return l.kept[name], nil
}
