package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds on what YAML is given to read, so that no file can take it long or deep.
const (
	maxNesting   = 100
	maxExpansion = 100_000 // nodes that aliases stand for
)

// parse reads the bytes of a file as one YAML document, with aliases and merge keys expanded. It is nil when nothing more
// can be said of the file.
func (l *loader) parse(data []byte) *yaml.Node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	l.src = newSource(l.src.file, data)
	if !l.checkText(data) || !l.checkNesting() {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	document, err := decode(decoder)
	switch {
	case errors.Is(err, io.EOF), err == nil && (len(document.Content) == 0 || isNull(document.Content[0])):
		l.errorAt(l.start(), "empty-file", "there is nothing in the file", "start with `version: 1`")
		return nil
	case err != nil:
		l.syntaxError(err)
		return nil
	}
	second, err := decode(decoder)
	switch {
	case err == nil:
		l.errorAt(l.secondDocument(second), "second-document", "a second document starts here, and would not be read", "take out the line `---`, or keep it in a file of its own")
	case !errors.Is(err, io.EOF):
		l.syntaxError(err)
		return nil
	}
	e := expander{l: l}
	root := e.expand(document.Content[0])
	if e.failed {
		return nil
	}
	return root
}

// decode reads a document as nodes. The library may panic on what it did not expect.
func decode(d *yaml.Decoder) (n *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	n = new(yaml.Node)
	return n, d.Decode(n)
}

func (l *loader) secondDocument(n *yaml.Node) span {
	for line := n.Line; line > 0; line-- {
		if strings.HasPrefix(l.src.line(line), "---") && line > 1 {
			return span{l.src.file, l.src, line, 1, 3}
		}
	}
	return span{l.src.file, l.src, max(1, n.Line), 1, 1}
}

// checkNesting bounds how deep brackets and indentation go, before the YAML library sees them.
func (l *loader) checkNesting() bool {
	depth, line := 0, 1
	var quote rune
	start := true // of a line or a token, where a quote begins a quoted scalar
	for i := 0; i < len(l.src.text); i++ {
		r := l.src.text[i]
		if isBreak(r) {
			line++
			if i+1 < len(l.src.text) && isKeyStart(l.src.text[i+1]) {
				depth, quote = 0, 0 // a new key of the file: what was open stood in a text
			}
		}
		switch {
		case quote == '"' && r == '\\':
			i++
			continue
		case quote != 0:
			if r == quote {
				quote = 0
			}
			continue
		case r == '#' && start:
			for i+1 < len(l.src.text) && !isBreak(l.src.text[i+1]) {
				i++
			}
			continue
		case (r == '"' || r == '\'') && start:
			quote = r
			continue
		case r == '[' || r == '{':
			depth++
		case (r == ']' || r == '}') && depth > 0:
			depth--
		}
		if depth > maxNesting {
			l.errorAt(span{l.src.file, l.src, line, 1, 1}, "too-deep", fmt.Sprintf("brackets are nested more than %d deep", maxNesting), "close a bracket")
			return false
		}
		start = isBlank(r) || isBreak(r) || strings.ContainsRune("[{,:-", r)
	}
	return true
}

