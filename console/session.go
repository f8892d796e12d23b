package console

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"callrouter/engine"
)

// sessionTime is how long a browser stays signed in without a request. The second half of it renews the session.
const sessionTime = 12 * time.Hour

// The roles of a session. One person may have both, each in a cookie of its own.
const (
	RoleAgent = "agent"
	RoleAdmin = "admin"
)

// Session is who a browser is signed in as.
type Session struct {
	Role      string    `json:"role"`            // agent or admin
	Agent     string    `json:"agent,omitempty"` // id in the rules file
	Name      string    `json:"name,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
}

// SignIn is the body of POST /api/v1/session: one of the two.
type SignIn struct {
	Token string `json:"token,omitempty"` // the admin token, or an agent's
	Code  string `json:"code,omitempty"`  // of a link that works once
}

// sealer signs what a browser keeps for the router, so that the router need not store it.
type sealer struct{ key []byte }

// newSealer makes a sealer for one purpose. Its key ends with the admin token.
func newSealer(adminToken, purpose string) sealer { return sealer{deriveKey(adminToken, purpose)} }

func deriveKey(adminToken, purpose string) []byte {
	mac := hmac.New(sha256.New, []byte(adminToken))
	mac.Write([]byte(purpose))
	return mac.Sum(nil)
}

func (s sealer) sum(text string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (s sealer) seal(v any) (string, error) {
	doc, err := json.Marshal(v)
	text := base64.RawURLEncoding.EncodeToString(doc)
	return text + "." + s.sum(text), err
}

// open reports whether this sealer made a text, and decodes it.
func (s sealer) open(sealed string, v any) bool {
	text, sum, _ := strings.Cut(sealed, ".")
	if subtle.ConstantTimeCompare([]byte(sum), []byte(s.sum(text))) != 1 {
		return false
	}
	doc, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(doc, v) == nil
}

// ticket is what a session cookie holds.
type ticket struct {
	Role   string `json:"r"`
	Agent  string `json:"a,omitempty"`
	Hash   string `json:"h,omitempty"` // of the agent's token: a new token ends the session
	Expiry int64  `json:"e"`           // Unix time in seconds
}

func (t ticket) expires() time.Time { return time.Unix(t.Expiry, 0) }

// cookieName is the same for all processes of one installation and another one for the next, because cookies do not
// know ports.
func (a *api) cookieName(r *http.Request, role string) string {
	name := "callrouter_" + role + "_" + hex.EncodeToString(deriveKey(a.AdminToken, "cookie name")[:4])
	if a.secure(r) {
		return "__Host-" + name
	}
	return name
}

func (a *api) setCookie(w http.ResponseWriter, r *http.Request, role, value string, age time.Duration) {
	c := &http.Cookie{
		Name: a.cookieName(r, role), Value: value, Path: "/", MaxAge: int(age.Seconds()),
		HttpOnly: true, Secure: a.secure(r), SameSite: http.SameSiteStrictMode,
	}
	if age <= 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// ticketOf returns the session of a request in a role, if it has a valid one.
func (a *api) ticketOf(r *http.Request, role string) (ticket, bool) {
	c, err := r.Cookie(a.cookieName(r, role))
	var t ticket
	if a.AdminToken == "" || err != nil || !a.sessions.open(c.Value, &t) {
		return ticket{}, false
	}
	return t, t.Role == role && a.Now().Before(t.expires())
}

// grant begins or renews a session.
func (a *api) grant(w http.ResponseWriter, r *http.Request, t ticket) (Session, error) {
	t.Expiry = a.Now().Add(sessionTime).Unix()
	value, err := a.sessions.seal(t)
	if err != nil {
		return Session{}, err
	}
	a.setCookie(w, r, t.Role, value, sessionTime)
	return a.sessionOf(t), nil
}

func (a *api) sessionOf(t ticket) Session {
	s := Session{Role: t.Role, Agent: t.Agent, ExpiresAt: t.expires().UTC()}
	if t.Agent != "" {
		s.Name = a.nameOf(t.Agent)
	}
	return s
}

func (a *api) signIn(w http.ResponseWriter, r *http.Request, _ identity) error {
	from := a.source(r)
	if wait := a.tries.blocked(from, a.Now()); wait > 0 {
		return tooManyTries(w, wait)
	}
	var body SignIn
	if err := read(w, r, bodyLimit, &body, "token, or code of a link"); err != nil {
		return err
	}
	t, err := a.ticketFor(r.Context(), body)
	if e, ok := errors.AsType[*apiError](err); ok && e.status == http.StatusUnauthorized {
		a.tries.failed(from, a.Now())
	}
	if err != nil {
		return err
	}
	s, err := a.grant(w, r, t)
	if err != nil {
		return err
	}
	a.Logger.Info("somebody signed in to the console", "role", t.Role, "agent", t.Agent, "with_link", body.Code != "")
	return reply(w, http.StatusOK, s)
}

// ticketFor finds out who signs in.
func (a *api) ticketFor(ctx context.Context, body SignIn) (ticket, error) {
	switch {
	case a.AdminToken == "":
		return ticket{}, unauthorized("this router has no admin token, so nobody can sign in")
	case body.Code != "":
		return a.redeem(ctx, body.Code)
	case body.Token == "":
		return ticket{}, unauthorized("send a token, or the code of a link")
	}
	who, err := a.byToken(ctx, body.Token)
	if err != nil {
		return ticket{}, err
	}
	if who.agent == "" {
		return ticket{Role: RoleAdmin}, nil
	}
	return ticket{Role: RoleAgent, Agent: who.agent, Hash: who.hash}, nil
}

func (a *api) getSession(w http.ResponseWriter, r *http.Request, _ identity) error {
	role, err := roleOf(r)
	if err != nil {
		return err
	}
	who, err := a.bySession(r, role)
	if err != nil {
		return err
	}
	s := a.sessionOf(who.ticket)
	if who.ages(a.Now()) {
		if s, err = a.grant(w, r, who.ticket); err != nil {
			return err
		}
	}
	return reply(w, http.StatusOK, s)
}

func (a *api) signOut(w http.ResponseWriter, r *http.Request, _ identity) error {
	role, err := roleOf(r)
	if err != nil {
		return err
	}
	a.setCookie(w, r, role, "", 0)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func roleOf(r *http.Request) (string, error) {
	role := r.URL.Query().Get("role")
	if role != RoleAgent && role != RoleAdmin {
		return "", invalid("invalid_role", "unknown role %q; use ?role=agent or ?role=admin", role)
	}
	return role, nil
}

// bySession finds the sender of a request by the session cookie of a role. Only pages of this origin may use it: a
// stream of events makes an agent present, so that even a GET from elsewhere would do harm.
func (a *api) bySession(r *http.Request, role string) (identity, error) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return identity{}, crossOrigin()
	}
	t, ok := a.ticketOf(r, role)
	if !ok {
		return identity{}, unauthorized("the session has ended; sign in at /console/")
	}
	who := identity{agent: t.Agent, hash: t.Hash, ticket: t}
	if role == RoleAdmin {
		return who, nil
	}
	agent, err := a.Store.AgentByToken(r.Context(), t.Hash)
	if errors.Is(err, engine.ErrNotFound) || err == nil && agent != t.Agent {
		return identity{}, unauthorized("the session has ended, because the agent has a new token; sign in again")
	}
	if err != nil {
		return identity{}, err
	}
	return who, a.checkWorks(r.Context(), agent)
}

// ages reports whether half of a session is over. It is never true of a bearer token.
func (w identity) ages(now time.Time) bool {
	return w.ticket.Role != "" && w.ticket.expires().Sub(now) < sessionTime/2
}

func crossOrigin() error {
	return problem(http.StatusForbidden, "cross_origin", "requests from pages of another origin are refused")
}
