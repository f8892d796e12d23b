package console

import (
	"encoding/json"
	"fmt"
	"time"

	"callrouter/engine"
)

// Event is the data of one event of an agent's stream: StatusEvent, OfferEvent, WithdrawnEvent, CallEvent or
// WrapUpEvent. A new stream begins with one status, and an offer or a call for each that there is. Then each change is
// an event.
type Event interface {
	kind() string // the name of the event
}

type (
	// Stamp is in every event: the router's time, because agents' clocks are wrong.
	Stamp struct {
		Now time.Time `json:"now"`
	}
	// StatusEvent is the agent's status: available or away, and why away.
	StatusEvent struct {
		Stamp
		Status string `json:"status"`
		Reason string `json:"reason"`
		Missed int    `json:"missed"` // offers in a row
	}
	// OfferEvent is a call that rings at the agent.
	OfferEvent struct {
		Stamp
		Offer      string      `json:"offer"` // id
		Queue      string      `json:"queue"`
		Call       OfferedCall `json:"call"`
		SDP        string      `json:"sdp"` // the caller's SDP offer, its line ends repaired
		RingsUntil time.Time   `json:"rings_until"`
		RingForS   float64     `json:"ring_for_s"` // how long it rings in all
		Rule       string      `json:"rule"`
		By         string      `json:"by"` // rule, default or on_error
		NumberName string      `json:"number_name"`
		Payload    string      `json:"payload"`
		Earlier    *Earlier    `json:"earlier"` // null: a caller without a number
		Listed     []string    `json:"listed"`  // lists that the caller is on
	}
	// OfferedCall is what an agent may know of a call that rings.
	OfferedCall struct {
		ID     string `json:"id"`
		Key    string `json:"key"`  // for places that must not show the id, which holds the number
		From   string `json:"from"` // normal form, empty if withheld
		Name   string `json:"name"`
		Number string `json:"number"` // the name, in the rules file, of the number that was called
	}
	// Earlier is what is known of a caller's earlier calls, of the last 30 days.
	Earlier struct {
		Count int          `json:"count"` // 50 means 50 or more
		Last  *EarlierCall `json:"last"`  // null: there is none
	}
	// EarlierCall is a call that the caller made before.
	EarlierCall struct {
		At      time.Time      `json:"at"`
		Queue   string         `json:"queue"`
		Rule    string         `json:"rule"`
		Outcome engine.Outcome `json:"outcome"`
		Agent   string         `json:"agent"` // name
		Seconds int            `json:"duration_s"`
		Note    string         `json:"note"`
	}
	// WithdrawnEvent is an offer that does not ring any more.
	WithdrawnEvent struct {
		Stamp
		Offer  string `json:"offer"`
		Reason string `json:"reason"`       // taken, ended, expired, declined or answered_elsewhere
		By     string `json:"by,omitempty"` // name of the agent who was first, with taken
	}
	// CallEvent is a new state of a call that the agent picked up.
	CallEvent struct {
		Stamp
		ID        string         `json:"id"`
		Key       string         `json:"key"`
		State     engine.State   `json:"state"`
		From      string         `json:"from"`
		Name      string         `json:"name"`
		Queue     string         `json:"queue"`
		Rule      string         `json:"rule"`
		Direction string         `json:"direction"` // in
		Tab       *string        `json:"tab"`       // where it was answered; null: not said
		ActiveAt  *time.Time     `json:"active_at"`
		EndedAt   *time.Time     `json:"ended_at"`
		Outcome   engine.Outcome `json:"outcome"`
		By        engine.Side    `json:"by"`   // who ended it: caller, agent, network or supervisor
		Code      *int           `json:"code"` // WhatsApp's
	}
	// WrapUpEvent says until when the agent is not free after a call.
	WrapUpEvent struct {
		Stamp
		Until *time.Time `json:"until"` // null: it is over
		Call  string     `json:"call"`  // id
		Key   string     `json:"key"`
	}
)

func (StatusEvent) kind() string    { return "status" }
func (OfferEvent) kind() string     { return "offer" }
func (WithdrawnEvent) kind() string { return "withdrawn" }
func (CallEvent) kind() string      { return "call" }
func (WrapUpEvent) kind() string    { return "wrap_up" }

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
	case WrapUpEvent{}.kind():
		return decodeEvent[WrapUpEvent](data)
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