func isKeyStart(r rune) bool { return 'a' <= r && r <= 'z' }

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?:line \d+: )?(.*)$`)

// syntaxError reports what the YAML library said, or, where the cause is a well-known trap, the cause.
func (l *loader) syntaxError(err error) {
	if l.knownTraps() {
		return
	}
	line, message := 1, err.Error()
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = m[2]
	}
	line = max(1, min(line, len(l.src.starts)))
	shown := l.src.line(line)
	blanks := len(shown) - len(strings.TrimLeft(shown, " \t"))
	hint := ""
	switch {
	case strings.Contains(message, "cannot start any token") && strings.Contains(shown, "\t"):
		hint = "YAML is indented with spaces, not tabs"
	case strings.Contains(message, "mapping values are not allowed"):
		hint = "a text that holds `: ` must stand in quotes, or behind `|` on a line of its own"
	case strings.Contains(message, "did not find expected key"), strings.Contains(message, "did not find expected '-' indicator"):
		hint = "the indentation of this line, or of the next, does not match the lines before it"
	case strings.Contains(message, "unexpected end of stream"), strings.Contains(message, "did not find expected ','"):
		hint = "a quote or a bracket is not closed"
	}
	l.errorAt(span{l.src.file, l.src, line, blanks + 1, len([]rune(strings.TrimSpace(shown)))}, "yaml-syntax", "YAML: "+message, hint)
}

var whenLine = regexp.MustCompile(`^(\s*(?:- )?\s*when:\s*)(\S.*?)\s*$`)

// knownTraps looks for conditions that YAML cannot read, whose errors it reports at another place.
func (l *loader) knownTraps() bool {
	found := false
	for i := range l.src.starts {
		line := l.src.line(i + 1)
		m := whenLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at := span{l.src.file, l.src, i + 1, len([]rune(m[1])) + 1, len([]rune(m[2]))}
		code, message, hint := trapOf(m[2])
		if code != "" {
			l.errorAt(at, code, message, hint)
			found = true
		}
	}
	return found
}

// trapOf says what is wrong with a condition on one line that YAML takes for something else.
func trapOf(value string) (code, message, hint string) {
	const block = "write it behind `|`, on a line of its own"
	value = withoutComment(value)
	if value == "" {
		return "", "", ""
	}
	switch first := value[0]; {
	case first == '!':
		return "yaml-tag", "YAML reads what starts with ! as a tag, and drops it", negation(value)
	case first == '"' || first == '\'':
		if n := quotedLength([]rune(value)); n < len([]rune(value)) {
			return "yaml-quote", "YAML takes the quoted text as the whole condition", block + ", or turn it round"
		}
	case first == '[' || first == '{':
		if n := bracketedLength([]rune(value)); n < len([]rune(value)) {
			return "yaml-bracket", "YAML takes the brackets as the whole condition", block
		}
	case strings.ContainsRune("&*%@`", rune(first)):
		return "yaml-syntax", fmt.Sprintf("YAML gives %q at the start of a text a meaning of its own", first), block
	case strings.Contains(value, ": ") && first != '|' && first != '>':
		return "yaml-colon", "YAML reads a colon with a space behind it as a key", block
	}
	return "", "", ""
}

// negation is the hint for a condition that was written with a leading "!".
func negation(value string) string {
	rest := strings.TrimSpace(strings.TrimLeft(value, "!"))
	return fmt.Sprintf("write `not %s`", rest)
}

// expander replaces aliases by what they stand for, and merges merge keys.
type expander struct {
	l        *loader
	open     []*yaml.Node // the anchors that are being expanded
	expanded int
	failed   bool
}

func (e *expander) expand(n *yaml.Node) *yaml.Node {
	if e.failed {
		return n
	}
	if len(e.open) > 0 {
		if e.expanded++; e.expanded > maxExpansion {
			e.fail(e.open[0], "too-many-aliases", fmt.Sprintf("aliases stand for more than %d values", maxExpansion), "repeat less")
			return n
		}
	}
	if n.Kind == yaml.AliasNode {
		for _, o := range e.open {
			if o.Alias == n.Alias {
				e.fail(n, "alias-cycle", "the alias stands for something that holds it", "take one of the two out")
				return n
			}
		}
		e.open = append(e.open, n)
		target := e.expand(n.Alias)
		e.open = e.open[:len(e.open)-1]
		return target
	}
	if len(n.Content) == 0 {
		return n
	}
	grown := *n
	grown.Content = make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		grown.Content[i] = e.expand(c)
	}
	if n.Kind == yaml.MappingNode {
		grown.Content = e.merge(grown.Content)
	}
	return &grown
}

// merge adds, in place of `<<`, the pairs of the mappings it names that are not there already.
func (e *expander) merge(content []*yaml.Node) []*yaml.Node {
	var own, merged []*yaml.Node
	for i := 0; i+1 < len(content); i += 2 {
		if content[i].ShortTag() != "!!merge" {
			own = append(own, content[i], content[i+1])
			continue
		}
		sources := []*yaml.Node{content[i+1]}
		if content[i+1].Kind == yaml.SequenceNode {
			sources = content[i+1].Content
		}
		for _, s := range sources {
			if s.Kind != yaml.MappingNode {
				e.fail(content[i], "wrong-type", "only a mapping can be merged", "name one with `<<: *name`")
				return content
			}
			merged = append(merged, s.Content...)
		}
	}
	has := map[string]bool{}
	for i := 0; i < len(own); i += 2 {
		has[own[i].Value] = true
	}
	for i := 0; i < len(merged); i += 2 {
		if !has[merged[i].Value] {
			has[merged[i].Value] = true
			own = append(own, merged[i], merged[i+1])
		}
	}
	return own
}

func (e *expander) fail(n *yaml.Node, code, message, hint string) {
	if !e.failed {
		e.failed = true
		e.l.fail(n, code, message, hint)
	}
}
