package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// serverFlags say which running router a command talks to.
type serverFlags struct {
	Server string `env:"CALLROUTER_SERVER" default:"http://127.0.0.1:8081" help:"Internal side of the running router."`
	JSON   bool   `name:"json" help:"Print the router's answer as JSON."`
}

const (
	apiConnect = 5 * time.Second  // to reach the router
	apiTime    = 90 * time.Second // for a whole answer: a hang-up waits for Positus, a list of calls may be long
)

// apiError is what the router says no with.
type apiError struct {
	status  int
	code    string
	message string
	body    []byte
}

func (e *apiError) Error() string { return e.message }

// ask asks the running router as its administrator, and answers the body of its reply: nil if it has none. body is sent
// as JSON unless it is nil.
func (f *serverFlags) ask(env *environment, method, path string, body any) ([]byte, error) {
	token, err := readSecret(env.getenv, envAdminToken)
	if err != nil {
		return nil, usage("%w", err)
	}
	if token == "" {
		return nil, usage("%s is not set: it must be the one the router runs with", envAdminToken)
	}
	ctx, cancel := context.WithTimeout(env.ctx, apiTime)
	defer cancel()
	req, err := apiRequest(ctx, method, strings.TrimSuffix(f.Server, "/")+path, token, body)
	if err != nil {
		return nil, err
	}
	client := http.Client{
		Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: apiConnect}).DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, f.unreachable(err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, f.unreachable(err)
	}
	if resp.StatusCode >= 300 {
		return nil, f.refused(resp, reply)
	}
	return reply, nil
}

func apiRequest(ctx context.Context, method, target, token string, body any) (*http.Request, error) {
	var in io.Reader
	if body != nil {
		doc, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(doc)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, in)
	if err != nil {
		return nil, usage("--server: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

func (f *serverFlags) unreachable(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	return usage("no router answers at %s: %w; is it running, and is --server its internal side?", f.Server, err)
}

// refused is the error for a reply that says no: what the router found is one thing, what it could not do another.
func (f *serverFlags) refused(resp *http.Response, body []byte) error {
	var e struct{ Error, Message string }
	if json.Unmarshal(body, &e) != nil || e.Message == "" {
		return usage("what answers at %s is no internal side of a router (HTTP %d); is --server right?", f.Server, resp.StatusCode)
	}
	a := &apiError{resp.StatusCode, e.Error, e.Message, body}
	switch resp.StatusCode {
	case http.StatusConflict, http.StatusUnprocessableEntity, http.StatusBadGateway:
		return &exitError{exitFound, a}
	case http.StatusInternalServerError:
		return &exitError{exitInternal, a}
	case http.StatusUnauthorized, http.StatusForbidden:
		a.message = fmt.Sprintf("the router at %s does not take the token as its administrator's: %s must be the one it runs with", f.Server, envAdminToken)
	}
	return &exitError{exitUsage, a}
}

// call asks and decodes the reply into reply.
func (f *serverFlags) call(env *environment, method, path string, body, reply any) error {
	data, err := f.ask(env, method, path, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, reply); err != nil {
		return fmt.Errorf("the router's reply cannot be read: %w", err)
	}
	return nil
}

// show asks, and prints the reply: as it is for programs, or by print, once it is decoded into reply, for people.
func (f *serverFlags) show(env *environment, method, path string, body, reply any, print func() error) error {
	data, err := f.ask(env, method, path, body)
	if err != nil {
		return err
	}
	if f.JSON {
		_, err := env.stdout.Write(data)
		return err
	}
	if err := json.Unmarshal(data, reply); err != nil {
		return fmt.Errorf("the router's reply cannot be read: %w", err)
	}
	return print()
}

// apiRules is what the router says of its rules.
type apiRules struct {
	Version     string       `json:"version"`
	LoadedAt    time.Time    `json:"loaded_at"`
	LastRefusal *apiRefusal  `json:"last_refusal"`
	Timezone    string       `json:"timezone"`
	Problems    []apiProblem `json:"problems"` // of a reload
}

// zone is the time zone of the router's rules, in which people read its times.
func (f *serverFlags) zone(env *environment) (*time.Location, error) {
	var status apiRules
	if err := f.call(env, http.MethodGet, "/api/v1/rules", nil, &status); err != nil {
		return nil, err
	}
	return locationOf(status.Timezone), nil
}

// locationOf is a zone by its name; a machine that does not know it shows its own.
func locationOf(name string) *time.Location {
	if loc, err := time.LoadLocation(name); err == nil && name != "" {
		return loc
	}
	return time.Local
}
