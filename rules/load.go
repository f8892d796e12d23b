package rules

import (
	"encoding/hex"
	"time"

	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/schema"
	"callrouter/rules/internal/source"
)

// Load reads a rules file and everything it names, checks all of it, and runs its own tests. The File is nil when the
// problems have errors; warnings may come with a File. A file that cannot be read is a problem with the code
// "unreadable-file".
func Load(path string) (*File, Problems) { return load(path, time.Now()) }

// load is Load at an instant: what has passed by then is warned of.
func load(path string, now time.Time) (*File, Problems) {
	l := newLoader(source.New(path), now)
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
	if !l.Problems.HasErrors() {
		l.runTests()
	}
	problems := l.Problems.Sorted()
	if problems.HasErrors() {
		return nil, problems
	}
	return l.f, problems
}

// compile makes the program of a file whose YAML is sound. Every part is read even where another is wrong.
func (l *loader) compile(data []byte) {
	schema.CheckRules(l.Document)
	if l.Root.Kind != source.MappingNode {
		return
	}
	l.hash.Write(data)
	l.f.texts = append(l.f.texts, text{data: data})
	l.collectNames()
	l.readSettings()
	l.readNumbers()
	l.readCalendars()
	l.readHours()
	l.readLists()
	l.readAgents()
	l.readQueues()
	l.readAnswers()
	l.language = condition.NewLanguage(l.Document, conditionNames{l}, l.now.In(l.f.loc))
	l.readMessages()
	l.readRules()
	l.finish()
	l.checkReach()
	l.checkTimes()
	l.f.tests = l.readTests()
	if !l.Problems.HasErrors() {
		l.warnings()
	}
}

// finish makes the rest of the file ready: names, hash, what is borrowed for an evaluation.
func (l *loader) finish() {
	f := l.f
	f.version = hex.EncodeToString(l.hash.Sum(nil))[:16]
	f.atoms, f.clocks, f.memos, f.durations = l.language.Atoms, l.language.Clocks, l.language.Memos,
		l.language.Durations
	f.tabulateFacts()
	f.index()
	f.scratch.New = func() any { return &scratch{memo: make([]Truth, f.memos)} }
}
