package rules

import (
	"fmt"
	"strconv"
	"strings"
)

// maxMessage is the length, in characters, of the longest text message WhatsApp takes (Meta: text messages).
const maxMessage = 4096

// Render makes the text of a message. If the Needs are not none there is no text yet: fetch the facts and render again
// with a new [Input] of the same instant. The error says which part could not be rendered and why.
func (f *File) Render(name string, in Input) (string, Needs, error) {
	m := f.message(name)
	if m == nil {
		return "", Needs{}, fmt.Errorf("there is no message %q", name)
	}
	if !m.needs.None() && in.lacksAny(&m.needs) {
		if in.facts.Err != nil {
			return "", Needs{}, fmt.Errorf("message %q: %w", name, &factError{m.needs.Text, in.facts.Err})
		}
		return "", in.needsOf(&m.needs, 0), nil
	}
	s := f.borrow()
	defer f.giveBack(s)
	var b strings.Builder
	for _, p := range m.parts {
		if p.program == nil {
			b.WriteString(p.literal)
			continue
		}
		out, err := s.vm.Run(p.program, in.env)
		if err != nil {
			s.fail(nil, err)
			if s.lacking {
				return "", in.needsOf(&m.needs, s.last), nil
			}
			return "", Needs{}, fmt.Errorf("message %q: %w", name, readable("${"+p.text+"}", err))
		}
		switch v := out.(type) {
		case string:
			b.WriteString(v)
		case int:
			b.WriteString(strconv.Itoa(v))
		}
	}
	if n := len([]rune(b.String())); n > maxMessage {
		return "", Needs{}, fmt.Errorf("message %q: its text has %d characters, and WhatsApp takes %d", name, n,
			maxMessage)
	}
	return b.String(), Needs{}, nil
}
