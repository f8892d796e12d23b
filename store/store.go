// Package store keeps what must survive: the records of calls, the slots of agents, what is set at run time. It has two
// stores behind one interface, [engine.Store]: an embedded one, a file for one process, and Redis, for any number of
// processes. Both pass the suite in store/storetest.
//
// A call's record is JSON. Everything by which calls are found (due time, queue, caller) and the slots they hold are
// derived from it in the same atomic step: by comparing the record before with the record after. See change.go.
package store

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"callrouter/engine"
)

// DefaultTimeout bounds one step of a Redis store if [Config.Timeout] is zero.
const DefaultTimeout = 250 * time.Millisecond

// DefaultGate is three beats of an instance.
const DefaultGate = 6 * time.Second

// Config is what a store depends on. The zero value is usable.
type Config struct {
	// Now is the router's time, by which all is counted that is not said otherwise: an [engine.Clock], or time.Now if
	// nil. Redis counts leases by its own clock.
	Now func() time.Time
	// Wall is the clock on the wall. By it ends what somebody set until a time of day: switches, entries of lists, an
	// agent's capacity. Now if nil.
	Wall func() time.Time
	// Uptime is how long something has run, no matter how clocks are set and whether the machine sleeps:
	// [engine.Clock.Uptime]. If nil, it stands still while the machine sleeps.
	Uptime func() time.Duration
	// Logger takes what an operator should know; nothing is logged if it is nil.
	Logger *slog.Logger
	// Gate is how long a Redis that may have lost slots gives none, so that instances can write back those they hold;
	// [DefaultGate] if zero.
	Gate time.Duration
	// Timeout bounds one step of a Redis store, however long the caller would wait; [DefaultTimeout] if zero.
	Timeout time.Duration
	// OnError is called with the kind of an error that no caller gets: damaged_record, for a record that a list or a
	// purge passed over. It must not block, and may be nil.
	OnError func(kind string)
}

// Open opens the store at an address: a path is the embedded store, redis:// and rediss:// are Redis. An address with a
// master_name parameter is a Sentinel, one with an addr parameter (or a server that says so) a Cluster; all parameters
// are go-redis' own. User and password before a Sentinel's host are the Sentinel's; those of Redis are the parameters
// username and password.
//
// It fails if the store cannot be reached, is damaged, is in use by another process (embedded), or is set up so that it
// would lose slots (Redis).
func Open(ctx context.Context, address string, cfg Config) (engine.Store, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wall == nil {
		cfg.Wall = cfg.Now
	}
	if cfg.Uptime == nil {
		began := time.Now()
		cfg.Uptime = func() time.Duration { return time.Since(began) }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Gate <= 0 {
		cfg.Gate = DefaultGate
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	scheme, _, isURL := strings.Cut(address, "://")
	switch {
	case address == "":
		return nil, errors.New("the address of the store is empty: give the path of a file, or redis://host:port")
	case misspelt(address):
		return nil, errors.New(
			"the address of the store cannot be read: write redis://user:password@host:port/database, or the " +
				"path of a file; user and password are percent-escaped, so that / is %2F, ? is %3F, # is %23, @ is %40 and % is %25",
		)
	case !isURL:
		return openEmbedded(address, cfg)
	case scheme == "redis" || scheme == "rediss":
		return openRedis(ctx, address, cfg)
	}
	return nil, errors.New(
		"the address of the store has an unknown scheme: give the path of a file, redis:// or rediss://",
	)
}

// misspelt reports whether an address is meant to be Redis, but a part of its password would be taken for its host, its
// database, or the name of a file. Nothing of such an address may be shown or looked up.
func misspelt(address string) bool {
	lower := strings.ToLower(strings.TrimSpace(address))
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		_, server, _ := strings.Cut(address, "@")
		_, port, err := net.SplitHostPort(server[strings.LastIndex(server, "@")+1:])
		noFile := err == nil && port != ""
		return noFile || strings.HasPrefix(lower, "redis:") || strings.HasPrefix(lower, "rediss:")
	}
	if scheme != "redis" && scheme != "rediss" {
		return false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	u, err := url.Parse(address)
	if err != nil || strings.Contains(rest, "#") || strings.Contains(rest[end:], "@") {
		return true
	}
	_, err = strconv.Atoi(strings.Trim(u.Path, "/"))
	return strings.Trim(u.Path, "/") != "" && err != nil
}

// redact removes passwords from an address, for messages.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(an address that is not a URL)"
	}
	q := u.Query()
	for _, p := range []string{"password", "sentinel_password"} {
		if q.Has(p) {
			q.Set(p, "xxxxx")
			u.RawQuery = q.Encode()
		}
	}
	return u.Redacted()
}
