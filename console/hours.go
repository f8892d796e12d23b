package console

import (
	"net/http"
	"slices"
	"time"

	"callrouter/rules"
)

// The states of a switch.
const (
	SwitchOpen   = "open"
	SwitchClosed = "closed"
)

// Hours is the reply of GET /api/v1/hours.
type Hours struct {
	Hours []Switch `json:"hours"`
}

// Switch is the switch of hours; state is null while there is none and the plan applies.
type Switch struct {
	Hours  string     `json:"hours"`
	Open   bool       `json:"open"` // now, by the switch or the plan
	State  *string    `json:"state"`
	Until  *time.Time `json:"until"`
	Reason string     `json:"reason"`
}

func (a *api) newSwitch(hours string, s rules.Switch, set bool) Switch {
	info := Switch{Hours: hours}
	rt := rules.Runtime{Switches: map[string]rules.Switch{}}
	if set {
		rt.Switches[hours] = s
	}
	info.Open, _ = a.Engine.Rules().Open(hours, a.Now(), &rt)
	if !set {
		return info
	}
	state := SwitchClosed
	if s.Open {
		state = SwitchOpen
	}
	info.State, info.Until, info.Reason = &state, &s.Until, s.Reason
	return info
}

func (a *api) listHours(w http.ResponseWriter, r *http.Request, _ identity) error {
	switches, err := a.Store.Switches(r.Context())
	if err != nil {
		return err
	}
	infos := []Switch{}
	for _, name := range a.Engine.Rules().HoursNames() {
		s, set := switches[name]
		infos = append(infos, a.newSwitch(name, s, set))
	}
	return reply(w, http.StatusOK, Hours{infos})
}

// hours finds the hours that a path names.
func (a *api) hours(r *http.Request) (string, error) {
	name, names := r.PathValue("hours"), a.Engine.Rules().HoursNames()
	if !slices.Contains(names, name) {
		return "", unknown("hours", name, names)
	}
	return name, nil
}

func (a *api) getSwitch(w http.ResponseWriter, r *http.Request, _ identity) error {
	name, err := a.hours(r)
	if err != nil {
		return err
	}
	switches, err := a.Store.Switches(r.Context())
	if err != nil {
		return err
	}
	s, set := switches[name]
	return reply(w, http.StatusOK, a.newSwitch(name, s, set))
}

// SwitchRequest is the body that sets a switch.
type SwitchRequest struct {
	State  string `json:"state"` // open or closed
	Until  string `json:"until"` // a time, or a duration from now
	Reason string `json:"reason,omitempty"`
}

func (a *api) putSwitch(w http.ResponseWriter, r *http.Request, _ identity) error {
	name, err := a.hours(r)
	if err != nil {
		return err
	}
	var body SwitchRequest
	if err := read(w, r, bodyLimit, &body, "state, until, reason"); err != nil {
		return err
	}
	if body.State != SwitchOpen && body.State != SwitchClosed {
		return invalid("invalid_state", "unknown state %q; use open or closed", body.State)
	}
	s := rules.Switch{Open: body.State == SwitchOpen, Reason: body.Reason}
	if s.Until, err = a.until(body.Until, "a switch"); err != nil {
		return err
	}
	if err := a.Store.SetSwitch(r.Context(), name, s); err != nil {
		return err
	}
	a.refresh(r.Context())
	a.Logger.Info("the administrator switched hours", "hours", name, "state", body.State, "until", s.Until)
	return reply(w, http.StatusOK, a.newSwitch(name, s, true))
}

// deleteSwitch removes a switch, so that the plan applies again. It succeeds without a switch, too.
func (a *api) deleteSwitch(w http.ResponseWriter, r *http.Request, _ identity) error {
	name, err := a.hours(r)
	if err != nil {
		return err
	}
	if err := a.Store.ClearSwitch(r.Context(), name); err != nil {
		return err
	}
	a.refresh(r.Context())
	a.Logger.Info("the administrator cleared a switch of hours", "hours", name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
