package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type serveCmd struct {
	settings
}

func (c *serveCmd) Run(env *environment) error {
	s, err := readSecrets(env.getenv)
	if err != nil {
		return err
	}
	cfg := routerConfig{settings: c.settings, secrets: s, loopback: c.AudioLoopback, log: c.logger(env)}
	if cfg.sources, err = prefixes("--webhook-sources", c.WebhookSources); err != nil {
		return err
	}
	if cfg.proxies, err = prefixes("--trusted-proxies", c.TrustedProxies); err != nil {
		return err
	}
	if d := time.Duration(c.Drain); d > maxDrain {
		return usage("--drain: %s is longer than %s, which is half of what a stop may take", d, maxDrain)
	}
	if cfg.file, err = loadGood(env, c.Rules, false, loadForService); err != nil {
		return err
	}
	r, err := startRouter(env.ctx, cfg)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	s.weak(cfg.log)
	cfg.log.Info("callrouter is ready", "version", buildVersion(), "public", r.listenP.Addr().String(),
		"internal", r.listenI.Addr().String(), "rules", cfg.file.Version(), "store", storeKind(c.Store))
	return c.wait(env, r)
}

// wait serves until a signal ends the program; SIGHUP reads the rules again.
func (c *serveCmd) wait(env *environment, r *router) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-hup:
			ctx, cancel := context.WithTimeout(env.ctx, 5*time.Second)
			if _, _, err := r.keeper.Reload(ctx); err != nil {
				r.cfg.log.Warn("after the reload", "error", err)
			}
			cancel()
		case err := <-r.failed:
			_ = r.stop() // the listener's error says more
			return err
		case <-env.ctx.Done():
			r.cfg.log.Info("stopping; a second signal ends it at once", "webhooks are taken for", time.Duration(c.Drain).String())
			return r.stop()
		}
	}
}

// storeKind names the store without what may be secret in its address.
func storeKind(address string) string {
	for i := range address {
		if address[i] == ':' && len(address) > i+2 && address[i:i+3] == "://" {
			return address[:i]
		}
	}
	return "embedded"
}
