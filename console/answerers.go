package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"callrouter/engine"
	"callrouter/rules"
)

// HangUpURL is where an outside answerer ends one call, with POST and nothing else: an address on the internal side
// (base, such as http://127.0.0.1:8081) that carries a token for this call alone. The secret is the admin token, which
// the URL does not reveal.
func HangUpURL(base, secret, callID string) string {
	key := engine.Key(callID)
	token := signKey(deriveHangUpKey(secret), key)
	return strings.TrimRight(base, "/") + "/api/v1/answerers/" + key + "/" + token + "/hang-up"
}

// deriveHangUpKey keeps what is signed here apart from every other use of the admin token.
func deriveHangUpKey(secret string) []byte { return deriveKey(secret, "callrouter answerer hang-up") }

func signKey(hangUpKey []byte, key string) string {
	m := hmac.New(sha256.New, hangUpKey)
	m.Write([]byte(key))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// answererHangUp ends a call for the outside answerer that has it. An answerer whose SDP came too late must not end a
// call that went on without it.
func (a *api) answererHangUp(w http.ResponseWriter, r *http.Request, _ identity) error {
	key := r.PathValue("key")
	if !hmac.Equal([]byte(r.PathValue("token")), []byte(signKey(a.hangUpKey, key))) {
		return noSuchCall()
	}
	c, err := a.Store.Get(r.Context(), key)
	if errors.Is(err, engine.ErrNotFound) {
		return noSuchCall()
	}
	if err != nil {
		return err
	}
	answer, known := a.Engine.Rules().Answer(c.Answer)
	if c.Action != rules.Accept || known && answer.URL == "" {
		return problem(http.StatusConflict, "not_yours", "this call is not with the answerer, so it was not hung up")
	}
	return a.hungUp(w, c.ID, a.Engine.HangUp(r.Context(), c.ID, "the answerer"))
}
