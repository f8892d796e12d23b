package storetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// rights are all that the store needs; docs and tests must agree.
const rights = "~cr1:* &cr1:* +@read +@write +@scripting +@pubsub +@connection +time " +
	"-@dangerous +info +config|get +cluster|slots +cluster|shards"

// Redis is a server of one test, on the loopback address, with its files in a temporary folder. It ends with the test.
type Redis struct {
	// URL is its address for a user who has no more rights than the store needs.
	URL string
	// Addr is host:port.
	Addr string

	t     testing.TB
	args  []string // of redis-server
	env   []string
	clock string // file with the offset of the server's clock, if that can be set
	mu    sync.Mutex
	cmd   *exec.Cmd
	done  chan struct{}
}

// StartRedis starts a Redis server with an open gate, so that it gives slots at once, and returns its address. Without
// a redis-server the test is skipped, or fails if the environment has CALLROUTER_TEST_ALL=1.
func StartRedis(t testing.TB) string {
	t.Helper()
	r := NewRedis(t)
	r.OpenGate()
	return r.URL
}

// OpenGate makes the store believe that this server has lost nothing.
func (r *Redis) OpenGate() {
	r.t.Helper()
	_, run, _ := strings.Cut(r.Do("INFO", "server").(string), "run_id:")
	run, _, _ = strings.Cut(run, "\r")
	r.Do("HSET", "cr1:{callrouter}:epoch", "id", "test", "run", run, "open_at", 0)
}

// NewRedis is [StartRedis] for tests that control the server, with its gate closed. config has more lines for
// redis.conf.
func NewRedis(t testing.TB, config ...string) *Redis {
	t.Helper()
	return newRedis(t, nil, config)
}

func newRedis(t testing.TB, env, config []string) *Redis {
	t.Helper()
	Need(t, "redis-server", "Redis (apt-get install redis-server, brew install redis)")
	return start(t, env, nil, append([]string{"user router on >secret " + rights}, config...))
}

// Need returns the path of a program. Without the program the test is skipped, or fails if the environment has
// CALLROUTER_TEST_ALL=1.
func Need(t testing.TB, program, what string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	text := program + " is not on the PATH, so this test is left out: install " + what
	if os.Getenv("CALLROUTER_TEST_ALL") == "1" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

// NewSentinel starts a Sentinel that watches a server under the name main, and makes a replica the master once that
// server has not replied for some time.
func NewSentinel(t testing.TB, master *Redis, after time.Duration) *Redis {
	t.Helper()
	host, port, _ := strings.Cut(master.Addr, ":")
	return start(t, nil, []string{"--sentinel"}, []string{
		fmt.Sprintf("sentinel monitor main %s %s 1", host, port),
		fmt.Sprint("sentinel down-after-milliseconds main ", after.Milliseconds()),
	})
}

func start(t testing.TB, env, args, config []string) *Redis {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "redis.conf")
	r := &Redis{t: t, args: append([]string{conf}, args...), env: env}
	t.Cleanup(r.Kill)
	for range 5 { // another process may take the port between finding and using it
		port := freePort(t)
		r.Addr = fmt.Sprintf("127.0.0.1:%d", port)
		r.URL = "redis://router:secret@" + r.Addr
		lines := append([]string{
			"bind 127.0.0.1", fmt.Sprint("port ", port), "dir " + dir, `save ""`, "loglevel warning",
		}, config...)
		if err := os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if r.Start() == nil {
			return r
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Start starts the server, also after Kill, and waits until it replies.
func (r *Redis) Start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	cmd := exec.Command("redis-server", r.args...)
	cmd.Env = append(cmd.Environ(), r.env...)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	r.cmd, r.done = cmd, done
	admin := r.Admin()
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !listens(r.Addr) || admin.Ping(ctx).Err() != nil {
		select {
		case <-tick.C:
		case <-done:
			return fmt.Errorf("redis-server ended: %s", cmd.ProcessState)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// listens reports whether connections to an address are accepted.
func listens(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// Kill ends the server at once, as a power failure would.
func (r *Redis) Kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		<-r.done
		r.cmd = nil
	}
}

// Admin returns a client with all rights. The caller closes it.
func (r *Redis) Admin() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: r.Addr, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true})
}

// Do runs one command with all rights.
func (r *Redis) Do(args ...any) any {
	r.t.Helper()
	admin := r.Admin()
	defer admin.Close()
	reply, err := admin.Do(context.Background(), args...).Result()
	if err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
	return reply
}
