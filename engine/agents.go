package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callrouter/rules"
)

// AgentView is what an agent's screen shows.
type AgentView struct {
	State  AgentState
	Offers []OfferedCall // pending
	Calls  []*Call       // accepted or being accepted
	WrapUp *Call         // the ended call whose wrap-up lasts longest, or nil
}

// OfferedCall is an offer with its call.
type OfferedCall struct {
	Offer Offer
	Call  *Call
}

// View returns what an agent's screen shows.
func (e *Engine) View(ctx context.Context, agent string) (AgentView, error) {
	s, err := e.Store.Snapshot(ctx, Query{Agents: []string{agent}})
	if err != nil {
		return AgentView{}, err
	}
	v := AgentView{State: s.Agents[agent]}
	for _, slot := range v.State.Slots {
		c, err := e.Store.Get(ctx, slot.Call)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return AgentView{}, err
		}
		if slot.Kind == HoldWrapUp && slot.Until.Equal(v.State.WrapUpUntil) {
			v.WrapUp = c
			continue
		}
		if c.Agent == agent && c.Live() {
			e.replica.note(c, e.Now())
			v.Calls = append(v.Calls, c)
			continue
		}
		for _, o := range c.Offers {
			if o.Agent == agent && o.Result == "" && c.State == Offered && e.Now().Before(o.RingsUntil) {
				v.Offers = append(v.Offers, OfferedCall{o, c})
			}
		}
	}
	return v, nil
}

// Present keeps an agent present through one connection until ctx ends. Presence is a lease, so it also ends when the
// process dies.
func (e *Engine) Present(ctx context.Context, agent, connection string) error {
	if err := e.Store.Present(ctx, agent, connection, e.Timing.Lease); err != nil {
		return err
	}
	e.background(func(stop context.Context) {
		tick := time.NewTicker(e.Timing.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := e.Store.Present(ctx, agent, connection, e.Timing.Lease); err != nil && ctx.Err() == nil {
					e.report(
						"presence",
						"cannot renew an agent's presence; the agent soon gets no calls; check the store",
						err,
						"agent",
						agent,
					)
				}
			case <-ctx.Done():
				e.absent(agent, connection)
				return
			case <-stop.Done():
				return
			}
		}
	})
	return nil
}

func (e *Engine) absent(agent, connection string) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.StoreWait)
	defer cancel()
	if err := e.Store.Absent(ctx, agent, connection); err != nil {
		e.log.Warn("cannot store that an agent disconnected; the lease ends the presence", "agent", agent, "error", err)
	}
}

// AgentInfo is an agent in the rules with its state in the store.
type AgentInfo struct {
	rules.Agent
	State AgentState
	Held  []string // ids of calls that ring or are active
}

// Agents returns every agent of the rules.
func (e *Engine) Agents(ctx context.Context) ([]AgentInfo, error) {
	f := e.Rules()
	var q Query
	for _, a := range f.Agents() {
		q.Agents = append(q.Agents, a.ID)
	}
	s, err := e.Store.Snapshot(ctx, q)
	if err != nil {
		return nil, err
	}
	infos := make([]AgentInfo, 0, len(q.Agents))
	for _, a := range f.Agents() {
		info := AgentInfo{Agent: a, State: s.Agents[a.ID], Held: []string{}}
		info.Capacity = info.State.CapacityNow(a.Capacity)
		for _, slot := range info.State.Slots {
			if slot.Kind == HoldWrapUp {
				continue
			}
			c, err := e.Store.Get(ctx, slot.Call)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("reading a call that %s holds: %w", a.ID, err)
			}
			info.Held = append(info.Held, c.ID)
		}
		infos = append(infos, info)
	}
	return infos, nil
}
