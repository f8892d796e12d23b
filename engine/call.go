package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"callrouter/rules"
)

// State is where a call is in its life.
type State string

// The states of a call, in the order of its life. Waiting, Offered and Deciding may follow each other several times.
const (
	Received  State = "received"
	Deciding  State = "deciding"
	Waiting   State = "waiting"
	Offered   State = "offered"
	Accepting State = "accepting"
	Rejecting State = "rejecting"
	Active    State = "active"
	Ended     State = "ended"
)

// Ringing reports whether the caller still hears ringing and no final action is written yet.
func (s State) Ringing() bool {
	switch s {
	case Received, Deciding, Waiting, Offered:
		return true
	}
	return false
}

// Outcome is how a call ended: every ended call has exactly one.
type Outcome string

// The closed list of outcomes.
const (
	Answered  Outcome = "answered"
	Rejected  Outcome = "rejected"
	Abandoned Outcome = "abandoned" // the caller ended it first
	TimedOut  Outcome = "timed_out" // the window passed without an action that Positus took
	Failed    Outcome = "failed"    // Positus or the audio refused
	Reaped    Outcome = "reaped"    // an answered call that the sweep ended
)

// Transition is one step of a call's life.
type Transition struct {
	State State     `json:"state"`
	At    time.Time `json:"at"`
	Why   string    `json:"why,omitempty"`
}

// Call is the record of one call: all that is needed to go on with it after a crash, and to say months later why it
// went as it did. A stored Call is never changed in place; see [Calls.Update].
type Call struct {
	ID  string `json:"id"`
	Rev int64  `json:"-"` // revision in the store, for compare-and-set
	// Write names the write that made this revision, so that a writer who lost the reply recognizes it.
	Write string `json:"write,omitempty"`

	State   State         `json:"state"`
	Outcome Outcome       `json:"outcome,omitempty"`
	Why     string        `json:"why,omitempty"` // a sentence about the outcome
	Action  rules.Action  `json:"action,omitempty"`
	Rule    string        `json:"rule,omitempty"`
	By      rules.By      `json:"by,omitempty"`
	Queue   string        `json:"queue,omitempty"`
	Answer  string        `json:"answer,omitempty"`
	Message *MessageState `json:"message,omitempty"`

	Number    string `json:"number"`               // name under numbers in the rules file
	PositusID string `json:"positus_id"`           // NUMBER_ID in the Positus API
	From      string `json:"from,omitempty"`       // as received
	UserID    string `json:"user_id,omitempty"`    // of a caller who has a username
	Name      string `json:"name,omitempty"`       // profile name
	CallerKey string `json:"caller_key,omitempty"` // [rules.Caller.Key]
	To        string `json:"to,omitempty"`
	Payload   string `json:"payload,omitempty"`
	Offer     string `json:"offer,omitempty"`      // the caller's SDP; dropped when the call ends
	AnswerSDP string `json:"answer_sdp,omitempty"` // what was accepted with; dropped when the call ends

	RulesVersion string    `json:"rules_version"`
	ReceivedAt   time.Time `json:"received_at"`
	Timestamp    time.Time `json:"timestamp"`         // the platform's; ReceivedAt where it sent none
	Deadline     time.Time `json:"deadline"`          // no action after this
	Due          time.Time `json:"due"`               // when the sweep must look at it; zero once ended
	Owner        string    `json:"owner,omitempty"`   // the instance that goes on with it
	Adopted      bool      `json:"adopted,omitempty"` // taken over, so the written action may have been sent before
	EndedAt      time.Time `json:"ended_at,omitzero"`

	Next      int           `json:"next"`              // the rule with which evaluation goes on
	Step      *Handoff      `json:"step,omitempty"`    // the hand-off in hand
	Offers    []Offer       `json:"offers,omitempty"`  // every offer of this call
	Agent     string        `json:"agent,omitempty"`   // who answered
	Holds     []Hold        `json:"holds,omitempty"`   // the agents' slots this call has
	HangUp    *HangUp       `json:"hang_up,omitempty"` // wanted, and not yet confirmed
	CallerEnd *CallerEnd    `json:"caller_end,omitempty"`
	MediaUp   time.Time     `json:"media_up,omitzero"` // when a played answer was first connected
	Local     bool          `json:"local,omitempty"`   // the owner itself sends the audio
	MaxCall   time.Duration `json:"max_call,omitempty"`
	WrapUp    time.Duration `json:"wrap_up,omitempty"`    // for the agent who answered, once it ends
	AnswerSum string        `json:"answer_sum,omitempty"` // of the agent's answer, to know a repeated one
	ActiveAt  time.Time     `json:"active_at,omitzero"`
	AgentGone time.Time     `json:"agent_gone,omitzero"` // since when the agent of an active call is not connected

	Tab         string      `json:"tab,omitempty"`         // the window in which the agent answered, if it has a name
	Prolonged   bool        `json:"prolonged,omitempty"`   // the agent has asked for a longer wrap-up
	HungUpBy    Side        `json:"hung_up_by,omitempty"`  // who had callrouter hang up
	Audio       *AudioState `json:"audio,omitempty"`       // what the agent's page last said of it
	Note        string      `json:"note,omitempty"`        // the agent's
	Disposition string      `json:"disposition,omitempty"` // a word for what came of the call, the agent's

	Trace       []rules.Trace `json:"trace"`
	Facts       []FactRecord  `json:"facts"`
	Transitions []Transition  `json:"transitions"`
}

