package console

import (
	"errors"
	"net/http"

	"callrouter/engine"
)

// Me is an agent as the agent sees it.
type Me struct {
	Agent     string `json:"agent"`
	Name      string `json:"name"`
	Status    string `json:"status"`    // available or away: what was last set
	Reason    string `json:"reason"`    // why away
	Connected bool   `json:"connected"` // a stream of events is open, so calls can be offered
}

func (a *api) getMe(w http.ResponseWriter, r *http.Request, who identity) error {
	s, err := a.Store.Snapshot(r.Context(), engine.Query{Agents: []string{who.agent}})
	if err != nil {
		return err
	}
	state := s.Agents[who.agent]
	m := Me{Agent: who.agent, Name: a.nameOf(who.agent), Status: statusOf(state), Connected: state.Connected}
	if state.Away {
		m.Reason = state.Reason
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
	SDP string `json:"sdp"` // the SDP answer to the offer's SDP
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
	if err := a.Engine.Answer(r.Context(), who.agent, r.PathValue("offer"), body.SDP); err != nil {
		return offerError(err)
	}
	return reply(w, http.StatusOK, Answered{Offer: r.PathValue("offer"), Result: engine.OfferAnswered})
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
