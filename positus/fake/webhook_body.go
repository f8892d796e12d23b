package fake

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// SDPPlace is where a connect webhook carries its SDP.
type SDPPlace int

// In both places, as in Positus' sample; in session.sdp, as Meta sends it; in the older connection.webrtc.sdp; nowhere.
const (
	SDPBoth SDPPlace = iota
	SDPSession
	SDPConnection
	SDPNone
)

// Form is the shape of webhook bodies. The zero value is that of Positus' samples, with a timestamp.
type Form struct {
	// Envelope posts Meta's object/entry/changes/value instead of Positus' flat body.
	Envelope bool
	// SDP is where the SDP is carried.
	SDP SDPPlace
	// WrapSDP makes connection.webrtc.sdp a JSON string inside the string, so that it needs a second decoding (Meta:
	// calling FAQ, the form to be avoided).
	WrapSDP bool
	// SDPType is session.sdp_type: "answer" if empty, which is wrong on an inbound call, and what Positus' sample has.
	SDPType string
	// Direction adds the direction to connect webhooks too; Positus' sample has it only on terminate.
	Direction bool
	// NoTimestamp leaves the timestamp out of connect webhooks, as in Positus' sample.
	NoTimestamp bool
	// NoContacts leaves out contacts, with the caller's profile name.
	NoContacts bool
	// MissedStatus is the status in the terminate webhook of a call that nobody answered, which no page documents:
	// "COMPLETED" if empty.
	MissedStatus string
	// Extra is added to each entry of calls: fields that a client does not know.
	Extra map[string]any
}

type wireCall struct {
	ID               string          `json:"id"`
	From             string          `json:"from,omitempty"`
	FromUserID       string          `json:"from_user_id,omitempty"`
	FromParentUserID string          `json:"from_parent_user_id,omitempty"`
	To               string          `json:"to"`
	Event            string          `json:"event"`
	Timestamp        string          `json:"timestamp,omitempty"`
	Direction        string          `json:"direction,omitempty"`
	StartTime        string          `json:"start_time,omitempty"`
	EndTime          string          `json:"end_time,omitempty"`
	Duration         *int            `json:"duration,omitempty"`
	Status           string          `json:"status,omitempty"`
	DeeplinkPayload  string          `json:"deeplink_payload,omitempty"`
	CTAPayload       string          `json:"cta_payload,omitempty"`
	Connection       *wireConnection `json:"connection,omitempty"`
	Session          *wireSession    `json:"session,omitempty"`
	Errors           []wireError     `json:"errors,omitempty"`
}

type wireConnection struct {
	WebRTC struct {
		SDP string `json:"sdp"`
	} `json:"webrtc"`
}

type wireSession struct {
	SDPType string `json:"sdp_type"`
	SDP     string `json:"sdp"`
}

type wireError struct {
	Code      int    `json:"code"`
	Title     string `json:"title"`
	Message   string `json:"message"`
	ErrorData struct {
		Details string `json:"details"`
	} `json:"error_data"`
}

type wireContact struct {
	Profile struct {
		Name     string `json:"name,omitempty"`
		Username string `json:"username,omitempty"`
	} `json:"profile"`
	WAID         string `json:"wa_id,omitempty"`
	UserID       string `json:"user_id,omitempty"`
	ParentUserID string `json:"parent_user_id,omitempty"`
}

type wireStatus struct {
	ID          string `json:"id"`
	Timestamp   string `json:"timestamp"`
	Type        string `json:"type"`
	Status      string `json:"status"`
	RecipientID string `json:"recipient_id"`
}

// wireValue is Positus' flat body, and the value of a change in Meta's envelope.
type wireValue struct {
	MessagingProduct string            `json:"messaging_product,omitempty"`
	Metadata         *wireMetadata     `json:"metadata,omitempty"`
	Contacts         []wireContact     `json:"contacts,omitempty"`
	Calls            []json.RawMessage `json:"calls,omitempty"`
	Statuses         []wireStatus      `json:"statuses,omitempty"`
	Errors           []wireError       `json:"errors,omitempty"`
}

type wireMetadata struct {
	DisplayPhoneNumber string `json:"display_phone_number"`
	PhoneNumberID      string `json:"phone_number_id"`
}

// part is what one call adds to a body.
type part struct {
	business string
	contact  *wireContact
	call     json.RawMessage
	status   *wireStatus
	errors   []wireError
}

