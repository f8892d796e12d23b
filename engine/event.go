package engine

import "time"

// Event is one thing that the platform reported about a call or a number. Exactly one of its fields is set.
type Event struct {
	Connect   *Connect
	Terminate *Terminate
	Alarm     *Alarm
	Unknown   string // the name of an event that this version does not know
}

// Connect is a call that rings (Meta: user-initiated calls, the connect webhook).
type Connect struct {
	CallID    string
	From      string    // digits as received; empty for a caller without a number
	UserID    string    // the business-scoped user id, if sent
	Name      string    // profile name, if sent
	To        string    // digits as received
	Timestamp time.Time // zero if none was sent
	Payload   string    // cta_payload or deeplink_payload
	SDP       string    // the offer
	Outbound  bool      // a call of ours: not routed
}

// Terminate is the end of a call, whoever ended it (Meta: user-initiated calls, the terminate webhook).
type Terminate struct {
	CallID    string
	From      string
	UserID    string
	To        string
	Timestamp time.Time
	Status    string // COMPLETED or FAILED in upper case, or as received
	PickedUp  bool   // start_time is only there if the call was picked up
	Duration  int    // seconds
	Codes     []int  // error codes, from the call and from the envelope
	Outbound  bool
}

// Alarm is a webhook of errors that belongs to no call, such as 131044: no payment method, inbound is dead (Meta:
// troubleshooting).
type Alarm struct {
	Code    int
	Message string
	Number  string // the business number, if sent
}
