package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bench has the sink, the load and what is built once.
type bench struct {
	plan
	dir    string
	router string // the built program
	self   string
	load   *load
	sink   *http.Server
	url    string // of the sink
}

func newBench(ctx context.Context, dir string, p plan) (*bench, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bench{plan: p, dir: dir, router: filepath.Join(dir, "callrouter"), self: self, load: newLoad()}
	if err := buildRouter(ctx, b.router); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b.url = "http://" + listener.Addr().String()
	b.sink = &http.Server{ReadTimeout: 10 * time.Second, Handler: http.HandlerFunc(b.take)}
	go func() { _ = b.sink.Serve(listener) }()
	return b, nil
}

func (b *bench) close() { _ = b.sink.Close() }

// take is Positus: it takes every request, and the time.
func (b *bench) take(w http.ResponseWriter, r *http.Request) {
	var body struct {
		CallID string `json:"call_id"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&body); err == nil {
		b.load.arrived(body.CallID)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"success":true}`)
}

// subject is a server under load: the router or the floor.
type subject struct {
	*process
	name  string
	url   string       // takes webhooks
	redis *redisServer // nil: the store is a file
}

// start starts a subject with a new store.
func (b *bench) start(ctx context.Context, name, store string) (*subject, error) {
	dir, err := os.MkdirTemp(b.dir, name+"-")
	if err != nil {
		return nil, err
	}
	s := &subject{name: name}
	address := filepath.Join(dir, "calls.db")
	if store == "redis" {
		if s.redis, err = startRedis(ctx, dir); err != nil {
			return nil, err
		}
		address = s.redis.url
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	listen := fmt.Sprintf("127.0.0.1:%d", ports[0])
	s.url = "http://" + listen
	cmd := exec.Command(b.self, floorCommand, listen, address, b.url)
	if name == "router" {
		s.url += webhookPath
		rules := filepath.Join(dir, "rules", "rules.yaml")
		if err := writeRules(rules, b.rules); err != nil {
			return nil, errors.Join(err, s.close())
		}
		cmd = serveCommand(b.router, rules, address, b.url, listen, fmt.Sprintf("127.0.0.1:%d", ports[1]))
	}
	if s.process, err = launch(ctx, cmd, dir, listen); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.close())
	}
	return s, nil
}

// close ends the subject and its Redis.
func (s *subject) close() error {
	if s.process != nil {
		s.kill()
	}
	if s.redis != nil {
		s.redis.close()
	}
	return nil
}

// usage is what the subject has used so far.
func (s *subject) usage(ctx context.Context) usage {
	u := s.process.usage()
	if s.redis != nil {
		u.commands = s.redis.commands(ctx)
	}
	return u
}

// writeRules writes a file with n rules that no call of the load meets: what is measured is the way to the default.
func writeRules(path string, n int) error {
	var text strings.Builder
	text.WriteString("version: 1\ntimezone: America/Sao_Paulo\n" +
		"numbers: {main: {phone: \"+55 11 2236-1741\", positus_id: n-1}}\n" +
		"hours: {office: {weekly: {mon-fri: 09:00-18:00}}}\nrules:\n")
	for i := range n {
		fmt.Fprintf(
			&text,
			"  - {name: r%d, when: 'payload == \"campaign-%d\" and not open(\"office\")', then: reject}\n",
			i,
			i,
		)
	}
	text.WriteString("default: reject\n")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text.String()), 0o600)
}

// measure runs one load on a new subject.
func (b *bench) measure(ctx context.Context, name, store string, rate int, length time.Duration) (result, error) {
	s, err := b.start(ctx, name, store)
	if err != nil {
		return result{}, err
	}
	defer s.close()
	if _, err := b.load.run(ctx, s.url, min(rate, 50), time.Second); err != nil { // connections, caches
		return result{}, err
	}
	before := s.usage(ctx)
	r, err := b.load.run(ctx, s.url, rate, length)
	r.use = s.usage(ctx).since(before)
	return r, err
}

// compare prints the floor and the router under the same load.
func (b *bench) compare(ctx context.Context, store string, rate int) error {
	var results [2]result
	for i, name := range []string{"floor", "router"} {
		r, err := b.measure(ctx, name, store, rate, b.length)
		if err != nil {
			return err
		}
		results[i] = r
		fmt.Printf("%-6s %7d  %-8s %9s %9s %9s  %6d %9s %9s %9s\n", store, rate, name,
			milliseconds(r.quantile(0.5)), milliseconds(r.quantile(0.99)), milliseconds(r.quantile(1)), r.lost,
			milliseconds(r.use.cpu/time.Duration(max(r.calls, 1))), kilobytes(r.use.written/int64(max(r.calls, 1))),
			perCall(r.use.commands, r.calls))
	}
	fmt.Printf(
		"%-6s %7d  %-8s %8.1f× %8.1f×\n",
		store,
		rate,
		"ratio",
		ratio(
			results[1].quantile(0.5),
			results[0].quantile(0.5),
		),
		ratio(results[1].quantile(0.99), results[0].quantile(0.99)),
	)
	return nil
}

// compareMost prints the highest rates that are sustained: nothing is lost, and half of the calls wait for less than
// 100 ms.
func (b *bench) compareMost(ctx context.Context, store string) error {
	var most [2]int
	for i, name := range []string{"floor", "router"} {
		low, high := 0, 0
		for rate := 500; high == 0 || high-low > low/10; {
			r, err := b.measure(ctx, name, store, rate, 3*time.Second)
			if err != nil {
				return err
			}
			if sustained := r.lost == 0 && r.quantile(0.5) < 100*time.Millisecond; sustained {
				low = rate
			} else {
				high = rate
			}
			if rate = (low + high) / 2; high == 0 {
				rate = low * 2
			}
			if rate > 20_000 || rate < 50 {
				break
			}
		}
		most[i] = low
		fmt.Printf("%-6s %7d  %-8s sustained\n", store, low, name)
	}
	fmt.Printf("%-6s %7s  %-8s %8.2f of the floor\n", store, "", "ratio", float64(most[1])/float64(max(most[0], 1)))
	return nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

func kilobytes(n int64) string { return fmt.Sprintf("%.1f KB", float64(n)/1e3) }

func perCall(n int64, calls int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(n)/float64(max(calls, 1)))
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }
