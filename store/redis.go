package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"callrouter/engine"
)

// redisStore is the store in Redis, for any number of processes. Every step is one script, which Redis runs atomically.
type redisStore struct {
	client  redis.UniversalClient
	address string           // without the password
	now     func() time.Time // the router's time
	wall    func() time.Time
	timeout time.Duration
	gate    time.Duration
	*records
	known   known
	scripts *scripts
	clock   serverClock
	onWake  atomic.Pointer[func(string)]
	wakes   *redis.PubSub
	done    chan struct{} // closed when the subscriber has ended
	closed  sync.Once
}

func openRedis(ctx context.Context, address string, cfg Config) (engine.Store, error) {
	fail := func(err error) error { return fmt.Errorf("store %s: %w", redact(address), err) }
	sc, err := loadScripts()
	if err != nil {
		return nil, fail(err)
	}
	redis.SetLogger(&logging.VoidLogger{}) // what the client would print is also in the errors that it returns
	s := &redisStore{
		address: redact(
			address,
		), now: cfg.Now, wall: cfg.Wall, clock: serverClock{uptime: cfg.Uptime}, timeout: cfg.Timeout, gate: cfg.Gate, records: newRecords(cfg), scripts: sc,
		done: make(chan struct{}),
	}
	if s.client, err = newClient(address, cfg.Timeout, false); err != nil {
		return nil, fail(err)
	}
	if err := s.prepare(ctx, address); err != nil {
		_ = s.client.Close()
		return nil, fail(err)
	}
	s.wakes = s.client.Subscribe(ctx, channelWakes)
	go s.listen()
	return s, nil
}

// startPatience is how long [Open] waits for a server that is slow or still loads its data.
const startPatience = 5 * time.Second

