package console

import (
	"encoding/json"
	"fmt"
	"time"

	"callrouter/engine"
)

// Event is the data of one event of an agent's stream: StatusEvent, OfferEvent, WithdrawnEvent or CallEvent. A new
// stream begins with one status, and an offer or a call for each that there is. Then each change is an event.
type Event interface {
	kind() string // the name of the event
}

type (
	// StatusEvent is the agent's status: available or away, and why away.
	StatusEvent struct {
		Status string `json:"status"`
		Reason string `json:"reason"`
	}
	// OfferEvent is a call that rings at the agent.
	OfferEvent struct {
		Offer      string      `json:"offer"` // id
		Queue      string      `json:"queue"`
		Call       OfferedCall `json:"call"`
		SDP        string      `json:"sdp"` // the caller's SDP offer, its line ends repaired
		RingsUntil time.Time   `json:"rings_until"`
	}
	// OfferedCall is what an agent may know of a call that rings.
	OfferedCall struct {
		ID     string `json:"id"`
		From   string `json:"from"` // normal form, empty if withheld
		Name   string `json:"name"`
		Number string `json:"number"` // the name, in the rules file, of the number that was called
	}
	// WithdrawnEvent is an offer that does not ring any more.
	WithdrawnEvent struct {
		Offer  string `json:"offer"`
		Reason string `json:"reason"`       // taken, ended, expired or declined
		By     string `json:"by,omitempty"` // name of the agent who was first, with taken
	}
	// CallEvent is a new state of a call that the agent picked up.
	CallEvent struct {
		ID    string       `json:"id"`
		State engine.State `json:"state"`
	}
)

func (StatusEvent) kind() string    { return "status" }
func (OfferEvent) kind() string     { return "offer" }
func (WithdrawnEvent) kind() string { return "withdrawn" }
func (CallEvent) kind() string      { return "call" }

// ParseEvent decodes the data of the event with a name. An event of a kind that this package does not know is nil.
func ParseEvent(kind, data string) (Event, error) {
	switch kind {
	case StatusEvent{}.kind():
		return decodeEvent[StatusEvent](data)
	case OfferEvent{}.kind():
		return decodeEvent[OfferEvent](data)
	case WithdrawnEvent{}.kind():
		return decodeEvent[WithdrawnEvent](data)
	case CallEvent{}.kind():
		return decodeEvent[CallEvent](data)
	}
	return nil, nil
}

func decodeEvent[E Event](data string) (Event, error) {
	var e E
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return nil, fmt.Errorf("event %q: %w", e.kind(), err)
	}
	return e, nil
}
