package console

import "net/http"

// access is who may use a route.
type access int

const (
	// forAdmin is the zero value, so that a route without an access is closed to everybody else.
	forAdmin access = iota
	// forAgent: an agent, for what is the agent's own.
	forAgent
	// forBoth: the handler tells the administrator from an agent.
	forBoth
	// forSigned: anybody who has the URL, which carries a token of its own.
	forSigned
	// forSession: the handler finds out who it is, to begin or end a session.
	forSession
	// forAnybody needs no credential.
	forAnybody
)

// handler handles a request whose sender may use the route. It either writes the whole response, or returns an error
// and has written nothing.
type handler func(w http.ResponseWriter, r *http.Request, who identity) error

// route is one pattern of [http.ServeMux], and who may use it.
type route struct {
	pattern string
	access  access
	handle  handler
}

// routes is everything that can be reached.
func (a *api) routes() []route {
	return []route{
		{"GET /api/v1/agents", forAdmin, a.listAgents},
		{"PATCH /api/v1/agents/{agent}", forAdmin, a.patchAgent},
		{"POST /api/v1/agents/{agent}/token", forAdmin, a.newToken},
		{"POST /api/v1/agents/{agent}/link", forAdmin, a.newLink},

		{"POST /api/v1/session", forSession, a.signIn},
		{"GET /api/v1/session", forSession, a.getSession},
		{"DELETE /api/v1/session", forSession, a.signOut},

		{"GET /api/v1/calls", forAdmin, a.listCalls},
		{"GET /api/v1/calls/stale", forAdmin, a.staleCalls},
		{"GET /api/v1/calls/{id}", forAdmin, a.getCall},
		{"POST /api/v1/calls/{id}/hang-up", forBoth, a.hangUp},

		{"GET /api/v1/rules", forAdmin, a.rulesStatus},
		{"POST /api/v1/rules/reload", forAdmin, a.reloadRules},

		{"GET /api/v1/store/backup", forAdmin, a.backup},

		{"GET /api/v1/lists", forAdmin, a.lists},
		{"GET /api/v1/lists/{list}", forAdmin, a.getList},
		{"PUT /api/v1/lists/{list}/{number}", forAdmin, a.putEntry},
		{"DELETE /api/v1/lists/{list}/{number}", forAdmin, a.deleteEntry},

		{"GET /api/v1/hours", forAdmin, a.listHours},
		{"GET /api/v1/hours/{hours}/switch", forAdmin, a.getSwitch},
		{"PUT /api/v1/hours/{hours}/switch", forAdmin, a.putSwitch},
		{"DELETE /api/v1/hours/{hours}/switch", forAdmin, a.deleteSwitch},

		{"GET /api/v1/me", forAgent, a.getMe},
		{"PUT /api/v1/me", forAgent, a.putMe},
		{"GET /api/v1/me/events", forAgent, a.events},
		{"GET /api/v1/me/calls", forAgent, a.myCalls},
		{"GET /api/v1/me/calls/{id}/earlier", forAgent, a.earlierCalls},
		{"PUT /api/v1/me/calls/{id}/note", forAgent, a.putNote},
		{"POST /api/v1/me/calls/{id}/audio", forAgent, a.putAudio},
		{"DELETE /api/v1/me/wrap-up", forAgent, a.endWrapUp},
		{"POST /api/v1/me/wrap-up", forAgent, a.prolongWrapUp},
		{"POST /api/v1/offers/{offer}/ringing", forAgent, a.ringing},
		{"POST /api/v1/offers/{offer}/answer", forAgent, a.answerOffer},
		{"POST /api/v1/offers/{offer}/decline", forAgent, a.declineOffer},

		{"POST /api/v1/answerers/{key}/{token}/hang-up", forSigned, a.answererHangUp},

		{"GET /console", forAnybody, a.page},
		{"GET /console/", forAnybody, a.page},

		{"GET /healthz", forAnybody, a.healthz},
		{"GET /readyz", forAnybody, a.readyz},
		{"GET /metrics", forAnybody, a.metrics},
	}
}

// page serves what browsers show. What is not there is an error in JSON, as everywhere.
func (a *api) page(w http.ResponseWriter, r *http.Request, _ identity) error {
	if a.secure(r) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	if _, pattern := a.pages.Handler(r); pattern == "" {
		return problem(http.StatusNotFound, "not_found", "no such page; the console begins at /console/")
	}
	a.pages.ServeHTTP(w, r)
	return nil
}

func (a *api) healthz(w http.ResponseWriter, _ *http.Request, _ identity) error {
	return reply(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *api) readyz(w http.ResponseWriter, r *http.Request, _ identity) error {
	a.Ready.ServeHTTP(w, r)
	return nil
}

func (a *api) metrics(w http.ResponseWriter, r *http.Request, _ identity) error {
	a.Metrics.ServeHTTP(w, r)
	return nil
}
