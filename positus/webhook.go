package positus

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"callrouter/engine"
)

// noPayment is the code of a missing payment method: no inbound call comes through any more (Meta: troubleshooting).
const noPayment = 131044

// ParseWebhook reads the body of a webhook: Positus' flat form ({"calls": [...]}) or Meta's envelope
// ({"entry": [{"changes": [{"value": {"calls": [...]}}]}]}), with any number of calls (Meta: webhooks). It returns at
// least one event, in the order of the body. Nothing that is missing or unknown is an error; only a body that is not
// JSON is.
//
// A call that does not say who started it is one of ours if pending returns true for the user's digits, and a user's
// otherwise. The sdp_type is never looked at: Positus' own samples have it wrong. pending may be nil.
func ParseWebhook(body []byte, pending func(userDigits string) bool) ([]engine.Event, error) {
	values, err := decodeWebhook(body)
	if err != nil {
		return nil, err
	}
	var events []engine.Event
	for _, v := range values {
		found := v.events(pending)
		if len(found) == 0 && v.inEnvelope {
			found = append(found, unknown(cmp.Or(v.field, "empty")))
		}
		events = append(events, found...)
	}
	if len(events) == 0 {
		events = append(events, unknown("empty"))
	}
	return events, nil
}

// events returns what happened, as one value tells it.
func (v wireValue) events(pending func(string) bool) []engine.Event {
	var list []engine.Event
	ended := false
	for _, c := range v.calls {
		e := v.callEvent(c, pending)
		ended = ended || e.Terminate != nil
		list = append(list, e)
	}
	for _, status := range v.statuses {
		list = append(list, unknown("status:"+status))
	}
	for _, key := range v.others {
		list = append(list, unknown(key))
	}
	for _, e := range v.errors {
		// Where a call ended the codes are its own, except for one that is about every call to come.
		if !ended || e.code == noPayment {
			list = append(list, engine.Event{Alarm: &engine.Alarm{
				Code: e.code, Message: scrub(e.message), Number: v.business,
			}})
		}
	}
	return list
}

func (v wireValue) callEvent(c wireCall, pending func(string) bool) engine.Event {
	switch {
	case c.id == "":
		return unknown("call without id")
	case strings.EqualFold(c.event, "connect"):
		return engine.Event{Connect: v.connect(c, pending)}
	case strings.EqualFold(c.event, "terminate"):
		return engine.Event{Terminate: v.terminate(c)}
	}
	return unknown(cmp.Or(c.event, "call without event"))
}

func (v wireValue) connect(c wireCall, pending func(string) bool) *engine.Connect {
	who := v.parties(c)
	outbound := c.direction == businessInitiated
	if c.direction == unsaid && pending != nil {
		// Without the direction, either number may be the user's.
		outbound = who.to != "" && pending(who.to) || who.from != "" && pending(who.from)
	}
	return &engine.Connect{
		CallID:    c.id,
		From:      who.from,
		UserID:    who.userID,
		Name:      who.name,
		To:        who.to,
		Timestamp: c.timestamp,
		Payload:   c.payload,
		SDP:       c.sdp,
		Outbound:  outbound,
	}
}

// terminate does not ask whether a call of ours is pending: asking uses the answer up, and the end of a user's call
// must not use up the answer for the call that follows.
func (v wireValue) terminate(c wireCall) *engine.Terminate {
	who := v.parties(c)
	status := c.status
	for _, known := range []string{"COMPLETED", "FAILED"} {
		if strings.EqualFold(status, known) {
			status = known
		}
	}
	return &engine.Terminate{
		CallID:    c.id,
		From:      who.from,
		UserID:    who.userID,
		To:        who.to,
		Timestamp: c.timestamp,
		Status:    status,
		PickedUp:  c.started || c.duration > 0,
		Duration:  c.duration,
		Codes:     codes(c.errors, v.errors),
		Outbound:  c.direction == businessInitiated,
	}
}

// codes returns the error codes of both lists, each once.
func codes(lists ...[]wireError) []int {
	var all []int
	for _, e := range slices.Concat(lists...) {
		if e.code != 0 && !slices.Contains(all, e.code) {
			all = append(all, e.code)
		}
	}
	return all
}

// parties are the two sides of a call.
type parties struct {
	from, to     string // digits
	userID, name string // of the user
}

// parties completes a call with its contact. The caller's number may be missing: then the call or the contact has an id
// of the user (Meta: user-initiated calls).
func (v wireValue) parties(c wireCall) parties {
	contact := v.contact(c)
	p := parties{from: c.from, to: c.to, userID: c.userID, name: contact.name}
	if c.direction != businessInitiated {
		p.from = cmp.Or(p.from, contact.number)
		p.to = cmp.Or(p.to, v.business)
		p.userID = cmp.Or(p.userID, contact.userID)
	}
	return p
}

// contact returns the contact of a call: the one with the same number or id, or else the only one if there is only one
// call.
func (v wireValue) contact(c wireCall) wireContact {
	for _, k := range v.contacts {
		sameNumber := k.number != "" && (k.number == c.from || k.number == c.to)
		if sameNumber || k.userID != "" && k.userID == c.userID {
			return k
		}
	}
	if len(v.contacts) == 1 && len(v.calls) == 1 {
		return v.contacts[0]
	}
	return wireContact{}
}

// maxName bounds the names of unknown events: they come from outside.
const maxName = 64

// unknown makes an event of a name, which is logged. A name is no place for a phone number, so it loses its digits.
func unknown(name string) engine.Event {
	name = strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '#'
		}
		return unicode.ToLower(r)
	}, strings.ToValidUTF8(name, "?"))
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	return engine.Event{Unknown: name}
}
