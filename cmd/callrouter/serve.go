package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"callrouter/cmd/callrouter/internal/router"
	"callrouter/engine"
)

type serveCmd struct {
	settings
}

func (c *serveCmd) Run(env *environment) error {
	s, err := readSecrets(env.getenv)
	if err != nil {
		return err
	}
	cfg := c.config()
	cfg.WebhookSecrets, cfg.PositusToken, cfg.AdminToken = s.webhookSecrets, s.positusToken, s.adminToken
	cfg.Log, cfg.OwnProcess = c.logger(env), env.getenv("GOGC") == "" // an operator who sets it knows better
	if cfg.WebhookSources, err = prefixes("--webhook-sources", c.WebhookSources); err != nil {
		return err
	}
	if cfg.TrustedProxies, err = prefixes("--trusted-proxies", c.TrustedProxies); err != nil {
		return err
	}
	if err := c.checkConsoleURL(); err != nil {
		return err
	}
	if cfg.ICEServers, err = readICEServers(env.getenv); err != nil {
		return err
	}
	if cfg.Drain > router.MaxDrain {
		return usage("--drain: %s is too long; at most %s, half of the time a stop may take", cfg.Drain, router.MaxDrain)
	}
	if cfg.Rules, err = loadGood(env, c.Rules, false, router.LoadRules); err != nil {
		return err
	}
	r, err := router.Start(env.ctx, cfg)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	s.weak(cfg.Log)
	cfg.Log.Info("callrouter is ready", "version", buildVersion(), "public", r.PublicAddr(),
		"internal", r.InternalAddr(), "rules", cfg.Rules.Version(), "store", storeKind(c.Store))
	return c.wait(env, r, cfg.Log)
}

// config is what the settings say; secrets and addresses are added to it.
func (s *settings) config() router.Config {
	return router.Config{
		Store: s.Store, StoreDown: engine.StoreDown(s.StoreDown), Retention: time.Duration(s.Retention),
		Listen: s.Listen, InternalListen: s.InternalListen, InternalURL: s.InternalURL, PositusURL: s.PositusURL,
		ConsoleURL: s.ConsoleURL, PublicIP: s.PublicIP, AudioLoopback: s.AudioLoopback, Drain: time.Duration(s.Drain),
	}
}

// wait serves until a signal ends the program; SIGHUP reads the rules again.
func (c *serveCmd) wait(env *environment, r *router.Router, log *slog.Logger) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-hup:
			ctx, cancel := context.WithTimeout(env.ctx, 5*time.Second)
			if err := r.Reload(ctx); err != nil {
				log.Warn("the rules were not reloaded in full", "error", err)
			}
			cancel()
		case err := <-r.Failed():
			_ = r.Stop() // the listener's error says more
			return err
		case <-env.ctx.Done():
			log.Info(
				"stopping; a second signal ends it at once",
				"webhooks are taken for",
				time.Duration(c.Drain).String(),
			)
			return r.Stop()
		}
	}
}

// storeKind names the kind of store, without its address, which may hold a password.
func storeKind(address string) string {
	for i := range address {
		if address[i] == ':' && len(address) > i+2 && address[i:i+3] == "://" {
			return address[:i]
		}
	}
	return "embedded"
}
