package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type agentsCmd struct {
	Token agentsTokenCmd `cmd:"" help:"Make a new token for an agent. It is shown once and ends the one before."`
}

// serverFlags say which running router a command talks to.
type serverFlags struct {
	Server string `env:"CALLROUTER_SERVER" default:"http://127.0.0.1:8081" help:"Internal side of the running router."`
}

type agentsTokenCmd struct {
	serverFlags
	Agent string `arg:"" help:"The agent, by its name in the rules file."`
	JSON  bool   `name:"json" help:"Print one JSON object."`
}

func (c *agentsTokenCmd) Run(env *environment) error {
	var reply struct {
		Token string `json:"token"`
	}
	if err := c.call(env, http.MethodPost, "/api/v1/agents/"+url.PathEscape(c.Agent)+"/token", &reply); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(reply)
	}
	_, err := fmt.Fprintln(env.stdout, reply.Token)
	return err
}

// call asks the running router as its administrator.
func (f *serverFlags) call(env *environment, method, path string, reply any) error {
	token, err := readSecret(env.getenv, envAdminToken)
	if err != nil {
		return usage("%w", err)
	}
	if token == "" {
		return usage("%s is not set: it must be the one the router runs with", envAdminToken)
	}
	req, err := http.NewRequestWithContext(env.ctx, method, strings.TrimSuffix(f.Server, "/")+path, nil)
	if err != nil {
		return usage("--server: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return usage("no router answers at %s: %w; is it running, and is --server its internal side?", f.Server, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		var e struct{ Error, Message string }
		if json.NewDecoder(resp.Body).Decode(&e) != nil || e.Message == "" {
			e.Message = resp.Status
		}
		return usage("%s", e.Message)
	}
	if err := json.NewDecoder(resp.Body).Decode(reply); err != nil {
		return fmt.Errorf("the router's reply cannot be read: %w", err)
	}
	return nil
}
