package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// recordsCommand measures large stores.
const recordsCommand = "records"

// recordsPlan is what is measured.
type recordsPlan struct {
	records int
	stores  []string
	length  time.Duration // of each step
	rate    int           // webhooks a second
	keep    bool          // the folder with logs and stores
}

func readRecordsPlan(args []string) (recordsPlan, error) {
	p := recordsPlan{}
	flags := flag.NewFlagSet("loadtest "+recordsCommand, flag.ContinueOnError)
	stores := flags.String("stores", "disk,redis", "stores, separated by commas")
	flags.IntVar(&p.records, "n", 1_000_000, "records of calls that have ended")
	flags.DurationVar(&p.length, "for", 15*time.Second, "length of each step")
	flags.IntVar(&p.rate, "rate", 100, "webhooks a second")
	flags.BoolVar(&p.keep, "keep", false, "keep the folder with logs and stores")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if p.records < 1 || p.rate < 1 {
		return p, errors.New("-n and -rate must be more than 0")
	}
	var err error
	p.stores, err = readStores(*stores)
	return p, err
}

// measureRecords prints a table for each store, with a column for an empty one and one for one with records.
func measureRecords(ctx context.Context, args []string) error {
	p, err := readRecordsPlan(args)
	if err != nil {
		return err
	}
	dir, done, err := workFolder(p.keep)
	if err != nil {
		return err
	}
	defer done()
	b, err := newBench(ctx, dir, plan{rules: 100})
	if err != nil {
		return err
	}
	defer b.close()
	sample, err := b.sampleRecord(ctx)
	if err != nil {
		return err
	}
	for _, kind := range p.stores {
		var columns [2]*shelf
		for i, records := range []int{0, p.records} {
			s := &shelf{bench: b, plan: p, kind: kind, records: records}
			err := s.measure(ctx, sample)
			s.close()
			if err != nil {
				return fmt.Errorf("%s with %d records: %w", kind, records, err)
			}
			columns[i] = s
		}
		fmt.Printf("%-46s %20s %20s\n", kind, "empty", fmt.Sprint(p.records, " records"))
		for i, row := range columns[0].rows {
			fmt.Printf("%-46s %20s %20s\n", row.name, row.value, columns[1].rows[i].value)
		}
		fmt.Println()
	}
	return nil
}

// shelf is a store with so many records, and a router on it.
type shelf struct {
	*bench
	plan    recordsPlan
	kind    string
	records int

	dir, rules, address string
	public, internal    string
	redis               *redisServer
	router              *process
	rows                []row
	purged              int
}

// row is one line of the table.
type row struct{ name, value string }

func (s *shelf) row(name, format string, a ...any) {
	s.rows = append(s.rows, row{name, fmt.Sprintf(format, a...)})
}

func (s *shelf) close() {
	if s.router != nil {
		s.router.kill()
	}
	if s.redis != nil {
		s.redis.close()
	}
	if s.dir != "" && !s.plan.keep {
		_ = os.RemoveAll(s.dir)
	}
}

// measure fills the store and takes all rows.
func (s *shelf) measure(ctx context.Context, sample string) (err error) {
	if s.dir, err = os.MkdirTemp(s.bench.dir, "records-"); err != nil {
		return err
	}
	s.address = filepath.Join(s.dir, "calls.db")
	if s.kind == "redis" {
		if s.redis, err = startRedis(ctx, s.dir); err != nil {
			return err
		}
		s.address = s.redis.url
	}
	s.rules = filepath.Join(s.dir, "rules", "rules.yaml")
	if err := writeRules(s.rules, s.bench.rules); err != nil {
		return err
	}
	began := time.Now()
	if err := s.fill(ctx, sample); err != nil {
		return err
	}
	s.row("filling it", "%.1f s", time.Since(began).Seconds())
	began = time.Now()
	if err := s.serve(ctx, func(public, internal string) *exec.Cmd {
		return serveCommand(s.bench.router, s.rules, s.address, s.url, public, internal)
	}); err != nil {
		return err
	}
	s.row("start", "%.2f s", time.Since(began).Seconds())
	for _, step := range []func(ctx context.Context) error{s.webhooks, s.sizes, s.lists, s.export, s.purge} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// serve starts a router, and returns once it takes requests on both sides.
func (s *shelf) serve(ctx context.Context, command func(public, internal string) *exec.Cmd) error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	s.public, s.internal = fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])
	if s.router, err = launch(ctx, command(s.public, s.internal), s.dir, s.public); err != nil {
		return err
	}
	return listens(ctx, s.internal)
}

// under posts webhooks at the rate of the plan while do runs. do ends with its context.
func (s *shelf) under(ctx context.Context, do func(ctx context.Context) error) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	r, err := s.load.run(ctx, "http://"+s.public+webhookPath, s.plan.rate, s.plan.length)
	cancel()
	if derr := <-done; err == nil && !errors.Is(derr, context.Canceled) {
		err = derr
	}
	return r, err
}

func (r result) String() string {
	text := fmt.Sprintf("%.2f, %.2f ms", float64(r.quantile(0.5))/1e6, float64(r.quantile(0.99))/1e6)
	if r.lost > 0 {
		text += fmt.Sprintf(", %d lost", r.lost)
	}
	return text
}

