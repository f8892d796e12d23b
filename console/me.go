package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"time"

	"callrouter/engine"
)

// Me is an agent as the agent sees it.
type Me struct {
	Agent     string `json:"agent"`
	Name      string `json:"name"`
	Status    string `json:"status"`    // available or away: what was last set
	Reason    string `json:"reason"`    // why away
	Connected bool   `json:"connected"` // a stream of events is open, so calls can be offered

	Now         time.Time       `json:"now"` // the router's time
	Queues      []string        `json:"queues"`
	Capacity    int             `json:"capacity"`
	Missed      int             `json:"missed"` // offers in a row
	WrapUpUntil *time.Time      `json:"wrap_up_until"`
	Calls       []MyCall        `json:"calls"`    // that go on
	Language    string          `json:"language"` // of the rules file: pt or en
	Timezone    string          `json:"timezone"`
	ICEServers  json.RawMessage `json:"ice_servers"` // for RTCPeerConnection
}

func (a *api) getMe(w http.ResponseWriter, r *http.Request, who identity) error {
	v, err := a.Engine.View(r.Context(), who.agent)
	if err != nil {
		return err
	}
	f, now := a.Engine.Rules(), a.Engine.Now()
	m := Me{
		Agent: who.agent, Name: a.nameOf(who.agent), Status: statusOf(v.State), Connected: v.State.Connected,
		Now: now, Queues: queuesOf(f, who.agent), Missed: v.State.Missed, Calls: []MyCall{}, Language: f.Language(),
		Timezone: f.Location().String(), ICEServers: a.ICEServers,
	}
	if v.State.Away {
		m.Reason = v.State.Reason
	}
	if agent, ok := f.Agent(who.agent); ok {
		m.Capacity = v.State.CapacityNow(agent.Capacity)
	}
	if v.State.WrapUpUntil.After(now) {
		m.WrapUpUntil = &v.State.WrapUpUntil
	}
	for _, c := range v.Calls {
		if mine, ok := newMyCall(c, who.agent); ok {
			m.Calls = append(m.Calls, mine)
		}
	}
	if m.ICEServers == nil {
		m.ICEServers = json.RawMessage("[]")
	}
	return reply(w, http.StatusOK, m)
}

// StatusRequest is the body with which an agent sets the own status.
type StatusRequest struct {
	Status string `json:"status"`           // available or away
	Reason string `json:"reason,omitempty"` // why away
}

func (a *api) putMe(w http.ResponseWriter, r *http.Request, who identity) error {
	var body StatusRequest
	if err := read(w, r, bodyLimit, &body, "status, reason"); err != nil {
		return err
	}
	if err := checkStatus(body.Status); err != nil {
		return err
	}
	if err := a.setStatus(r.Context(), who.agent, body.Status, body.Reason); err != nil {
		return err
	}
	return a.getMe(w, r, who)
}

// AnswerRequest is the body that picks up the call of an offer.
type AnswerRequest struct {
	SDP string `json:"sdp"`           // the SDP answer to the offer's SDP
	Tab string `json:"tab,omitempty"` // the name of the window, if it has one
}

// Answered is the reply to an agent who got the call of an offer.
type Answered struct {
	Offer  string             `json:"offer"`
	Result engine.OfferResult `json:"result"`
}

// answerOffer connects the call of an offer. It returns once Positus took the accept.
func (a *api) answerOffer(w http.ResponseWriter, r *http.Request, who identity) error {
	var body AnswerRequest
	if err := read(w, r, sdpLimit, &body, "sdp, the SDP answer"); err != nil {
		return err
	}
	if err := checkTab(body.Tab); err != nil {
		return err
	}
	if err := a.Engine.AnswerIn(r.Context(), who.agent, r.PathValue("offer"), body.SDP, body.Tab); err != nil {
		return offerError(err)
	}
	return reply(w, http.StatusOK, Answered{Offer: r.PathValue("offer"), Result: engine.OfferAnswered})
}

// tabs are the names that windows may have.
var tabs = regexp.MustCompile(`^[A-Za-z0-9-]{8,64}$`)

func checkTab(tab string) error {
	if tab != "" && !tabs.MatchString(tab) {
		return invalid("invalid_tab", "tab %q is not 8 to 64 letters, digits and hyphens", tab)
	}
	return nil
}

// Ringing is the body with which a page confirms that an offer rings.
type Ringing struct {
	Tab string `json:"tab,omitempty"`
}

// ringing notes that a page shows an offer; see ackWithin.
func (a *api) ringing(w http.ResponseWriter, r *http.Request, who identity) error {
	var body Ringing
	if _, err := readOptional(w, r, bodyLimit, &body, "tab"); err != nil {
		return err
	}
	if err := a.Engine.Rings(r.Context(), who.agent, r.PathValue("offer")); err != nil {
		return offerError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) endWrapUp(w http.ResponseWriter, r *http.Request, who identity) error {
	if err := a.Engine.EndWrapUp(r.Context(), who.agent); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// WrapUpRequest is the body that prolongs a wrap-up.
type WrapUpRequest struct {
	For string `json:"for"` // a duration, such as 60s
}

func (a *api) prolongWrapUp(w http.ResponseWriter, r *http.Request, who identity) error {
	var body WrapUpRequest
	if err := read(w, r, bodyLimit, &body, `for, such as "60s"`); err != nil {
		return err
	}
	d, err := time.ParseDuration(body.For)
	if err != nil || d <= 0 {
		return invalid("invalid_for", "for %q is not a duration such as 60s", body.For)
	}
	switch err := a.Engine.ProlongWrapUp(r.Context(), who.agent, d); {
	case errors.Is(err, engine.ErrNoWrapUp):
		return problem(http.StatusConflict, "no_wrap_up", "you are in no wrap-up, so there is nothing to prolong")
	case errors.Is(err, engine.ErrProlonged):
		return problem(http.StatusConflict, "prolonged", "a wrap-up can be prolonged once, and this one was")
	case err != nil:
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) declineOffer(w http.ResponseWriter, r *http.Request, who identity) error {
	if err := a.Engine.Decline(r.Context(), who.agent, r.PathValue("offer")); err != nil {
		return offerError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// offerError is the response to an agent whose offer could not be answered or declined.
func offerError(err error) error {
	var unusable *engine.UnusableError
	var pe *engine.ProviderError
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return problem(http.StatusNotFound, "unknown_offer", "there is no such offer for this agent")
	case errors.Is(err, engine.ErrTakenHere):
		return taken("self", "you answered this call in another window or program")
	case errors.Is(err, engine.ErrTaken):
		return taken("other", "another agent has taken the call")
	case errors.Is(err, engine.ErrEnded):
		return problem(http.StatusConflict, "ended",
			"the call is over: the caller hung up, or the router did something else with it")
	case errors.Is(err, engine.ErrExpired):
		return problem(http.StatusConflict, "expired", "the offer has expired: it rang too long or was declined")
	case errors.As(err, &unusable):
		return problem(http.StatusUnprocessableEntity, "unusable_sdp",
			unusable.Error()+"; the offer still rings, send another answer")
	case errors.As(err, &pe):
		return problem(http.StatusBadGateway, "positus_"+string(pe.Kind),
			"the call could not be connected: "+pe.Error())
	}
	return err
}

// taken is the response to the loser of a race; by is self or other.
func taken(by, message string) error {
	return &apiError{status: http.StatusConflict, code: "taken", message: message, more: map[string]any{"by": by}}
}
