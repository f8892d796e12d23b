package store

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// How the client behaves, unless the address says otherwise. It never repeats a command by itself: a script whose reply
// was lost may have run, and only the caller knows how to find out.
const (
	dialTimeout = 250 * time.Millisecond
	ioTimeout   = 500 * time.Millisecond
	noRetries   = -1
	dialTries   = 1
	// maxRedirects follows a slot that a Cluster has moved.
	maxRedirects = 2
	// clusterReload is how often the client reads the layout of a Cluster. A master that stops replying does not make
	// it read the layout earlier.
	clusterReload = time.Second
)

// newClient makes a client by the address: master_name makes it a Sentinel's, addr or cluster a Cluster's; otherwise it
// talks to one server.
func newClient(address string, timeout time.Duration, cluster bool) (redis.UniversalClient, error) {
	switch {
	case hasParameter(address, "master_name"):
		o, err := redis.ParseFailoverURL(address)
		if err != nil {
			return nil, malformed(err)
		}
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled, o.DisableIdentity = noRetries, dialTries, true, true
		bound(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout, timeout)
		return redis.NewFailoverClient(o), nil
	case cluster || hasParameter(address, "addr"):
		o, err := redis.ParseClusterURL(address)
		if err != nil {
			return nil, malformed(err)
		}
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled, o.DisableIdentity = noRetries, dialTries, true, true
		o.MaxRedirects, o.ClusterStateReloadInterval = maxRedirects, clusterReload
		o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		bound(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout, timeout)
		return redis.NewClusterClient(o), nil
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, malformed(err)
	}
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled, o.DisableIdentity = noRetries, dialTries, true, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	bound(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.PoolTimeout, timeout)
	return redis.NewClient(o), nil
}

// bound sets what the address leaves out.
func bound(dial, read, write, pool *time.Duration, timeout time.Duration) {
	for d, value := range map[*time.Duration]time.Duration{
		dial: dialTimeout, read: ioTimeout, write: ioTimeout, pool: timeout,
	} {
		if *d == 0 {
			*d = value
		}
	}
}

// malformed leaves out the address, which may hold a password.
func malformed(err error) error {
	var parse *url.Error
	if errors.As(err, &parse) {
		err = parse.Err
	}
	return fmt.Errorf("the address cannot be read; write redis://user:password@host:port/database: %w", err)
}
