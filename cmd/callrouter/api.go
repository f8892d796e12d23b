package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"callrouter/console/client"
)

// serverFlags say which running router a command talks to.
type serverFlags struct {
	Server string `env:"CALLROUTER_SERVER" default:"http://127.0.0.1:8081" help:"Internal side of the running router."`
	JSON   bool   `name:"json" help:"Print the router's response as JSON."`
}

// connect makes a client with the admin token. tee gets each response as it came; nil: nobody.
func (f *serverFlags) connect(env *environment, tee io.Writer) (*client.Client, error) {
	token, err := readSecret(env.getenv, envAdminToken)
	if err != nil {
		return nil, usage("%w", err)
	}
	if token == "" {
		return nil, usage("%s is not set; set it to the value the router runs with", envAdminToken)
	}
	api, err := client.New(client.Config{URL: f.Server, Token: token, Tee: tee})
	if err != nil {
		return nil, usage("--server: %w", err)
	}
	return api, nil
}

// question is a request of the router, such as the method expression (*client.Client).Agents.
type question[T any] func(*client.Client, context.Context) (T, error)

// show asks the router, and prints the response: as it came with --json, otherwise with print.
func show[T any](f *serverFlags, env *environment, ask question[T], print func(T) error) error {
	var tee io.Writer
	if f.JSON {
		tee = env.stdout
	}
	api, err := f.connect(env, tee)
	if err != nil {
		return err
	}
	reply, err := ask(api, env.ctx)
	if err != nil || f.JSON {
		return f.explain(err)
	}
	return print(reply)
}

// explain adds to an error of the client its exit code, and the flag or variable that mends it.
func (f *serverFlags) explain(err error) error {
	refused, isRefused := errors.AsType[*client.Error](err)
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return usage("%w; check that it runs, and that --server is its internal address", err)
	case errors.Is(err, client.ErrNotAPI):
		return usage("%w; check --server", err)
	case !isRefused:
		return err
	}
	switch refused.Status {
	case http.StatusConflict, http.StatusUnprocessableEntity, http.StatusBadGateway:
		return &exitError{exitFound, err}
	case http.StatusInternalServerError:
		return &exitError{exitInternal, err}
	case http.StatusUnauthorized, http.StatusForbidden:
		return usage("the router at %s refused the admin token; set %s to the value the router runs with",
			f.Server, envAdminToken)
	}
	return &exitError{exitUsage, err}
}

// zone returns the time zone of the router's rules, in which people read its times.
func (f *serverFlags) zone(env *environment) (*time.Location, error) {
	api, err := f.connect(env, nil)
	if err != nil {
		return nil, err
	}
	r, err := api.Rules(env.ctx)
	return locationOf(r.Timezone), f.explain(err)
}

// locationOf returns a zone by its name. On a machine that does not know the zone it is the machine's own.
func locationOf(name string) *time.Location {
	if loc, err := time.LoadLocation(name); err == nil && name != "" {
		return loc
	}
	return time.Local
}
