package source

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?:line \d+: )?(.*)$`)

// syntaxError reports what the YAML library said, or, where the cause is a well-known trap, the cause.
func (d *Document) syntaxError(err error) {
	if d.knownTraps() {
		return
	}
	line, message := 1, err.Error()
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = m[2]
	}
	line = max(1, min(line, len(d.text.starts)))
	shown := d.Line(line)
	blanks := len(shown) - len(strings.TrimLeft(shown, " \t"))
	hint := ""
	switch {
	case strings.Contains(message, "cannot start any token") && strings.Contains(shown, "\t"):
		hint = "YAML is indented with spaces, not tabs"
	case strings.Contains(message, "mapping values are not allowed"):
		hint = "a text that holds `: ` must stand in quotes, or after `|` on a line of its own"
	case strings.Contains(message, "did not find expected key"),
		strings.Contains(message, "did not find expected '-' indicator"):
		hint = "the indentation of this line, or of the next, does not match the lines before it"
	case strings.Contains(message, "unexpected end of stream"), strings.Contains(message, "did not find expected ','"):
		hint = "a quote or a bracket is not closed"
	}
	d.ErrorAt(d.At(line, blanks+1, len([]rune(strings.TrimSpace(shown)))), "yaml-syntax", "YAML: "+message, hint)
}

var whenLine = regexp.MustCompile(`^(\s*(?:- )?\s*when:\s*)(\S.*?)\s*$`)

// knownTraps looks for conditions that YAML cannot read, whose errors it reports at another place.
func (d *Document) knownTraps() bool {
	found := false
	for i := range d.text.starts {
		line := d.Line(i + 1)
		m := whenLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at := d.At(i+1, len([]rune(m[1]))+1, len([]rune(m[2])))
		code, message, hint := trapOf(m[2])
		if code != "" {
			d.ErrorAt(at, code, message, hint)
			found = true
		}
	}
	return found
}

// trapOf says what is wrong with a condition on one line that YAML reads as something else.
func trapOf(value string) (code, message, hint string) {
	const block = "write it after `|`, on a line of its own"
	value = withoutComment(value)
	if value == "" {
		return "", "", ""
	}
	switch first := value[0]; {
	case first == '!':
		return "yaml-tag", "YAML reads text that starts with ! as a tag and drops it", negation(value)
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

// RefuseTag refuses a condition that YAML would drop as a tag, such as `!open("office")`. It reports whether it did.
func (d *Document) RefuseTag(n *Node) bool {
	if tag := n.ShortTag(); len(tag) == 0 || tag[0] != '!' || len(tag) > 1 && tag[1] == '!' {
		return false
	}
	at := d.Of(n)
	written := withoutComment(string([]rune(d.Line(at.Line))[at.Column-1:]))
	at.Length = len([]rune(written))
	d.ErrorAt(at, "yaml-tag", "YAML reads text that starts with ! as a tag and drops it: the condition would be empty",
		negation(written))
	d.bad[n] = true
	return true
}

// Commented reports whether YAML reads the rest of the line after a plain scalar as a comment.
func (d *Document) Commented(n *Node) bool {
	if n.Style&^yaml.TaggedStyle != 0 {
		return false
	}
	at := d.Of(n)
	rest := []rune(d.Line(at.Line))
	return at.Column-1+at.Length <= len(rest) &&
		strings.HasPrefix(strings.TrimLeft(string(rest[at.Column-1+at.Length:]), " \t"), "#")
}
