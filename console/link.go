package console

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"time"

	"callrouter/engine"
)

// linkTime is how long a link of an agent works.
const linkTime = 10 * time.Minute

// Link is a link that signs an agent in once.
type Link struct {
	Agent     string    `json:"agent"`
	URL       string    `json:"url"` // the code is in its fragment, which browsers do not send and servers do not log
	ExpiresAt time.Time `json:"expires_at"`
}

// code is what a link holds.
type code struct {
	Agent  string `json:"a"`
	Nonce  string `json:"n"`
	Expiry int64  `json:"e"` // Unix time in seconds
}

// newLink makes a link that signs an agent in. The agent's token stays as it is.
func (a *api) newLink(w http.ResponseWriter, r *http.Request, _ identity) error {
	agent, err := a.agent(r)
	if err != nil {
		return err
	}
	if a.AdminToken == "" {
		return problem(http.StatusConflict, "no_admin_token", "this router has no admin token, so nobody can sign in")
	}
	if err := a.ensureToken(r.Context(), agent.ID); err != nil {
		return err
	}
	expires := a.Now().Add(linkTime)
	sealed, err := a.links.seal(code{Agent: agent.ID, Nonce: rand.Text(), Expiry: expires.Unix()})
	if err != nil {
		return err
	}
	a.Logger.Info("made a link that signs an agent in once", "agent", agent.ID)
	link := Link{
		Agent: agent.ID, URL: a.consoleURL(r) + "/console/agent#code=" + url.QueryEscape(sealed), ExpiresAt: expires.UTC(),
	}
	return reply(w, http.StatusOK, link)
}

// ensureToken gives an agent without a token one that nobody knows: sessions are bound to a token, so that a new one
// ends them.
func (a *api) ensureToken(ctx context.Context, agent string) error {
	_, err := a.Store.Token(ctx, agent)
	if !errors.Is(err, engine.ErrNotFound) {
		return err
	}
	_, hash := generateToken()
	return a.Store.SetToken(ctx, agent, hash)
}

// redeem signs in the agent of a link, unless the link was used before.
func (a *api) redeem(ctx context.Context, sealed string) (ticket, error) {
	var c code
	if !a.links.open(sealed, &c) || !a.Now().Before(time.Unix(c.Expiry, 0)) {
		return ticket{}, unauthorized("this link does not work any more; ask for a new one: callrouter agents link AGENT")
	}
	hash, err := a.Store.Token(ctx, c.Agent)
	if errors.Is(err, engine.ErrNotFound) {
		return ticket{}, unauthorized("the store has no token for this agent any more; ask for a new link")
	}
	if err != nil {
		return ticket{}, err
	}
	if err := a.checkWorks(ctx, c.Agent); err != nil {
		return ticket{}, err
	}
	first, err := a.Store.Once(ctx, "link:"+c.Nonce, linkTime)
	if err != nil {
		return ticket{}, err
	}
	if !first {
		return ticket{}, unauthorized(
			"this link was used before, and works only once; ask for a new one: callrouter agents link AGENT")
	}
	return ticket{Role: RoleAgent, Agent: c.Agent, Hash: hash}, nil
}

// consoleURL returns the address of the pages: what the operator set, or else where the request came in.
func (a *api) consoleURL(r *http.Request) string {
	switch {
	case a.ConsoleURL != "":
		return a.ConsoleURL
	case a.secure(r):
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
