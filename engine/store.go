package engine

import (
	"context"
	"errors"
	"time"

	"callrouter/rules"
)

// Errors of the store that the engine tells apart. Any other error means that the store could not be reached. A write
// may or may not have happened then.
var (
	// ErrConflict: the call has changed since it was read. Read it again.
	ErrConflict = errors.New("the call has changed since it was read")
	// ErrExists: the store already has a call with this id.
	ErrExists = errors.New("the call is already there")
	// ErrNotFound: the store has no such call, entry or token.
	ErrNotFound = errors.New("not found")
	// ErrDamaged: the stored record of a call makes no sense. The store works, and other calls are not affected.
	ErrDamaged = errors.New("the stored record is damaged; restore the store from a copy to have it back")
	// ErrBusy: an agent's slot could not be taken, because there is none free, or the agent is not connected and
	// available. Nothing was written.
	ErrBusy = errors.New("the agent has no free slot, or is not available")
	// ErrGate: the store may have lost taken slots. It gives out none until every instance had time to write its own
	// back; see [Instances.Beat]. Nothing was written.
	ErrGate = errors.New("the store may have lost data; no agent is rung for some seconds, until instances rewrite it")
)

// StoreError is a failure of the store itself: it cannot be reached, is full, or is broken. A refusal, such as [ErrConflict],
// is none.
type StoreError struct{ Err error }

func (e *StoreError) Error() string { return e.Err.Error() }

func (e *StoreError) Unwrap() error { return e.Err }

// Calls keeps the records of calls. Every method is one atomic step; all are safe for concurrent use.
//
// The store keeps whatever it needs to find calls (by due time, by queue, by caller) in step with the record by itself:
// it compares the record before with the record after.
type Calls interface {
	// Insert writes a new call with revision 1 and counts it for its caller, or returns ErrExists and the stored
	// call, untouched. Of many inserters exactly one succeeds. c itself is not changed.
	Insert(ctx context.Context, c *Call) (existing *Call, err error)
	// Get reads a call by [Key], or returns ErrNotFound or ErrDamaged.
	Get(ctx context.Context, key string) (*Call, error)
	// Update replaces old by next if the call still has old's revision; otherwise it returns ErrConflict.
	//
	// The slots change in the same step. Holds in next and not in old are taken; if one cannot be, Update returns
	// ErrBusy and writes nothing. Holds in both are extended or change their kind. Holds in old and not in next are
	// given back. A ringing hold is only taken from an agent who is connected and available and has fewer slots taken
	// than its capacity. An active hold is kept in any case, since the agent talks. A wrap-up is never refused. Holds
	// expire by the store's clock.
	//
	// A step that takes a ringing slot may name, in Step.Seen, the queue revision it was decided by. If the waiting
	// calls have changed since, Update returns ErrBusy too. ErrGate is possible where ErrBusy is.
	//
	// Update returns next with its new revision, and wakes the topics that the change concerns; see [Wakes]. Repeating
	// an Update whose reply was lost returns ErrConflict: read the call again.
	Update(ctx context.Context, old, next *Call) (*Call, error)
	// Reassert writes back a record as an instance knows it, with its slots, after the store was away or lost data. It
	// merges the record with the stored one; see [Reconcile]. Repeating it is harmless.
	Reassert(ctx context.Context, c *Call) error
	// Due lists the keys of live calls that somebody must look at, by Due: those whose Due is not after t, and, unless
	// alive is nil, all that have an Owner who is not in alive. Calls without an owner count by Due alone.
	Due(ctx context.Context, t time.Time, alive []string, limit int) ([]string, error)
	// CountLive counts live calls.
	CountLive(ctx context.Context) (int, error)
	// List reads records, newest first, or oldest first, and by key where they were received at once. It leaves out
	// damaged ones. Fewer than the limit are all there are; to read on, set After to the cursor of the last one. A list
	// is no snapshot: it is read in short steps, which hold up nobody.
	List(ctx context.Context, f Filter) ([]*Call, error)
	// Purge deletes calls that ended before t, damaged ones too, and returns their number.
	Purge(ctx context.Context, t time.Time) (int, error)
}

