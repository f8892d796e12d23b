package console

import (
	"net/http"

	"callrouter/rules"
)

func (a *api) rulesStatus(w http.ResponseWriter, _ *http.Request, _ identity) error {
	return reply(w, http.StatusOK, a.Rules.Status())
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
			more:    map[string]any{"ok": false, "problems": problems, "version": status.Version},
		}
	}
	return reply(w, http.StatusOK, struct {
		RulesStatus
		Problems rules.Problems `json:"problems"` // warnings
	}{status, notNil(problems)})
}
