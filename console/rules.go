package console

import (
	"net/http"
	"time"

	"callrouter/rules"
)

// rulesInfo is the status of the rules with what a reader needs to show it.
type rulesInfo struct {
	RulesStatus
	LastRefusal *refusalInfo `json:"last_refusal"` // goes before the status' own
	Timezone    string       `json:"timezone"`     // of the file, in which people read times
}

type refusalInfo struct {
	At       time.Time     `json:"at"`
	Problems []problemInfo `json:"problems"`
}

// problemInfo is a problem with the line it stands in, which the reader may not have.
type problemInfo struct {
	rules.Problem
	Source string `json:"source"`
}

func newProblemInfos(problems rules.Problems) []problemInfo {
	infos := make([]problemInfo, 0, len(problems))
	for _, p := range problems {
		infos = append(infos, problemInfo{p, p.Source})
	}
	return infos
}

func (a *api) newRulesInfo(s RulesStatus) rulesInfo {
	info := rulesInfo{RulesStatus: s, Timezone: a.Engine.Rules().Location().String()}
	if s.LastRefusal != nil {
		info.LastRefusal = &refusalInfo{s.LastRefusal.At, newProblemInfos(s.LastRefusal.Problems)}
	}
	return info
}

func (a *api) rulesStatus(w http.ResponseWriter, _ *http.Request, _ identity) error {
	return reply(w, http.StatusOK, a.newRulesInfo(a.Rules.Status()))
}

// reloadRules reads the rules file again. A bad one is refused with everything that is wrong with it.
func (a *api) reloadRules(w http.ResponseWriter, r *http.Request, _ identity) error {
	status, problems, err := a.Rules.Reload(r.Context())
	if err != nil {
		a.Logger.Error("the rules could not be reloaded", "error", err)
		return problem(http.StatusInternalServerError, "reload_failed", "the rules file was not read again, and the one in use goes on: "+err.Error())
	}
	if problems.HasErrors() {
		return &apiError{
			status: http.StatusUnprocessableEntity, code: "rules_refused",
			message: "the rules file has errors, so the one in use goes on; they are in problems",
			more:    map[string]any{"ok": false, "problems": newProblemInfos(problems), "version": status.Version},
		}
	}
	return reply(w, http.StatusOK, struct {
		rulesInfo
		Problems []problemInfo `json:"problems"` // warnings
	}{a.newRulesInfo(status), newProblemInfos(problems)})
}
