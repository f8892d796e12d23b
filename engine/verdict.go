package engine

import (
	"fmt"
	"slices"
	"time"

	"callrouter/rules"
)

// Verdict is what the sweep would do with a call.
type Verdict struct {
	Call *Call
	Do   string // "take over", "hang up", "hang up again", "end", "" for nothing
	Why  string
}

// The things a sweep does.
const (
	doTakeOver = "take over"
	doHangUp   = "hang up"
	doAgain    = "hang up again"
	doEnd      = "end"
	doNothing  = "" // or only notes since when the agent of an active call has been gone
)

// suspect is a call that the sweep looks at, with everything that its verdict depends on.
type suspect struct {
	*Call
	now       time.Time
	timing    Timing
	ownerGone bool // no process works on it
	late      bool // the answer window is over, and so is the time that its last action may take
	employed  bool // the rules in force have its agent
}

// verdicts is the sweep's whole policy. The first row whose condition holds decides, so the order matters: a wanted
// hang-up comes before everything else, and a lost owner before the limits of active calls. A call that fits no row is
// left alone.
var verdicts = [...]struct {
	when func(s *suspect) bool
	do   string
	why  func(s *suspect) string
}{
	{(*suspect).over, doNothing, because("")},
	{(*suspect).early, doNothing, because("")},
	{(*suspect).hangUpInVain, doEnd, (*suspect).whyGivenUp},
	{(*suspect).hangingUp, doAgain, (*suspect).whyAgain},
	{(*suspect).acceptUnknown, doHangUp,
		because("the answer window passed, and Positus may or may not have taken the accept")},
	{(*suspect).abandonedLate, doEnd, because("the answer window passed, and no instance carried out the action")},
	{(*suspect).abandoned, doTakeOver, because("the instance that owned the call is gone")},
	{(*suspect).tooLong, doHangUp, (*suspect).whyTooLong},
	{(*suspect).audioGone, doHangUp, because("the process that played the audio is gone")},
	{(*suspect).agentGone, doHangUp, (*suspect).whyAgentGone},
}

// verdict returns what to do with a call, and why. It changes nothing.
func (e *Engine) verdict(c *Call, alive []string) Verdict {
	s := e.suspect(c, alive)
	for _, row := range verdicts {
		if row.when(s) {
			return Verdict{Call: c, Do: row.do, Why: row.why(s)}
		}
	}
	return Verdict{Call: c, Do: doNothing}
}

func (e *Engine) suspect(c *Call, alive []string) *suspect {
	now := e.Now()
	s := &suspect{
		Call: c, now: now, timing: e.Timing, employed: e.employs(c.Agent),
		late: now.After(c.lateAfter(e.Timing)),
	}
	switch {
	case c.Owner == "": // its instance stopped, and left it
		s.ownerGone = true
	case c.Owner == e.instance:
		s.ownerGone = e.neglects(s)
	default:
		// A missing lease proves nothing if the store has lost ours too, or was just away.
		s.ownerGone = !slices.Contains(alive, c.Owner) && slices.Contains(alive, e.instance) && e.mayTakeOver()
	}
	return s
}

// neglects reports whether this instance owns a call that nothing here works on. A call may be without a runner for a
// moment after its first write, and one that only memory has is on its way to the store.
func (e *Engine) neglects(s *suspect) bool {
	running, _ := e.running(s.Key())
	kept := e.replica.keptCall(s.Key())
	switch {
	case running, kept != nil && !kept.Live():
		return false
	case s.late:
		return true
	}
	return kept == nil && s.now.Sub(s.touched()) > e.Timing.StoreWait && e.mayTakeOver()
}

// touched returns when somebody last did something with the call, as far as the record says so.
func (s *suspect) touched() time.Time {
	at := s.ReceivedAt
	if n := len(s.Transitions); n > 0 {
		at = s.Transitions[n-1].At
	}
	if s.Due.After(at) && !s.Due.After(s.now) {
		at = s.Due
	}
	return at
}

func (s *suspect) over() bool { return s.State == Ended }

// early: nothing is due, and the owner, who matters while the call is not active or while it is played to, is there.
func (s *suspect) early() bool {
	needsOwner := s.HangUp == nil && (s.State != Active || s.played())
	return s.now.Before(s.Due) && !(needsOwner && s.ownerGone)
}

func (s *suspect) hangingUp() bool { return s.HangUp != nil }
func (s *suspect) hangUpInVain() bool {
	return s.HangUp != nil && s.now.Sub(s.HangUp.Since) >= hangUpFor
}

// abandoned: no final action is known to have been taken, and nobody goes on with the call.
func (s *suspect) abandoned() bool     { return s.State != Active && s.ownerGone }
func (s *suspect) abandonedLate() bool { return s.abandoned() && s.late }
func (s *suspect) acceptUnknown() bool { return s.abandonedLate() && s.State == Accepting }

func (s *suspect) tooLong() bool {
	return s.State == Active && !s.now.Before(s.ActiveAt.Add(s.MaxCall))
}
func (s *suspect) audioGone() bool { return s.State == Active && s.played() && s.ownerGone }

// agentGone ignores an agent whom a reload removed: that agent cannot connect, and may go on talking.
func (s *suspect) agentGone() bool {
	return s.State == Active && s.employed && !s.AgentGone.IsZero() && s.now.Sub(s.AgentGone) >= s.timing.AgentGone
}

func because(why string) func(*suspect) string { return func(*suspect) string { return why } }

func (s *suspect) whyGivenUp() string {
	return fmt.Sprintf("Positus has not confirmed the hang-up for %s: %s", hangUpFor, s.HangUp.Error)
}

func (s *suspect) whyAgain() string {
	return fmt.Sprintf("the hang-up is not confirmed after %d attempts: %s", s.HangUp.Attempts, s.HangUp.Error)
}

func (s *suspect) whyTooLong() string { return fmt.Sprintf("longer than max_call (%s)", s.MaxCall) }

func (s *suspect) whyAgentGone() string {
	return fmt.Sprintf("agent %s has not been connected for %s", s.Agent, s.timing.AgentGone)
}

// employs reports whether the rules in force have an agent.
func (e *Engine) employs(agent string) bool {
	_, ok := e.Rules().Agent(agent)
	return ok
}

// played reports whether a process of ours sends the audio of this call.
func (c *Call) played() bool { return c.Action == rules.Accept && c.Local }
