package console

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// The statuses of an agent.
const (
	StatusAvailable = "available"
	StatusAway      = "away"
	StatusOffline   = "offline"
)

// maxCapacity keeps a slip of the finger from ringing one agent a thousand times.
const maxCapacity = 100

// Agents is the reply of GET /api/v1/agents.
type Agents struct {
	Agents []Agent `json:"agents"` // in the order of the rules file
}

// Agent is an agent as the administrator sees it.
type Agent struct {
	Agent         string     `json:"agent"`
	Name          string     `json:"name"`
	Status        string     `json:"status"` // available, away or offline
	Reason        string     `json:"reason"` // why away
	Capacity      int        `json:"capacity"`
	CapacityUntil *time.Time `json:"capacity_until"` // null: it is the file's
	Held          []string   `json:"held"`           // ids of calls that ring or are active
	WrapUpUntil   *time.Time `json:"wrap_up_until"`
	Missed        int        `json:"missed"` // offers in a row
}

func (a *api) newAgentInfo(i engine.AgentInfo) Agent {
	info := Agent{
		Agent: i.ID, Name: i.Name, Status: statusOf(i.State), Capacity: i.Capacity, Held: i.Held,
		Missed: i.State.Missed,
	}
	if !i.State.Connected {
		info.Status = StatusOffline
	}
	if i.State.Away {
		info.Reason = i.State.Reason
	}
	if i.State.Capacity != nil && !i.State.CapacityUntil.IsZero() {
		info.CapacityUntil = &i.State.CapacityUntil
	}
	if i.State.WrapUpUntil.After(a.Engine.Now()) {
		info.WrapUpUntil = &i.State.WrapUpUntil
	}
	return info
}

// statusOf is the status that was set, which holds whether the agent is connected or not.
func statusOf(s engine.AgentState) string {
	if s.Away {
		return StatusAway
	}
	return StatusAvailable
}

// nameOf returns an agent's name in the rules file, or the id of one who is no longer in it.
func (a *api) nameOf(agent string) string {
	if in, ok := a.Engine.Rules().Agent(agent); ok && in.Name != "" {
		return in.Name
	}
	return agent
}

func (a *api) agentInfos(ctx context.Context) ([]Agent, error) {
	all, err := a.Engine.Agents(ctx)
	if err != nil {
		return nil, err
	}
	infos := make([]Agent, 0, len(all))
	for _, i := range all {
		infos = append(infos, a.newAgentInfo(i))
	}
	return infos, nil
}

func (a *api) listAgents(w http.ResponseWriter, r *http.Request, _ identity) error {
	infos, err := a.agentInfos(r.Context())
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, Agents{infos})
}

// agent finds the agent that a path names.
func (a *api) agent(r *http.Request) (rules.Agent, error) {
	id := r.PathValue("agent")
	f := a.Engine.Rules()
	agent, ok := f.Agent(id)
	if !ok {
		return agent, unknown("agent", id, namesOf(f.Agents(), func(x rules.Agent) string { return x.ID }))
	}
	return agent, nil
}

// Token is a new token of an agent.
type Token struct {
	Agent string `json:"agent"`
	Token string `json:"token"`
}

// newToken makes a new token for an agent. The old one stops working. No later request shows the token again.
func (a *api) newToken(w http.ResponseWriter, r *http.Request, _ identity) error {
	agent, err := a.agent(r)
	if err != nil {
		return err
	}
	token, hash := generateToken()
	if err := a.Store.SetToken(r.Context(), agent.ID, hash); err != nil {
		return err
	}
	a.Logger.Info("made a new token for an agent; the old one no longer works", "agent", agent.ID)
	return reply(w, http.StatusOK, Token{Agent: agent.ID, Token: token})
}

// AgentPatch changes an agent. What is left out stays as it is.
type AgentPatch struct {
	Status   string        `json:"status,omitempty"`  // available or away
	Reason   string        `json:"reason,omitempty"`  // why away
	Capacity Optional[int] `json:"capacity,omitzero"` // calls at once; null: what the rules file says
	Until    string        `json:"until,omitempty"`   // end of the capacity: a time, or a duration from now
}

func (a *api) patchAgent(w http.ResponseWriter, r *http.Request, _ identity) error {
	agent, err := a.agent(r)
	if err != nil {
		return err
	}
	var p AgentPatch
	if err := read(w, r, bodyLimit, &p, "status, reason, capacity, until"); err != nil {
		return err
	}
	until, err := a.checkPatch(p)
	if err != nil {
		return err
	}
	if p.Status != "" {
		if err := a.setStatus(r.Context(), agent.ID, p.Status, p.Reason); err != nil {
			return err
		}
		a.Logger.Info("the administrator set an agent's status", "agent", agent.ID, "status", p.Status)
	}
	if p.Capacity.Set {
		if err := a.Store.SetCapacity(r.Context(), agent.ID, p.Capacity.Value, until); err != nil {
			return err
		}
		a.Logger.Info("the administrator set an agent's capacity", "agent", agent.ID,
			"capacity", p.Capacity.Value, "until", until)
	}
	infos, err := a.agentInfos(r.Context())
	if err != nil {
		return err
	}
	for _, info := range infos {
		if info.Agent == agent.ID {
			return reply(w, http.StatusOK, info)
		}
	}
	return unknown("agent", agent.ID, nil) // the file was reloaded meanwhile
}

// checkPatch checks a patch as a whole, so that a wrong one changes nothing. It returns when the capacity ends.
func (a *api) checkPatch(p AgentPatch) (until time.Time, err error) {
	switch {
	case p.Status == "" && !p.Capacity.Set:
		return until, invalid("nothing_to_change",
			"send status (available or away, with a reason) or capacity (with until), or both")
	case p.Status == "" && p.Reason != "":
		return until, invalid("status_required", "a reason goes with a status")
	case p.Until != "" && !p.Capacity.Set:
		return until, invalid("capacity_required", "until goes with a capacity: a status holds until it is set again")
	}
	if p.Status != "" {
		if err := checkStatus(p.Status); err != nil {
			return until, err
		}
	}
	if !p.Capacity.Set || p.Capacity.Value == nil {
		return until, nil
	}
	if n := *p.Capacity.Value; n < 0 || n > maxCapacity {
		return until, invalid("invalid_capacity",
			"capacity %d is not between 0 and %d; send null to go back to the rules file's", n, maxCapacity)
	}
	return a.until(p.Until, "a capacity set by hand")
}

func checkStatus(s string) error {
	switch s {
	case StatusAvailable, StatusAway:
		return nil
	case StatusOffline:
		return invalid("invalid_status",
			"an agent is offline while no stream of events is connected; set away or available")
	}
	return invalid("invalid_status", "unknown status %q; use available or away", s)
}

// setStatus keeps the reason only of an agent who is away.
func (a *api) setStatus(ctx context.Context, agent, status, reason string) error {
	if status != StatusAway {
		reason = ""
	}
	return a.Store.SetStatus(ctx, agent, status == StatusAway, reason)
}

// unknown is a name in a path that the rules file does not have.
func unknown(what, name string, known []string) error {
	text := fmt.Sprintf("the rules file has no %s %q", what, name)
	if len(known) > 0 {
		text += "; it has: " + joinSome(known)
	}
	return problem(http.StatusNotFound, "unknown_"+what, text)
}