func (s *shelf) webhooks(ctx context.Context) error {
	idle := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	if _, err := s.under(ctx, idle); err != nil { // connections, caches
		return err
	}
	r, err := s.under(ctx, idle)
	s.row("webhook until Positus is asked, p50, p99", "%s", r)
	return err
}

// lists measures lists, each again and again while webhooks come.
func (s *shelf) lists(ctx context.Context) error {
	lists := []struct{ name, query string }{
		{"list of the newest 100", ""},
		{"list of an outcome that nobody has", "?outcome=reaped"},
		{"list of a caller", "?caller=" + url.QueryEscape(callerNumber(7))},
	}
	took := make([][]time.Duration, len(lists))
	r, err := s.under(ctx, func(ctx context.Context) error {
		for ctx.Err() == nil {
			for i, l := range lists {
				began := time.Now()
				if _, err := s.get(ctx, l.query); err != nil {
					return errors.Join(ctx.Err(), err)
				}
				took[i] = append(took[i], time.Since(began))
			}
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	for i, l := range lists {
		slices.Sort(took[i])
		s.row(l.name+", p50, max", "%.1f, %.1f ms",
			float64(quantile(took[i], 0.5))/1e6, float64(quantile(took[i], 1))/1e6)
	}
	s.row("webhooks meanwhile, p50, p99", "%s", r)
	return nil
}

// get reads a page of calls. It decodes nothing: what is measured is the router.
func (s *shelf) get(ctx context.Context, query string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.internal+"/api/v1/calls"+query, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := s.load.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("a list of calls: HTTP %d", resp.StatusCode)
	}
	return io.ReadAll(resp.Body)
}

// export reads all records, page by page, as `calls export` does.
func (s *shelf) export(ctx context.Context) error {
	n, began := 0, time.Now()
	var took time.Duration
	var most int64
	r, err := s.under(ctx, func(ctx context.Context) error {
		for cursor := ""; ; {
			page, err := s.get(ctx, "?limit=1000&order=oldest&cursor="+cursor)
			if err != nil {
				return errors.Join(ctx.Err(), err)
			}
			n, took = n+bytes.Count(page, []byte(`"rules_version":`)), time.Since(began)
			most = max(most, memory(s.router.cmd.Process.Pid))
			_, next, more := bytes.Cut(page[max(0, len(page)-200):], []byte(`"next":"`))
			if cursor, _, _ = strings.Cut(string(next), `"`); !more {
				<-ctx.Done()
				return ctx.Err()
			}
		}
	})
	if err != nil {
		return err
	}
	s.row("export, records a second", "%.0f", float64(n)/took.Seconds())
	s.row("webhooks meanwhile, p50, p99", "%s", r)
	s.row("memory of the router meanwhile", "%.0f MB", float64(most)/1e6)
	return nil
}

// sizes are those of the router's memory and of the store.
func (s *shelf) sizes(ctx context.Context) error {
	s.row("memory of the router", "%.0f MB", float64(memory(s.router.cmd.Process.Pid))/1e6)
	if s.redis != nil {
		s.row("memory of Redis", "%.0f MB", float64(memory(s.redis.cmd.Process.Pid))/1e6)
		return nil
	}
	info, err := os.Stat(s.address)
	if err == nil {
		s.row("size of the file", "%.0f MB", float64(info.Size())/1e6)
	}
	return err
}

// memory is what Linux counts as resident for a process, without pages of files.
func memory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	return field(strings.TrimLeft(rest, " \t"), "") * 1024
}

// purge deletes the older half of the records while webhooks come.
func (s *shelf) purge(ctx context.Context) error {
	s.router.kill()
	began := time.Now()
	if err := s.serve(ctx, func(public, internal string) *exec.Cmd {
		return exec.Command(s.self, purgerCommand, s.rules, s.address, s.url, public, internal)
	}); err != nil {
		return err
	}
	s.row("start after it was killed", "%.2f s", time.Since(began).Seconds())
	var before, during result
	var err error
	idle := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for range 2 { // the first are connections and caches
		if before, err = s.under(ctx, idle); err != nil {
			return err
		}
	}
	during, err = s.under(ctx, func(ctx context.Context) error {
		if err := s.router.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if err := s.router.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = s.router.cmd.Wait()
	log, err := os.ReadFile(s.router.log)
	if err != nil {
		return err
	}
	_, rest, found := strings.Cut(string(log), purgedText)
	if !found {
		return fmt.Errorf("the purge did not end: %s", log)
	}
	var seconds float64
	if _, err := fmt.Sscan(rest, &s.purged, &seconds); err != nil {
		return fmt.Errorf("the purge says %q: %w", rest, err)
	}
	s.router = nil
	s.row("webhooks before a purge of half, p50, p99", "%s", before)
	s.row("webhooks during it, p50, p99", "%s", during)
	s.row("the same as a ratio of p50", "%.1f×", ratio(during.quantile(0.5), before.quantile(0.5)))
	s.row("purged records a second", "%.0f", float64(s.purged)/max(seconds, 0.001))
	return nil
}
