package positus

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"callrouter/engine"
)

// Permissions tells whether a user may be called, or asked for permission (Meta: user call permissions).
type Permissions struct {
	Status  string    // no_permission, temporary or permanent; no_permission too for a number that cannot be called
	Expires time.Time // of a temporary permission; zero otherwise
	Actions []PermittedAction
}

// PermittedAction is one thing that can be done, and how often.
type PermittedAction struct {
	Name    string // start_call, or send_call_permission_request
	Allowed bool   // now
	Limits  []PermissionLimit
}

// PermissionLimit is how often an action is allowed within a period. WhatsApp changes the figures: never write one into
// code.
type PermissionLimit struct {
	Period  string // ISO 8601, such as PT24H
	Max     int
	Used    int
	Expires time.Time // when the next is allowed; zero if it was not sent
}

// CanCall reports whether a call may be started now.
func (p Permissions) CanCall() bool {
	for _, a := range p.Actions {
		if a.Name == "start_call" {
			return a.Allowed
		}
	}
	return false
}

// CallPermissions returns whether a user may be called. WhatsApp limits the number of such requests (code 613, Meta:
// troubleshooting).
func (c *Client) CallPermissions(ctx context.Context, numberID, userWaID string) (Permissions, error) {
	body, err := c.do(ctx, request{
		kind: permissions, method: http.MethodGet, path: numberPath(numberID) + "/calls/call-permissions",
		query: url.Values{"user_wa_id": {userWaID}},
	})
	if err != nil {
		return Permissions{}, err
	}
	response, err := decodeObject(body)
	if err != nil {
		return Permissions{}, failure(permissions, engine.Unavailable,
			"the response has nothing in it: ask Positus whether the API has changed", err)
	}
	// Positus wraps WhatsApp's response.
	if response.has("calling") {
		response = response.object("calling")
	}
	if !response.has("permission") {
		return Permissions{}, failure(permissions, engine.Unavailable, "the response has no permission in it: "+
			"ask Positus whether the API has changed", nil)
	}
	permission := response.object("permission")
	p := Permissions{Status: permission.text("status"), Expires: permission.instant("expiration_time")}
	for _, a := range response.objects("actions") {
		action := PermittedAction{Name: a.text("action_name"), Allowed: a.flag("can_perform_action")}
		for _, l := range a.objects("limits") {
			action.Limits = append(action.Limits, PermissionLimit{
				Period:  l.text("time_period"),
				Max:     int(l.integer("max_allowed")),
				Used:    int(l.integer("current_usage")),
				Expires: l.instant("limit_expiration_time"),
			})
		}
		p.Actions = append(p.Actions, action)
	}
	return p, nil
}
