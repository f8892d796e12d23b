package positus

import (
	"slices"
	"strings"

	"callrouter/engine"
)

// envelope is what a value says around its calls.
type envelope struct {
	contacts []object
	metadata object
	codes    []int
	calls    int // how many there are
}

// call reads one element of calls. It answers whether the call has ended.
func (p *parser) call(c object, env envelope) (ended bool) {
	id := c.text("id")
	event := strings.TrimSpace(c.text("event"))
	switch {
	case id == "":
		p.unknown("call without id")
	case strings.EqualFold(event, "connect"):
		p.add(engine.Event{Connect: p.connect(id, c, env)})
	case strings.EqualFold(event, "terminate"):
		p.add(engine.Event{Terminate: terminate(id, c, env)})
		return true
	default:
		p.unknown(first(event, "call without event"))
	}
	return false
}

func (p *parser) connect(id string, c object, env envelope) *engine.Connect {
	from, to, userID, contact := parties(c, env)
	outbound, said := direction(c)
	if !said && p.pending != nil {
		// Who is who in a call of ours is told by the direction alone, which is missing: either may be the user.
		outbound = to != "" && p.pending(to) || from != "" && p.pending(from)
	}
	return &engine.Connect{
		CallID:    id,
		From:      from,
		UserID:    userID,
		Name:      contact.object("profile").text("name"),
		To:        to,
		Timestamp: c.instant("timestamp"),
		Payload:   first(c.text("cta_payload"), c.text("deeplink_payload")),
		SDP:       offer(c),
		Outbound:  outbound,
	}
}

// terminate reads the end of a call. It does not ask for pending calls of ours: an end says nothing about the next call,
// and a user's call that ends must not be taken for one of ours.
func terminate(id string, c object, env envelope) *engine.Terminate {
	from, to, userID, _ := parties(c, env)
	outbound, _ := direction(c)
	status := strings.TrimSpace(c.text("status"))
	for _, known := range []string{"COMPLETED", "FAILED"} {
		if strings.EqualFold(status, known) {
			status = known
		}
	}
	all := codes(c.objects("errors"))
	for _, code := range env.codes {
		if !slices.Contains(all, code) {
			all = append(all, code)
		}
	}
	duration := int(c.integer("duration"))
	started := strings.TrimSpace(c.text("start_time"))
	return &engine.Terminate{
		CallID:    id,
		From:      from,
		UserID:    userID,
		To:        to,
		Timestamp: c.instant("timestamp"),
		Status:    status,
		PickedUp:  started != "" && started != "0" || duration > 0,
		Duration:  duration,
		Codes:     all,
		Outbound:  outbound,
	}
}

// parties are the two sides of a call, and the contact that goes with it. The caller's number may be missing: then there
// is an id of the user, in the call or in the contact (Meta: user-initiated calls).
func parties(c object, env envelope) (from, to, userID string, contact object) {
	from, to = c.digits("from"), c.digits("to")
	userID = c.text("from_user_id")
	contact = env.contact(from, to, userID)
	if out, said := direction(c); said && out {
		return from, to, userID, contact
	}
	if from == "" {
		from = contact.digits("wa_id")
	}
	if to == "" {
		to = env.metadata.digits("display_phone_number")
	}
	return from, to, first(userID, contact.text("user_id")), contact
}

// contact is the one that a call belongs to: the one with the same number or id, or else the only one if there is only
// one call.
func (env envelope) contact(from, to, userID string) object {
	for _, k := range env.contacts {
		number, id := k.digits("wa_id"), k.text("user_id")
		if number != "" && (number == from || number == to) || id != "" && id == userID {
			return k
		}
	}
	if len(env.contacts) == 1 && env.calls == 1 {
		return env.contacts[0]
	}
	return nil
}

// direction reads BUSINESS_INITIATED and USER_INITIATED; said is false for anything else.
func direction(c object) (outbound, said bool) {
	d := strings.TrimSpace(c.text("direction"))
	switch {
	case strings.EqualFold(d, "BUSINESS_INITIATED"):
		return true, true
	case strings.EqualFold(d, "USER_INITIATED"):
		return false, true
	}
	return false, false
}

// offer is the SDP of a connect, byte for byte, or "" if there is none. It is in session, or in connection.webrtc, the
// older place, where it may be wrapped in JSON once more (Meta: calling FAQ). The samples of Positus have placeholders in
// both, so the first that looks like an SDP goes before the first that is there.
func offer(c object) string {
	candidates := []string{
		unwrap(c.object("session")["sdp"]),
		unwrap(c.object("connection").object("webrtc")["sdp"]),
	}
	for _, sdp := range candidates {
		if strings.HasPrefix(sdp, "v=") {
			return sdp
		}
	}
	for _, sdp := range candidates {
		if sdp != "" && !strings.HasPrefix(sdp, "<<") {
			return sdp
		}
	}
	return ""
}

// unwrap is the SDP in a string, in a JSON string within it, or in an object with the key sdp.
func unwrap(v any) string {
	for range 3 {
		switch t := v.(type) {
		case string:
			if !strings.HasPrefix(t, `"`) && !strings.HasPrefix(t, "{") {
				return t
			}
			// As the value of a key, so that one decoder reads both forms.
			o, err := decodeObject([]byte(`{"sdp":` + t + `}`))
			if err != nil {
				return t
			}
			v = o["sdp"]
		case map[string]any:
			v = t["sdp"]
		default:
			return ""
		}
	}
	s, _ := v.(string)
	return s
}
