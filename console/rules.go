package console

import (
	"net/http"
	"time"

	"callrouter/rules"
)

// Rules is RulesStatus as the API shows it, with what a reader needs to print it.
type Rules struct {
	Version     string        `json:"version"`
	LoadedAt    time.Time     `json:"loaded_at"`
	LastRefusal *RefusedRules `json:"last_refusal"` // nil: the file as it is now is in force
	Timezone    string        `json:"timezone"`     // of the file, in which people read times
}

// RefusedRules is a newer rules file that is not in force, and why.
type RefusedRules struct {
	At       time.Time `json:"at"`
	Problems []Problem `json:"problems"`
}

// ReloadedRules is the reply to a reload. If the file was refused, only Version (in force) and Problems are set.
type ReloadedRules struct {
	Rules
	Problems []Problem `json:"problems"`
}

// Problem is a problem of the rules file with the text of its line, because a reader may not have the file.
type Problem struct {
	rules.Problem
	Source string `json:"source"`
}

func newProblems(problems rules.Problems) []Problem {
	shown := make([]Problem, 0, len(problems))
	for _, p := range problems {
		shown = append(shown, Problem{p, p.Source})
	}
	return shown
}

// ProblemsOf are problems as package rules prints them.
func ProblemsOf(shown []Problem) rules.Problems {
	problems := make(rules.Problems, 0, len(shown))
	for _, p := range shown {
		p.Problem.Source = p.Source
		problems = append(problems, p.Problem)
	}
	return problems
}

func (a *api) newRules(s RulesStatus) Rules {
	r := Rules{Version: s.Version, LoadedAt: s.LoadedAt, Timezone: a.Engine.Rules().Location().String()}
	if s.LastRefusal != nil {
		r.LastRefusal = &RefusedRules{s.LastRefusal.At, newProblems(s.LastRefusal.Problems)}
	}
	return r
}

func (a *api) rulesStatus(w http.ResponseWriter, _ *http.Request, _ identity) error {
	return reply(w, http.StatusOK, a.newRules(a.Rules.Status()))
}

// reloadRules reads the rules file again. A bad one is refused with everything that is wrong with it.
func (a *api) reloadRules(w http.ResponseWriter, r *http.Request, _ identity) error {
	status, problems, err := a.Rules.Reload(r.Context())
	if err != nil {
		a.Logger.Error("loaded the rules, but could not read switches and lists again; the router retries by itself",
			"error", err)
		return problem(http.StatusInternalServerError, "reload_failed",
			"the rules are in force, but switches and lists could not be read again; the router retries by itself: "+
				err.Error())
	}
	if problems.HasErrors() {
		return &apiError{
			status: http.StatusUnprocessableEntity, code: "rules_refused",
			message: "the rules file has errors and is not loaded; the rules in force stay; see problems",
			more:    map[string]any{"ok": false, "problems": newProblems(problems), "version": status.Version},
		}
	}
	return reply(w, http.StatusOK, ReloadedRules{a.newRules(status), newProblems(problems)})
}
