package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
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

const webhookSecret = "loadtest-loadtest-loadtest"

func newBench(ctx context.Context, dir string, p plan) (*bench, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bench{plan: p, dir: dir, router: filepath.Join(dir, "callrouter"), self: self, load: newLoad()}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.router, "callrouter/cmd/callrouter")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building callrouter (run loadtest from within its repository): %w\n%s", err, out)
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
	name  string
	url   string // takes webhooks
	cmd   *exec.Cmd
	redis *redis.Client // nil: the store is a file
	stop  func()
}

// start starts a subject with a new store.
func (b *bench) start(ctx context.Context, name, store string) (*subject, error) {
	dir, err := os.MkdirTemp(b.dir, name+"-")
	if err != nil {
		return nil, err
	}
	s := &subject{name: name, stop: func() {}}
	address := filepath.Join(dir, "calls.db")
	if store == "redis" {
		if address, err = s.startRedis(ctx, dir); err != nil {
			return nil, err
		}
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	listen := fmt.Sprintf("127.0.0.1:%d", ports[0])
	s.url = "http://" + listen
	if name == "floor" {
		s.cmd = exec.Command(b.self, floorCommand, listen, address, b.url)
	} else {
		s.url += "/webhooks/positus/" + webhookSecret
		rules := filepath.Join(dir, "rules", "rules.yaml")
		if err := writeRules(rules, b.rules); err != nil {
			return nil, err
		}
		s.cmd = exec.Command(b.router, "serve", "-r", rules, "--store", address, "--listen", listen,
			"--internal-listen", fmt.Sprintf("127.0.0.1:%d", ports[1]), "--positus-url", b.url)
		s.cmd.Env = append(os.Environ(), "POSITUS_TOKEN=loadtest", "CALLROUTER_WEBHOOK_SECRET="+webhookSecret,
			"CALLROUTER_ADMIN_TOKEN=loadtest-loadtest-loadtest")
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	stopRedis := s.stop
	s.stop = func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		stopRedis()
	}
	if err := s.listens(ctx, listen); err != nil {
		s.stop()
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%s: %w\n%s", name, err, text)
	}
	return s, nil
}

func (s *subject) startRedis(ctx context.Context, dir string) (string, error) {
	ports, err := freePorts(1)
	if err != nil {
		return "", err
	}
	port := fmt.Sprint(ports[0])
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction")
	if err := cmd.Start(); err != nil {
		return "", err
	}
	s.redis = redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	s.stop = func() {
		_ = s.redis.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if err := s.listens(ctx, "127.0.0.1:"+port); err != nil {
		s.stop()
		return "", fmt.Errorf("redis-server: %w", err)
	}
	return "redis://127.0.0.1:" + port, nil
}

// listens waits until an address takes connections.
func (s *subject) listens(ctx context.Context, address string) error {
	for giveUp := time.Now().Add(20 * time.Second); ; {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(giveUp) || ctx.Err() != nil {
			return fmt.Errorf("nothing listens on %s: %w", address, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// freePorts returns ports of this machine that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
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
	defer s.stop()
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