// OtherKey is [rules.Caller.OtherKey] of the call's caller.
func (c *Call) OtherKey() string { return rules.OtherKey(c.CallerKey, c.UserID) }

// FactRecord holds what one evaluation used beside the call and the rules file: what the store returned, and what was
// set at run time.
type FactRecord struct {
	// which one, from 1 on; 0 in records of before there were numbers
	Evaluation int `json:"evaluation,omitempty"`
	// of the rules, where the call went on with others later; empty: the record's
	Version string    `json:"version,omitempty"`
	At      time.Time `json:"at"`             // by the router's clock, which goes on evenly
	Wall    time.Time `json:"wall,omitzero"`  // by the clock on the wall, which hours go by
	From    int       `json:"from,omitempty"` // index of the first rule that it could reach

	// by lists of the store, and by run-time entries of others
	Listed   map[string]bool             `json:"listed,omitempty"`
	Queues   map[string]rules.QueueFacts `json:"queues,omitempty"`
	Calls    map[string]int              `json:"calls,omitempty"`    // by duration
	Switches map[string]string           `json:"switches,omitempty"` // "open" or "closed", of hours that were switched
	Switched map[string]SwitchRecord     `json:"switched,omitempty"` // the same, with all that is known of the switch
	Error    string                      `json:"error,omitempty"`
}

// SwitchRecord is a switch of hours as it was when a call was decided.
type SwitchRecord struct {
	Open   bool      `json:"open"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
}

// MessageState is the text a reject sends to the caller, at most once a call.
type MessageState struct {
	Name  string    `json:"name"`
	Text  string    `json:"text,omitempty"`
	At    time.Time `json:"at,omitzero"`
	Error string    `json:"error,omitempty"` // why it was not sent
}

// CallerEnd is the platform's word that the call is over.
type CallerEnd struct {
	At       time.Time `json:"at"`
	Status   string    `json:"status,omitempty"`
	PickedUp bool      `json:"picked_up"`
	Duration int       `json:"duration,omitempty"` // seconds
	Codes    []int     `json:"codes,omitempty"`    // Meta's error codes
}

// Handoff is the state of the hand-off in hand.
type Handoff struct {
	Queue  string        `json:"queue"`
	Ring   time.Duration `json:"ring"`
	Wait   time.Duration `json:"wait"` // what is left of it
	Joined time.Time     `json:"joined"`
	Seen   int64         `json:"-"`                // queue revision behind the present step; 0: any
	Since  time.Time     `json:"since,omitzero"`   // start of the present waiting; zero while somebody can be rung
	Agents []string      `json:"agents,omitempty"` // the agents it waits for: the queue's, by this call's rules
}

// OfferResult is what became of an offer; empty while it is pending.
type OfferResult string

// The results of an offer. Declined, missed and withdrawn are three different things.
const (
	OfferAnswered OfferResult = "answered"
	OfferDeclined OfferResult = "declined"
	OfferMissed   OfferResult = "missed"
	OfferTaken    OfferResult = "taken" // another agent was first
	// OfferUnreachable: the offer rang out after the agent had disconnected, or the agent's page did not confirm it.
	OfferUnreachable OfferResult = "unreachable"
	OfferEnded       OfferResult = "ended" // the caller left, or the call was decided otherwise
)

// Offer is a call that rings at one agent.
type Offer struct {
	ID         string      `json:"offer"`
	Agent      string      `json:"agent"`
	Queue      string      `json:"queue"`
	At         time.Time   `json:"at"`
	RingsUntil time.Time   `json:"rings_until"`
	Result     OfferResult `json:"result,omitempty"`
	ResultAt   time.Time   `json:"result_at,omitzero"`
	RangAt     time.Time   `json:"rang_at,omitzero"` // when the agent's page confirmed that it rings, if it did
}

// HangUp is a hang-up that is wanted until Positus or a terminate confirms it.
type HangUp struct {
	Why      string    `json:"why"`
	Outcome  Outcome   `json:"outcome"`      // of the call once confirmed
	By       Side      `json:"by,omitempty"` // who wants it
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error,omitempty"`
}