// Filter selects calls; a zero field selects all.
type Filter struct {
	State   State
	Outcome Outcome
	Since   time.Time // received at or after
	Caller  string    // [rules.Caller.Key] or [rules.Caller.OtherKey]
	Oldest  bool      // oldest first
	After   Cursor    // behind this place in the list
	Limit   int       // 100 if zero
}

// Cursor is a place in a list: behind the call with this time and key, whether it still exists or not. The zero value
// is the start of the list.
type Cursor struct {
	Received time.Time
	Key      string // [Key]
}

// Cursor returns the place behind the call.
func (c *Call) Cursor() Cursor { return Cursor{Received: c.ReceivedAt, Key: c.Key()} }

// Query selects what a Snapshot holds.
type Query struct {
	Agents []string        // their presence, status and slots
	Queues []string        // who waits in them
	Lists  []string        // whether Caller is on these run-time lists
	Caller string          // [rules.Caller.Key]
	Other  string          // [rules.Caller.OtherKey]: Caller is on a list by it too, and calls under it are Caller's
	Calls  []time.Duration // how many calls with one of both keys were received within each of these, but for Except
	Except string          // a call's [Key]
}

// Snapshot is what the store held at one instant.
type Snapshot struct {
	Agents map[string]AgentState
	Queues map[string][]Waiter // in order of arrival
	Revs   map[string]int64    // of the queues, never 0; one changes whenever a call begins or ends waiting in it
	Listed map[string]bool
	Calls  map[time.Duration]int
}

// AgentState is an agent's state in the store. An agent that the store does not know is offline and has no slots taken.
type AgentState struct {
	Connected     bool // a stream of events holds a presence lease
	Away          bool
	Reason        string // why away
	Missed        int    // offers missed in a row
	Slots         []Slot // taken and not expired
	WrapUpUntil   time.Time
	Capacity      *int // set by hand, until CapacityUntil by the clock on the wall; nil once that is over
	CapacityUntil time.Time
	OfferedAt     time.Time // when a call was last offered
	IdleSince     time.Time // when a call last ended, or, if later, when the agent became available
}

// Slot is one taken slot.
type Slot struct {
	Call  string // [Key]
	Kind  HoldKind
	Until time.Time
}

// Waiter is a call that waits in a queue; see [Call.Waits].
type Waiter struct {
	Key     string
	Joined  time.Time
	Version string   // of the rules with which it began, and which name the agents it waits for
	Agents  []string // the agents it waits for, in records of before there was Version
	Rung    []string // those who were already offered it
	Owner   string
}

// Agents keeps the run-time state of agents, by their name in the rules.
type Agents interface {
	// Snapshot reads everything in q in one round trip.
	Snapshot(ctx context.Context, q Query) (Snapshot, error)
	// Present renews the lease of one connection of an agent. Several connections are one agent. The first connection
	// ever makes the agent available; later the status last set holds.
	Present(ctx context.Context, agent, connection string, lease time.Duration) error
	// Absent ends the lease of one connection.
	Absent(ctx context.Context, agent, connection string) error
	// SetStatus sets an agent away or available and forgets missed offers.
	SetStatus(ctx context.Context, agent string, away bool, reason string) error
	// SetCapacity overrides the capacity of the rules until an instant; nil takes it back.
	SetCapacity(ctx context.Context, agent string, capacity *int, until time.Time) error
	// Missed counts an offer that rang out. Repeating it for the same offer counts once. It returns the number missed
	// in a row, and sets the agent away with the reason once that reaches limit (0: never).
	Missed(ctx context.Context, agent, offer string, limit int, reason string) (n int, err error)
	// Answered forgets missed offers.
	Answered(ctx context.Context, agent string) error
	// SetToken replaces the hash of an agent's token; AgentByToken finds the agent, or returns ErrNotFound.
	SetToken(ctx context.Context, agent, hash string) error
	AgentByToken(ctx context.Context, hash string) (string, error)
	// Token returns the hash of an agent's token, or ErrNotFound if the agent has none.
	Token(ctx context.Context, agent string) (hash string, err error)
}

