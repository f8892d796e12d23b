package positus

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// wireValue is what Meta calls a value and Positus sends as the whole body: calls, and what stands beside them.
type wireValue struct {
	inEnvelope bool
	field      string // Meta's name for what the value is about

	calls    []wireCall
	contacts []wireContact
	business string // digits of the number called
	errors   []wireError
	statuses []string // of our own calls
	others   []string // keys with something in them that is not about calls
}

// wireCall is one element of calls.
type wireCall struct {
	id, event string
	from, to  string // digits
	userID    string
	direction direction
	timestamp time.Time // zero if there is none
	payload   string
	sdp       string // byte for byte
	status    string
	started   bool // it has a start_time, which a call has that was picked up
	duration  int  // in seconds
	errors    []wireError
}

// direction is who started a call.
type direction int

const (
	unsaid direction = iota // missing, or neither of the others
	userInitiated
	businessInitiated
)

type wireContact struct {
	number       string // digits
	userID, name string
}

type wireError struct {
	code    int
	message string // the most detailed that there is
}

// decodeWebhook reads a body once: JSON first, then every field of every value. Whatever is missing or of another type
// is zero, and a body that is JSON but no object is one empty value.
//
// It does not decode into structs with json tags: encoding/json matches names in any case, merges objects that come
// twice under one key, and drops a list's only element where the list itself was left out.
func decodeWebhook(body []byte) ([]wireValue, error) {
	root, err := decodeObject(body)
	if err != nil && !errors.Is(err, errNoObject) {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	values := []wireValue{readValue(root)}
	for _, entry := range root.objects("entry") {
		for _, change := range entry.objects("changes") {
			v := readValue(change.object("value"))
			v.inEnvelope, v.field = true, change.text("field")
			values = append(values, v)
		}
	}
	return values, nil
}

func readValue(o object) wireValue {
	v := wireValue{
		calls:    each(o.objects("calls"), readCall),
		contacts: each(o.objects("contacts"), readContact),
		business: o.object("metadata").digits("display_phone_number"),
		errors:   each(o.objects("errors"), readError),
		statuses: each(o.objects("statuses"), func(s object) string { return s.text("status") }),
	}
	for _, key := range []string{"messages", "message_echoes"} {
		if len(o.objects(key)) > 0 {
			v.others = append(v.others, key)
		}
	}
	return v
}

func each[T any](list []object, read func(object) T) []T {
	all := make([]T, len(list))
	for i, o := range list {
		all[i] = read(o)
	}
	return all
}

func readCall(o object) wireCall {
	start := o.trimmed("start_time")
	return wireCall{
		id:        o.text("id"),
		event:     o.trimmed("event"),
		from:      o.digits("from"),
		to:        o.digits("to"),
		userID:    o.text("from_user_id"),
		direction: readDirection(o.trimmed("direction")),
		timestamp: o.instant("timestamp"),
		payload:   cmp.Or(o.text("cta_payload"), o.text("deeplink_payload")),
		sdp:       readSDP(o),
		status:    o.trimmed("status"),
		started:   start != "" && start != "0",
		duration:  int(o.integer("duration")),
		errors:    each(o.objects("errors"), readError),
	}
}

func readDirection(s string) direction {
	switch {
	case strings.EqualFold(s, "BUSINESS_INITIATED"):
		return businessInitiated
	case strings.EqualFold(s, "USER_INITIATED"):
		return userInitiated
	}
	return unsaid
}

func readContact(o object) wireContact {
	return wireContact{number: o.digits("wa_id"), userID: o.text("user_id"), name: o.object("profile").text("name")}
}

func readError(o object) wireError {
	return wireError{
		code: int(o.integer("code")),
		message: cmp.Or(o.object("error_data").text("details"), o.text("details"), o.text("message"),
			o.text("title")),
	}
}

// readSDP returns the SDP of a call, or "" if there is none. It is in session, or in connection.webrtc, the older
// place, where it may be wrapped in JSON once more (Meta: calling FAQ). Positus' samples have placeholders in both, so
// the first that looks like an SDP wins over the first that is there.
func readSDP(o object) string {
	candidates := []string{
		unwrapSDP(o.object("session")["sdp"]),
		unwrapSDP(o.object("connection").object("webrtc")["sdp"]),
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

// unwrapSDP returns the SDP in a string, in a JSON string within it, or in an object with the key sdp.
func unwrapSDP(v any) string {
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
