package rules

import (
	"fmt"
	"strings"
	"time"

	"callrouter/rules/internal/source"
	"callrouter/rules/phone"
)

func (l *loader) readLists() {
	l.f.listsByName = map[string]*list{}
	for name, n := range l.Entries(l.Child(l.Root, "lists")) {
		made := &list{List: List{Name: name.Value}, entries: map[string]time.Time{}}
		if n.Kind == source.SequenceNode {
			for item := range l.Items(n) {
				l.readEntry(made, item)
			}
		} else {
			l.readListSource(made, name, n)
		}
		for key := range made.entries {
			if strings.HasPrefix(key, "+") {
				made.numbers++
			}
		}
		made.Size = len(made.entries)
		l.f.lists = append(l.f.lists, made)
		l.f.listsByName[made.Name] = made
	}
}

func (l *loader) readListSource(made *list, name, n *source.Node) {
	file, store := l.Child(n, "file"), l.Child(n, "store")
	switch {
	case file != nil && store != nil:
		l.Fail(source.KeyOf(n, "store"), "conflicting-keys", "a list is either in a file or kept at run time",
			"remove one of them; run-time entries can be added to any list")
	case file != nil:
		if data, path, ok := l.include(file, source.MaxList); ok {
			l.readListFile(made, path, data)
		}
	case store != nil:
		made.Store = true
	case !l.Has(n, "file") && !l.Has(n, "store"):
		l.Fail(name, "missing-key",
			fmt.Sprintf("%s has neither entries, %q nor %q", source.Quoted(name.Value), "file", "store"),
			"write entries below it, `{file: lists/name.txt}` or `{store: true}`")
	}
}

// readEntry reads an entry: a number, or a mapping of number or id, note and until.
func (l *loader) readEntry(made *list, n *source.Node) {
	if n.Kind == source.ScalarNode {
		if key, err := ParseEntry(n.Value); err != nil {
			l.FailWith(n, "bad-phone", err)
		} else {
			made.add(key, time.Time{})
		}
		return
	}
	number, id := l.Child(n, "number"), l.Child(n, "id")
	var key string
	switch {
	case number != nil && id != nil:
		l.Fail(source.KeyOf(n, "id"), "conflicting-keys", "an entry is either a number or an id", "make it two entries")
		return
	case number != nil:
		normal, err := phone.Normalize(number.Value)
		if err != nil {
			l.FailWith(number, "bad-phone", err)
			return
		}
		key = normal
	case id != nil && strings.TrimSpace(id.Value) == "":
		l.Fail(id, "empty-value", "the id is empty", "write the id as the platform sends it")
		return
	case id != nil:
		key = Caller{ID: id.Value}.Key()
	case l.Has(n, "number") || l.Has(n, "id"):
		return
	default:
		l.Fail(n, "missing-key", "this entry has neither a number nor an id", `write {number: "+55 ...", note: ...}`)
		return
	}
	var until time.Time
	if v := l.Child(n, "until"); v != nil {
		var err error
		if until, err = dateUntil(v.Value, l.f.loc); err != nil {
			l.FailWith(v, "bad-date", err)
			return
		}
	}
	made.add(key, until)
}

// longList is the size, in bytes, from which on a list file is read by the faster way.
const longList = 64 << 10

// readListFile reads a list of its own file: one number (or id:...) a line, and comments behind "#".
func (l *loader) readListFile(made *list, path string, data []byte) {
	text := source.New(path)
	defer func() { l.Problems = append(l.Problems, text.Problems...) }()
	if !text.ReadText(data) {
		return
	}
	long := len(data) > longList
	for n, line := range text.Lines() {
		entry, _, _ := strings.Cut(line, "#")
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		if long && phone.SurelyNormal(entry) {
			made.add(entry, time.Time{})
			continue
		}
		key, err := ParseEntry(entry)
		if err != nil {
			message, hint := source.SplitHint(err)
			column := len([]rune(line[:strings.Index(line, entry)])) + 1
			text.ErrorAt(text.At(n, column, len([]rune(entry))), "bad-phone", message, hint)
			continue
		}
		made.add(key, time.Time{})
	}
}
