package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"callrouter/cmd/callrouter/internal/router"
)

// purgerCommand starts this program as a router that deletes old records when it gets SIGUSR1, and not once an hour.
const purgerCommand = "purger"

// purgedText goes before the number of records deleted and the seconds that took.
const purgedText = "purged "

// servePurger runs the router. Its arguments are the rules, the store, the URL of Positus, and the addresses of both
// sides. It deletes the older half of a full store, until SIGTERM.
func servePurger(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("want RULES STORE URL PUBLIC INTERNAL, got %q", args)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	purge := make(chan os.Signal, 1)
	signal.Notify(purge, syscall.SIGUSR1)
	rules, problems := router.LoadRules(args[0])
	if problems.HasErrors() {
		return fmt.Errorf("the rules: %v", problems)
	}
	r, err := router.Start(ctx, router.Config{
		Rules: rules, Store: args[1], Retention: 10 * span, PositusURL: args[2], PositusToken: secret,
		Listen: args[3], InternalListen: args[4], WebhookSecrets: []string{secret}, AdminToken: secret,
		AudioLoopback: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	select {
	case <-purge:
		began := time.Now()
		n, err := r.Store().Purge(ctx, began.Add(-span/2))
		fmt.Println(purgedText, n, time.Since(began).Seconds())
		if err != nil && !errors.Is(err, context.Canceled) {
			return errors.Join(err, r.Stop())
		}
		<-ctx.Done()
	case <-ctx.Done():
	}
	return r.Stop()
}