// connectPart is the connect webhook of a call; s.mu is held.
func (c *Call) connectPart(f Form) part {
	w := c.wire("connect", f)
	if !f.NoTimestamp {
		w.Timestamp = seconds(c.placed)
	}
	if f.Direction || c.phone.Outbound {
		w.Direction = c.direction()
	}
	if f.SDP == SDPBoth || f.SDP == SDPSession {
		setDefault(&f.SDPType, "answer")
		w.Session = &wireSession{SDPType: f.SDPType, SDP: c.sdp}
	}
	if f.SDP == SDPBoth || f.SDP == SDPConnection {
		w.Connection = &wireConnection{}
		w.Connection.WebRTC.SDP = c.sdp
		if f.WrapSDP {
			_, quoted := jsonBody(c.sdp)
			w.Connection.WebRTC.SDP = string(quoted)
		}
	}
	return c.part(w, f)
}

// terminatePart is the terminate webhook of a call that ended; s.mu is held.
func (c *Call) terminatePart(f Form) part {
	w := c.wire("terminate", f)
	w.Timestamp = seconds(c.end.At)
	w.Direction = c.direction()
	w.Status = c.end.Status
	if !c.acceptedAt.IsZero() {
		duration := int(c.end.Duration / time.Second)
		w.StartTime, w.EndTime, w.Duration = seconds(c.acceptedAt), seconds(c.end.At), &duration
	}
	if c.end.Code != 0 {
		w.Errors = []wireError{newWireError(c.end.Code)}
	}
	return c.part(w, f)
}

func (c *Call) wire(event string, f Form) wireCall {
	p := c.phone
	w := wireCall{ID: c.ID, To: c.business, Event: event, DeeplinkPayload: p.DeeplinkPayload, CTAPayload: p.CTAPayload}
	if c.outbound() {
		w.From, w.To = c.business, p.Number
		return w
	}
	w.From, w.FromUserID, w.FromParentUserID = p.Number, p.UserID, p.ParentUserID
	return w
}

func (c *Call) part(w wireCall, f Form) part {
	p := part{business: c.business, errors: w.Errors, call: withExtra(w, f.Extra)}
	if ph := c.phone; !f.NoContacts && (ph.Name != "" || ph.Username != "" || ph.UserID != "") {
		p.contact = &wireContact{WAID: ph.Number, UserID: ph.UserID, ParentUserID: ph.ParentUserID}
		p.contact.Profile.Name, p.contact.Profile.Username = ph.Name, ph.Username
	}
	return p
}

func (c *Call) statusPart(status string, at time.Time) part {
	return part{business: c.business, status: &wireStatus{
		ID: c.ID, Timestamp: seconds(at), Type: "call", Status: status, RecipientID: c.phone.Number,
	}}
}

// webhookBody puts the parts into one body: flat, or in an envelope with one entry for each business number.
func webhookBody(f Form, parts []part) []byte {
	var order []string
	values := map[string]*wireValue{}
	for _, p := range parts {
		key := p.business
		if !f.Envelope {
			key = ""
		}
		v := values[key]
		if v == nil {
			v = &wireValue{}
			values[key], order = v, append(order, key)
		}
		v.add(p)
	}
	if !f.Envelope {
		_, body := jsonBody(values[""])
		return body
	}
	entries := []any{}
	for _, business := range order {
		v := values[business]
		v.MessagingProduct = "whatsapp"
		v.Metadata = &wireMetadata{business, strconv.FormatUint(hash(business)>>14, 10)}
		entries = append(entries,
			map[string]any{"id": "324350595508042", "changes": []any{map[string]any{"field": "calls", "value": v}}})
	}
	_, body := jsonBody(map[string]any{"object": "whatsapp_business_account", "entry": entries})
	return body
}

func (v *wireValue) add(p part) {
	if p.contact != nil {
		v.Contacts = append(v.Contacts, *p.contact)
	}
	if p.call != nil {
		v.Calls = append(v.Calls, p.call)
	}
	if p.status != nil {
		v.Statuses = append(v.Statuses, *p.status)
	}
	v.Errors = append(v.Errors, p.errors...)
}

func withExtra(w wireCall, extra map[string]any) json.RawMessage {
	_, body := jsonBody(w)
	if len(extra) == 0 {
		return body
	}
	fields := map[string]any{}
	if err := json.Unmarshal(body, &fields); err != nil { // it was just marshalled
		panic(err)
	}
	for k, v := range extra {
		fields[k] = v
	}
	_, body = jsonBody(fields)
	return body
}

// errorTitles are the texts of the codes that webhooks carry (Meta: troubleshooting).
var errorTitles = map[int]string{
	131026: "Message undeliverable: the user's app is too old for call messages",
	131044: "Business eligibility payment issue: no payment method",
	138019: "Client call setup failed",
	138020: "Relay connection failed",
	138021: "Media timeout: the user's client received no media",
	138022: "Media timeout: the user's client sent no media",
	138023: "The call was accepted and ended without media",
}

func newWireError(code int) wireError {
	e := wireError{Code: code, Title: errorTitles[code]}
	if e.Title == "" {
		e.Title = fmt.Sprintf("Error %d", code)
	}
	e.Message = e.Title
	e.ErrorData.Details = e.Title
	return e
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
