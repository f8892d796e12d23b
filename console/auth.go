package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"callrouter/engine"
)

// identity is who sends a request: the administrator, an agent, or (on routes for anybody) nobody in particular.
type identity struct {
	agent     string // id in the rules file; empty for the administrator
	hash      string // of the agent's token
	ticket    ticket // of the session; zero with a bearer token
	alsoAdmin bool   // the browser is signed in as the administrator, too
}

// tokenBytes is how much of an agent's token is random.
const tokenBytes = 32

// generateToken makes a token for an agent, and the hash under which the store knows it.
func generateToken() (token, hash string) {
	random := make([]byte, tokenBytes)
	rand.Read(random) // it never fails
	token = base64.RawURLEncoding.EncodeToString(random)
	return token, hashToken(token)
}

// hashToken needs no salt and no slowness: what is hashed is 256 random bits.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// admit finds out who sends a request, and whether the route is for them. A bearer token goes before cookies.
func (a *api) admit(r *http.Request, need access) (identity, error) {
	if need == forAnybody || need == forSigned || need == forSession {
		return identity{}, nil
	}
	var who identity
	var err error
	if r.Header.Get("Authorization") == "" {
		who, err = a.byCookie(r, need)
	} else {
		who, err = a.byBearer(r)
	}
	switch {
	case err != nil:
		return identity{}, err
	case need == forAdmin && who.agent != "":
		return identity{}, problem(http.StatusForbidden, "forbidden",
			"this needs the admin token; an agent's token only opens /api/v1/me and the agent's own offers and calls")
	case need == forAgent && who.agent == "":
		return identity{}, problem(http.StatusForbidden, "forbidden",
			"this needs an agent's token; make one with POST /api/v1/agents/{agent}/token")
	}
	return who, nil
}

// byCookie finds the sender of a request by a session: the one that the route is for, or else the other one, which is
// then refused.
func (a *api) byCookie(r *http.Request, need access) (identity, error) {
	_, agent := a.ticketOf(r, RoleAgent)
	_, admin := a.ticketOf(r, RoleAdmin)
	switch {
	case !agent && !admin:
		return identity{}, unauthorized("send the header Authorization: Bearer TOKEN, or sign in at /console/")
	case !agent, need == forAdmin && admin:
		return a.bySession(r, RoleAdmin)
	}
	who, err := a.bySession(r, RoleAgent)
	who.alsoAdmin = admin
	return who, err
}

// byBearer finds the sender of a request by the bearer token.
func (a *api) byBearer(r *http.Request) (identity, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return identity{}, unauthorized("send the header Authorization: Bearer TOKEN")
	}
	return a.byToken(r.Context(), token)
}

// byToken finds whose token it is.
func (a *api) byToken(ctx context.Context, token string) (identity, error) {
	// Digests have one length, so the comparison does not reveal the token's.
	if sum := sha256.Sum256([]byte(token)); subtle.ConstantTimeCompare(sum[:], a.admin[:]) == 1 {
		return identity{}, nil
	}
	hash := hashToken(token)
	agent, err := a.Store.AgentByToken(ctx, hash)
	if errors.Is(err, engine.ErrNotFound) {
		return identity{}, unauthorized(
			"unknown token; if a new token was made for this agent, the old one no longer works")
	}
	if err != nil {
		return identity{}, err
	}
	return identity{agent: agent, hash: hash}, a.checkWorks(ctx, agent)
}

// checkWorks refuses an agent whom a reload removed and who has no call any more.
func (a *api) checkWorks(ctx context.Context, agent string) error {
	works, err := a.works(ctx, agent)
	if err == nil && !works {
		err = unauthorized("this agent is no longer in the rules file")
	}
	return err
}

// works reports whether an agent is in the rules file, or still has a call or an offer after a reload removed them.
func (a *api) works(ctx context.Context, agent string) (bool, error) {
	if a.employed(agent) {
		return true, nil
	}
	v, err := a.Engine.View(ctx, agent)
	return busy(v), err
}

func (a *api) employed(agent string) bool {
	_, ok := a.Engine.Rules().Agent(agent)
	return ok
}

func busy(v engine.AgentView) bool { return len(v.Calls)+len(v.Offers) > 0 }

// stillValid reports whether the token of an open stream is still the agent's, and the session not over.
func (a *api) stillValid(ctx context.Context, who identity) (bool, error) {
	if who.ticket.Role != "" && !a.Now().Before(who.ticket.expires()) {
		return false, nil
	}
	agent, err := a.Store.AgentByToken(ctx, who.hash)
	if errors.Is(err, engine.ErrNotFound) {
		return false, nil
	}
	return err == nil && agent == who.agent, err
}

func unauthorized(message string) error {
	return problem(http.StatusUnauthorized, "unauthorized", message)
}