// HoldKind is why an agent's slot is taken.
type HoldKind string

// The kinds of hold.
const (
	HoldRinging HoldKind = "ringing"
	HoldActive  HoldKind = "active"
	HoldWrapUp  HoldKind = "wrap_up"
)

// Hold is a slot of an agent that this call has, as a lease: it ends at Until even if nobody is left to end it.
type Hold struct {
	Agent    string    `json:"agent"`
	Kind     HoldKind  `json:"kind"`
	Capacity int       `json:"capacity"` // the agent's, by the rules; an override in the store goes before it
	Until    time.Time `json:"until"`
}

// Key returns the id of a call in the store, URLs, logs and names. The platform's own id contains the caller's number
// and characters that do not fit in a path.
func Key(callID string) string {
	sum := sha256.Sum256([]byte(callID))
	return hex.EncodeToString(sum[:12])
}

// Key returns [Key] of the call's id.
func (c *Call) Key() string { return Key(c.ID) }

// Live reports whether the call has not ended.
func (c *Call) Live() bool { return c.State != Ended }

// Clone returns a copy to change and pass to [Calls.Update] together with the original.
func (c *Call) Clone() *Call {
	n := *c
	n.Offers = slices.Clone(c.Offers)
	n.Holds = slices.Clone(c.Holds)
	n.Trace = slices.Clone(c.Trace)
	n.Facts = slices.Clone(c.Facts)
	n.Transitions = slices.Clone(c.Transitions)
	n.Step = clonePtr(c.Step)
	n.HangUp = clonePtr(c.HangUp)
	n.CallerEnd = clonePtr(c.CallerEnd)
	n.Message = clonePtr(c.Message)
	n.Audio = clonePtr(c.Audio)
	return &n
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// to moves the call to a state and notes when and why.
func (c *Call) to(s State, at time.Time, why string) {
	c.State = s
	c.Transitions = append(c.Transitions, Transition{State: s, At: at, Why: why})
}

// offer returns the call's offer with this id, or nil.
func (c *Call) offer(id string) *Offer {
	for i := range c.Offers {
		if c.Offers[i].ID == id {
			return &c.Offers[i]
		}
	}
	return nil
}

// lastOffer returns the id of the last offer to an agent, or "".
func (c *Call) lastOffer(agent string) string {
	for _, o := range slices.Backward(c.Offers) {
		if o.Agent == agent {
			return o.ID
		}
	}
	return ""
}

// Waits returns the queue in which a call waits: it has been told to wait there, or was offered, and rings nowhere now.
// So one that was declined keeps its place until it is offered again.
func (c *Call) Waits() (queue string, ok bool) {
	lapsed := c.State == Offered && len(c.Offers) > 0 && !c.pending()
	if c.Step == nil || c.State != Waiting && !lapsed {
		return "", false
	}
	return c.Step.Queue, true
}

// pending reports whether any offer still rings.
func (c *Call) pending() bool {
	return slices.ContainsFunc(c.Offers, func(o Offer) bool { return o.Result == "" })
}

// lateAfter returns when the call counts as late: its answer window is over, and so is the time that its last action may
// take. It is the Due of a call that waits or rings at agents: until then its owner looks after it, and if the owner is
// gone the sweep finds it by that.
func (c *Call) lateAfter(t Timing) time.Time { return c.Deadline.Add(t.Lease) }

// settleOffers gives every pending offer a result.
func (c *Call) settleOffers(r OfferResult, at time.Time) {
	for i := range c.Offers {
		if c.Offers[i].Result == "" {
			c.Offers[i].Result, c.Offers[i].ResultAt = r, at
		}
	}
}

// release gives up the slots of every agent that keep does not name.
func (c *Call) release(keep string) {
	c.Holds = slices.DeleteFunc(c.Holds, func(h Hold) bool { return h.Agent != keep })
}

// end closes the call with its one outcome. An agent who was talking keeps the slot for the wrap-up.
func (c *Call) end(o Outcome, why string, at time.Time) {
	c.Outcome, c.Why, c.EndedAt = o, why, at
	if c.HangUp != nil {
		c.HungUpBy = c.HangUp.By
	}
	c.to(Ended, at, why)
	c.settleOffers(OfferEnded, at)
	var wrap []Hold
	for _, h := range c.Holds {
		if h.Kind == HoldActive && c.WrapUp > 0 && !c.ActiveAt.IsZero() {
			h.Kind, h.Until = HoldWrapUp, at.Add(c.WrapUp)
			wrap = append(wrap, h)
		}
	}
	c.Holds = wrap
	c.Due, c.Step, c.HangUp = time.Time{}, nil, nil
	c.Offer, c.AnswerSDP = "", ""
}
