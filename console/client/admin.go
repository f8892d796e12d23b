package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"callrouter/console"
)

const api = "/api/v1/"

// path joins the parts of a path, escaped: ids of calls may have any characters.
func path(parts ...string) string {
	joined := api
	for i, p := range parts {
		if i > 0 {
			joined += "/"
		}
		joined += url.PathEscape(p)
	}
	return joined
}

// Agents returns all agents of the rules file.
func (c *Client) Agents(ctx context.Context) ([]console.Agent, error) {
	var reply console.Agents
	err := c.do(ctx, http.MethodGet, path("agents"), nil, &reply)
	return reply.Agents, err
}

// PatchAgent changes an agent, and returns the agent as changed.
func (c *Client) PatchAgent(ctx context.Context, agent string, p console.AgentPatch) (console.Agent, error) {
	var reply console.Agent
	err := c.do(ctx, http.MethodPatch, path("agents", agent), p, &reply)
	return reply, err
}

// NewToken makes a new token for an agent. The old one stops working.
func (c *Client) NewToken(ctx context.Context, agent string) (string, error) {
	var reply console.Token
	err := c.do(ctx, http.MethodPost, path("agents", agent, "token"), nil, &reply)
	return reply.Token, err
}

// NewLink makes a link that signs an agent in to the console once. The agent's token stays as it is.
func (c *Client) NewLink(ctx context.Context, agent string) (console.Link, error) {
	var reply console.Link
	err := c.do(ctx, http.MethodPost, path("agents", agent, "link"), nil, &reply)
	return reply, err
}

// Filter selects calls. What is empty selects all.
type Filter struct {
	State   string
	Outcome string
	Since   string // received since then: a time, or a duration back from now
	Caller  string // a phone number in any spelling, or id: and a user id
	Limit   int    // 0: the router's own limit
	Oldest  bool   // the oldest first, not the newest
	Cursor  string // the Next of the page before, for the page that follows it
}

func (f Filter) query() string {
	q := url.Values{}
	for name, v := range map[string]string{
		"state": f.State, "outcome": f.Outcome, "since": f.Since, "caller": f.Caller,
		"cursor": f.Cursor,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	if f.Oldest {
		q.Set("order", "oldest")
	}
	return "?" + q.Encode()
}

// Calls returns the calls that a filter selects.
func (c *Client) Calls(ctx context.Context, f Filter) ([]console.Record, error) {
	page, err := c.CallPage(ctx, f)
	return page.Calls, err
}

// CallPage returns the calls that a filter selects, and the cursor of those that follow.
func (c *Client) CallPage(ctx context.Context, f Filter) (console.Calls, error) {
	var reply console.Calls
	err := c.do(ctx, http.MethodGet, path("calls")+f.query(), nil, &reply)
	return reply, err
}

// Call returns a call by WhatsApp's id or by its key in logs.
func (c *Client) Call(ctx context.Context, id string) (console.Record, error) {
	var reply console.Record
	err := c.do(ctx, http.MethodGet, path("calls", id), nil, &reply)
	return reply, err
}

// Stale returns the calls that the sweep finds stuck.
func (c *Client) Stale(ctx context.Context) ([]console.StaleCall, error) {
	var reply console.StaleCalls
	err := c.do(ctx, http.MethodGet, path("calls", "stale"), nil, &reply)
	return reply.Calls, err
}

// HangUp ends an active call: any with the admin token, the agent's own with an agent's. It returns once Positus has
// confirmed the hang-up.
func (c *Client) HangUp(ctx context.Context, id string) (console.HungUp, error) {
	var reply console.HungUp
	err := c.do(ctx, http.MethodPost, path("calls", id, "hang-up"), nil, &reply)
	return reply, err
}

// Lists returns all lists of the rules file, with their entries.
func (c *Client) Lists(ctx context.Context) ([]console.List, error) {
	var reply console.Lists
	err := c.do(ctx, http.MethodGet, path("lists"), nil, &reply)
	return reply.Lists, err
}

// List returns one list with its entries.
func (c *Client) List(ctx context.Context, list string) (console.List, error) {
	var reply console.List
	err := c.do(ctx, http.MethodGet, path("lists", list), nil, &reply)
	return reply, err
}

// PutEntry puts a caller on a list, and returns the entry.
func (c *Client) PutEntry(ctx context.Context, list, caller string, e console.EntryRequest) (console.Entry, error) {
	var reply console.Entry
	err := c.do(ctx, http.MethodPut, path("lists", list, caller), e, &reply)
	return reply, err
}

// DeleteEntry removes a caller who was put on a list at run time.
func (c *Client) DeleteEntry(ctx context.Context, list, caller string) error {
	return c.do(ctx, http.MethodDelete, path("lists", list, caller), nil, nil)
}

// Hours returns all hours of the rules file.
func (c *Client) Hours(ctx context.Context) ([]console.Switch, error) {
	var reply console.Hours
	err := c.do(ctx, http.MethodGet, path("hours"), nil, &reply)
	return reply.Hours, err
}

// Switch returns the hours with a name.
func (c *Client) Switch(ctx context.Context, hours string) (console.Switch, error) {
	var reply console.Switch
	err := c.do(ctx, http.MethodGet, path("hours", hours, "switch"), nil, &reply)
	return reply, err
}

// SetSwitch switches hours open or closed until a time, and returns them as switched.
func (c *Client) SetSwitch(ctx context.Context, hours string, s console.SwitchRequest) (console.Switch, error) {
	var reply console.Switch
	err := c.do(ctx, http.MethodPut, path("hours", hours, "switch"), s, &reply)
	return reply, err
}

// ClearSwitch lets the plan of hours apply again. There need not be a switch.
func (c *Client) ClearSwitch(ctx context.Context, hours string) error {
	return c.do(ctx, http.MethodDelete, path("hours", hours, "switch"), nil, nil)
}

// Rules returns which rules are in force, and why a newer file was refused.
func (c *Client) Rules(ctx context.Context) (console.Rules, error) {
	var reply console.Rules
	err := c.do(ctx, http.MethodGet, path("rules"), nil, &reply)
	return reply, err
}

// Reload makes the router read the rules file again. If the router refuses the file, the error is an *Error with status
// 422, and the reply has the problems and the version that stays in force.
func (c *Client) Reload(ctx context.Context) (console.ReloadedRules, error) {
	var reply console.ReloadedRules
	err := c.do(ctx, http.MethodPost, path("rules", "reload"), nil, &reply)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusUnprocessableEntity {
		return reply, errors.Join(err, json.Unmarshal(e.Body, &reply))
	}
	return reply, err
}

// Backup writes a copy of the router's store to w. An error means that the copy is not whole.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, http.MethodGet, path("store", "backup"), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the copy of the store is not whole: %w", err)
	}
	return nil
}