// Overrides keeps what is set at run time and read with every call: switches of hours and entries of lists.
type Overrides interface {
	Switches(ctx context.Context) (map[string]rules.Switch, error)
	SetSwitch(ctx context.Context, hours string, s rules.Switch) error
	ClearSwitch(ctx context.Context, hours string) error
	Entries(ctx context.Context, list string) ([]rules.Entry, error)
	AllEntries(ctx context.Context, lists []string) (map[string][]rules.Entry, error)
	PutEntry(ctx context.Context, list string, e rules.Entry) error
	DeleteEntry(ctx context.Context, list, key string) error // ErrNotFound if it was not there
}

// Versions keeps the rules files that were in force, so that what they decided can be explained later. What is kept is
// opaque.
type Versions interface {
	// PutVersion keeps the files of a version, packed, in place of what was kept of it, and does what TouchVersion
	// does.
	PutVersion(ctx context.Context, version string, packed []byte) error
	// TouchVersion says that a version is in force now. Purge forgets a version a day after the records that may name
	// it. ErrNotFound: nothing is kept of it.
	TouchVersion(ctx context.Context, version string) error
	// Version returns what is kept of a version, or ErrNotFound.
	Version(ctx context.Context, version string) ([]byte, error)
}

// Limits limits how often something happens.
type Limits interface {
	// Once returns true to the first who asks for a key within a duration, and false to all others.
	Once(ctx context.Context, key string, every time.Duration) (bool, error)
}

// Instances knows which processes of this router are alive.
type Instances interface {
	// Beat renews the lease of an instance. It returns the store's epoch, which changes when the store may have lost
	// data: it was emptied, restarted, or replaced by a replica that lags. After a change the store gives out no slot
	// for the length of its gate, while every instance writes its calls back with [Calls.Reassert]. Beat also returns
	// the store's time, which is the same for all instances and, while calls live, does not jump when a clock is set.
	Beat(ctx context.Context, instance string, lease time.Duration) (epoch string, at time.Time, err error)
	// Leave ends the lease of an instance that has stopped.
	Leave(ctx context.Context, instance string) error
	// Alive lists the instances whose lease has not run out.
	Alive(ctx context.Context) ([]string, error)
}

// Wakes announces that something changed; the receiver must read what. A wake may be lost, so a waiter also reads again
// after a while. Topics are made by the Topic functions.
type Wakes interface {
	// OnWake sets the function that is called with each topic, from any goroutine; it must not block.
	OnWake(func(topic string))
	// Wake calls the OnWake function of all instances.
	Wake(ctx context.Context, topic string) error
}

// TopicCall is woken when the call with this key changes.
func TopicCall(key string) string { return "call:" + key }

// TopicAgent is woken when an agent's offers, calls or status change.
func TopicAgent(agent string) string { return "agent:" + agent }

// TopicSlots is woken when a slot of an agent may have become free: one was given back, or the agent came, or is
// available again, or has another capacity. [TopicAllSlots] stands for all agents.
func TopicSlots(agent string) string { return topicSlotsOf + agent }

const topicSlotsOf = "slots:"

// TopicAllSlots is woken when wakes may have been lost.
const TopicAllSlots = "slots"

// TopicLeft is woken when a stopping instance has left a ringing call; the first instance to claim it owns it.
const TopicLeft = "left"

// TopicOverrides is woken when switches or entries of lists change.
const TopicOverrides = "overrides"

// Store is everything that must survive.
type Store interface {
	Calls
	Agents
	Overrides
	Versions
	Limits
	Instances
	Wakes
	// Ping returns nil if the store can be reached.
	Ping(ctx context.Context) error
	Close() error
}