// greet waits for the first reply: a machine that has just started is slow.
func (s *redisStore) greet(ctx context.Context) error {
	for began := time.Now(); ; {
		err := s.bounded(ctx, func(ctx context.Context) error { return s.client.Ping(ctx).Err() })
		slow := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
			redis.HasErrorPrefix(err, "LOADING")
		if !slow || ctx.Err() != nil || time.Since(began) > startPatience {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// prepare checks that the server can be reached and used.
func (s *redisStore) prepare(ctx context.Context, address string) error {
	if err := s.greet(ctx); err != nil {
		return fmt.Errorf("it cannot be reached (is Redis running there, and are user and password right?): %w",
			hint(err))
	}
	if _, single := s.client.(*redis.Client); single && s.isCluster(ctx) {
		cluster, err := newClient(address, s.timeout, true)
		if err != nil {
			return err
		}
		_ = s.client.Close()
		s.client = cluster
	}
	check := func(ctx context.Context, c *redis.Client) error { return s.checkServer(ctx, c) }
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, check)
	case *redis.Client:
		return check(ctx, c)
	}
	return nil
}

func (s *redisStore) isCluster(ctx context.Context) bool {
	var info string
	err := s.bounded(ctx, func(ctx context.Context) (err error) {
		info, err = s.client.Info(ctx, "cluster").Result()
		return err
	})
	return err == nil && strings.Contains(info, "cluster_enabled:1")
}

// checkServer refuses a server that may evict slots when its memory is full, or that hides its run_id. It warns of one
// that loses data when it restarts.
func (s *redisStore) checkServer(ctx context.Context, c *redis.Client) error {
	var info string
	err := s.bounded(ctx, func(ctx context.Context) (err error) {
		info, err = c.Info(ctx, "server").Result()
		return err
	})
	if err != nil {
		return fmt.Errorf("reading run_id from INFO, by which callrouter notices that Redis lost data: %w", hint(err))
	}
	if !strings.Contains(info, "run_id:") {
		return errors.New("its INFO has no run_id, without which callrouter cannot notice that Redis lost agents' " +
			"slots; use a Redis that reports it")
	}
	config := map[string]string{}
	for _, name := range []string{"maxmemory-policy", "appendonly"} {
		err := s.bounded(ctx, func(ctx context.Context) error {
			values, err := c.ConfigGet(ctx, name).Result()
			config[name] = values[name]
			return err
		})
		if err != nil {
			s.log.Warn("cannot read the configuration of Redis, which may lose calls and slots; check that "+
				"maxmemory-policy is noeviction and appendonly is yes", "store", s.address, "error", err)
			return nil
		}
	}
	if policy := config["maxmemory-policy"]; policy != "noeviction" && policy != "" {
		return fmt.Errorf("its maxmemory-policy is %s: it would delete agents' slots and calls when its memory is "+
			"full; set it to noeviction (redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf)", policy)
	}
	if config["appendonly"] == "no" {
		s.log.Warn("Redis loses its latest writes when it stops, because appendonly is no; set it to yes",
			"store", s.address)
	}
	return nil
}

// bounded runs one round trip with a deadline.
func (s *redisStore) bounded(ctx context.Context, do func(ctx context.Context) error) error {
	late := fmt.Errorf("no reply within %s: %w", s.timeout, context.DeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, late)
	defer cancel()
	err := do(ctx)
	if end, _ := ctx.Deadline(); errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(end) {
		<-ctx.Done() // the connection has the same deadline, and was a moment faster
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// run runs a script that may run twice: the second time it does the same, or nothing.
func (s *redisStore) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (reply any, err error) {
	err = s.do(ctx, func(ctx context.Context) (err error) {
		reply, err = script.Run(ctx, s.client, keys, args...).Result()
		return err
	})
	return reply, err
}

// runOnce runs a script whose reply depends on whether it ran before, so it is never repeated.
func (s *redisStore) runOnce(ctx context.Context, script *redis.Script, keys []string, args ...any) (any, error) {
	var reply any
	err := s.bounded(ctx, func(ctx context.Context) (err error) {
		reply, err = script.Run(ctx, s.client, keys, args...).Result()
		return err
	})
	return reply, s.failed(err)
}

// cutTries is how often a request is sent, at most, if the connection ends before its reply.
const cutTries = 4

// do sends a request that may be sent twice: again if the connection ended, but within the deadline of one round trip.
func (s *redisStore) do(ctx context.Context, f func(ctx context.Context) error) error {
	return s.failed(s.bounded(ctx, func(ctx context.Context) error {
		err := f(ctx)
		for try := 1; try < cutTries && isCut(err) && ctx.Err() == nil; try++ {
			err = f(ctx)
		}
		return err
	}))
}

// isCut reports whether the error is the end of an open connection.
func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// failed adds to an error which store it is of, and what to do.
func (s *redisStore) failed(err error) error {
	if err == nil || errors.Is(err, redis.Nil) {
		return err
	}
	return &engine.StoreError{Err: fmt.Errorf("store %s: %w", s.address, hint(err))}
}

// hint adds to an error of Redis what it means and what to do.
func hint(err error) error {
	what := ""
	var network net.Error
	switch {
	case redis.HasErrorPrefix(err, "OOM"):
		what = "Redis is out of memory, so new calls cannot be recorded; raise maxmemory, or keep records for a " +
			"shorter time (--retention)"
	case redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "WRONGPASS"):
		what = "Redis refuses the user or password; put them into the address: redis://user:password@host, or " +
			"behind a Sentinel as the parameters username and password (those before its host are the Sentinel's)"
	case redis.HasErrorPrefix(err, "NOPERM"):
		what = "the Redis user has too few rights; docs/operations.md lists those it needs"
	case redis.HasErrorPrefix(err, "READONLY"):
		what = "this Redis is a replica; give the address of the master, or of the Sentinels"
	case redis.HasErrorPrefix(err, "NOREPLICAS"):
		what = "this Redis has lost its replicas and refuses writes without them (min-replicas-to-write); " +
			"bring them back"
	case redis.HasErrorPrefix(err, "CROSSSLOT"), redis.HasErrorPrefix(err, "MOVED"):
		what = "this Redis is part of a Cluster; add addr=host:port of another node to the address"
	case errors.As(err, &network):
		what = "Redis does not reply; check that it runs and that this machine reaches it"
	default:
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// listen passes on topics until the store is closed. The client reconnects by itself, but topics published meanwhile
// are lost, so everything that waits is woken after a reconnect.
func (s *redisStore) listen() {
	defer close(s.done)
	for msg := range s.wakes.ChannelWithSubscriptions() {
		switch m := msg.(type) {
		case *redis.Message:
			s.wake(m.Payload)
		case *redis.Subscription:
			s.wake(engine.TopicAllSlots)
			s.wake(engine.TopicOverrides)
		}
	}
}

func (s *redisStore) wake(topic string) {
	if f := s.onWake.Load(); f != nil && *f != nil {
		(*f)(topic)
	}
}

// OnWake is part of [engine.Wakes].
func (s *redisStore) OnWake(f func(topic string)) { s.onWake.Store(&f) }

// Wake is part of [engine.Wakes].
func (s *redisStore) Wake(ctx context.Context, topic string) error {
	return s.do(ctx, func(ctx context.Context) error { return s.client.Publish(ctx, channelWakes, topic).Err() })
}

// Ping is part of [engine.Store].
func (s *redisStore) Ping(ctx context.Context) error {
	return s.do(ctx, func(ctx context.Context) error { return s.client.Ping(ctx).Err() })
}

// Close is part of [engine.Store].
func (s *redisStore) Close() error {
	var err error
	s.closed.Do(func() {
		err = s.wakes.Close()
		<-s.done
		err = errors.Join(err, s.client.Close())
	})
	return err
}

// hasParameter reports whether an address has a query parameter.
func hasParameter(address, name string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Query().Has(name)
}
