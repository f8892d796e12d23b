package positus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"callrouter/engine"
)

// noPayment is the code that tells that no inbound call comes through any more: there is no payment method (Meta:
// troubleshooting).
const noPayment = 131044

// ParseWebhook reads the body of a webhook: Positus' flat form ({"calls": [...]}) or Meta's envelope
// ({"entry": [{"changes": [{"value": {"calls": [...]}}]}]}), with any number of calls (Meta: webhooks). Events are in the
// order of the body. Nothing that is missing or unknown is an error; only a body that is no JSON is.
//
// A call that does not say who started it is one of ours if pending says so of the user's digits, and a user's otherwise.
// The sdp_type is never looked at: Positus' own samples have it wrong. pending may be nil.
func ParseWebhook(body []byte, pending func(userDigits string) bool) ([]engine.Event, error) {
	root, err := decodeObject(body)
	if err != nil && !errors.Is(err, errNoObject) {
		return nil, fmt.Errorf("read webhook: %w", err)
	}
	p := parser{pending: pending}
	p.value(root)
	for _, entry := range root.objects("entry") {
		for _, change := range entry.objects("changes") {
			if !p.value(change.object("value")) {
				p.unknown(first(change.text("field"), "empty"))
			}
		}
	}
	if len(p.events) == 0 {
		p.unknown("empty")
	}
	return p.events, nil
}

// parser collects the events of one body.
type parser struct {
	pending func(string) bool
	events  []engine.Event
}

func (p *parser) add(e engine.Event) { p.events = append(p.events, e) }

// maxName bounds the names of unknown events: they come from outside.
const maxName = 64

// unknown notes an event by its name, which is logged. A name is no place for a phone number, so digits do not stay.
func (p *parser) unknown(name string) {
	name = strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '#'
		}
		return unicode.ToLower(r)
	}, strings.ToValidUTF8(name, "?"))
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	p.add(engine.Event{Unknown: name})
}

// value reads what Meta calls a value and Positus sends as the whole body. It answers whether anything was in it.
func (p *parser) value(v object) bool {
	before := len(p.events)
	calls, failures := v.objects("calls"), v.objects("errors")
	env := envelope{contacts: v.objects("contacts"), metadata: v.object("metadata"), codes: codes(failures), calls: len(calls)}
	ended := false
	for _, c := range calls {
		ended = p.call(c, env) || ended
	}
	for _, s := range v.objects("statuses") {
		p.unknown("status:" + s.text("status"))
	}
	for _, key := range []string{"messages", "message_echoes"} {
		if len(v.objects(key)) > 0 {
			p.unknown(key)
		}
	}
	for _, f := range failures {
		// Where a call ended the codes are its own, except for one that is about every call to come.
		if code := int(f.integer("code")); !ended || code == noPayment {
			p.alarm(f, code, env.metadata)
		}
	}
	return len(p.events) > before
}

func (p *parser) alarm(f object, code int, metadata object) {
	message := f.object("error_data").text("details")
	for _, s := range []string{f.text("details"), f.text("message"), f.text("title")} {
		message = first(message, s)
	}
	p.add(engine.Event{Alarm: &engine.Alarm{
		Code:    code,
		Message: scrub(message),
		Number:  metadata.digits("display_phone_number"),
	}})
}

// codes are the error codes of a list, each once.
func codes(failures []object) []int {
	var list []int
	for _, f := range failures {
		if c := int(f.integer("code")); c != 0 && !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}
