package engine

import (
	"fmt"
	"slices"

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
	doLook     = "" // only the agent's presence is noted
)

// judge says what is to be done about a call whose Due has come.
func (e *Engine) judge(c *Call, alive []string) Verdict {
	now := e.Now()
	// A store that forgot who lives, this instance too, or that was away, is no witness of a death.
	ownerGone := !slices.Contains(alive, c.Owner) && slices.Contains(alive, e.instance) && e.sure()
	late := now.After(c.Deadline.Add(e.Timing.Lease))
	if c.Owner == e.instance { // between its write and its runner there is a moment
		running, _ := e.running(c.Key())
		kept := e.journal.get(c.Key())
		switch {
		case running, kept != nil && !kept.Live(): // what is known of it here is on its way to the store
			ownerGone = false
		default:
			ownerGone = late || now.Sub(c.Due) > e.Timing.StoreWait && e.sure() && kept == nil
		}
	}
	ownerGone = ownerGone || c.Owner == "" // it stopped, and left the call
	switch {
	case c.State == Ended:
	case c.HangUp != nil && now.Sub(c.HangUp.Since) >= hangUpFor:
		return Verdict{c, doEnd, fmt.Sprintf("Positus has not confirmed the hang-up for %s: %s", hangUpFor, c.HangUp.Error)}
	case c.HangUp != nil:
		return Verdict{c, doAgain, fmt.Sprintf("the hang-up is not confirmed after %d attempts: %s", c.HangUp.Attempts, c.HangUp.Error)}
	case c.State == Accepting && ownerGone && late:
		return Verdict{c, doHangUp, "the answer window passed, and whether Positus took the accept is not known"}
	case c.State != Active && ownerGone && late:
		return Verdict{c, doEnd, "the answer window passed and nobody carried the action out"}
	case c.State != Active && ownerGone:
		return Verdict{c, doTakeOver, "the instance that had it is gone"}
	case c.State != Active:
	case !now.Before(c.ActiveAt.Add(c.MaxCall)):
		return Verdict{c, doHangUp, fmt.Sprintf("longer than max_call (%s)", c.MaxCall)}
	case c.played() && ownerGone:
		return Verdict{c, doHangUp, "the process that played the audio is gone"}
	case !c.AgentGone.IsZero() && now.Sub(c.AgentGone) >= e.Timing.AgentGone && e.employs(c.Agent):
		return Verdict{c, doHangUp, fmt.Sprintf("agent %s has not been connected for %s", c.Agent, e.Timing.AgentGone)}
	}
	return Verdict{Call: c, Do: doLook}
}

// employs says whether the rules in force have an agent.
func (e *Engine) employs(agent string) bool {
	_, ok := e.Rules().Agent(agent)
	return ok
}

// played says whether a process of ours sends the audio of this call.
func (c *Call) played() bool { return c.Action == rules.Accept && c.Local }
