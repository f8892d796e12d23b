package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"callrouter/engine"
	"callrouter/store"
)

// fillers is how many write at once, so that they share commits and round trips.
const fillers = 256

// span is how long ago the first call of a full store was.
const span = 80 * 24 * time.Hour

// callerNumber is the number of one of the callers of a full store.
func callerNumber(i int) string { return fmt.Sprintf("+55119%08d", 70_000_000+i) }

// sampleRecord lets a router reject one call, and returns its record as JSON.
func (b *bench) sampleRecord(ctx context.Context) (string, error) {
	s := &shelf{bench: b, dir: filepath.Join(b.dir, "sample")}
	s.rules, s.address = filepath.Join(s.dir, "rules", "rules.yaml"), filepath.Join(s.dir, "calls.db")
	s.plan = recordsPlan{rate: 1, length: time.Second}
	defer s.close()
	if err := writeRules(s.rules, b.rules); err != nil {
		return "", err
	}
	if err := s.serve(ctx, func(public, internal string) *exec.Cmd {
		return serveCommand(b.router, s.rules, s.address, s.url, public, internal)
	}); err != nil {
		return "", err
	}
	if r, err := b.load.run(ctx, "http://"+s.public+webhookPath, 1, time.Second); err != nil || r.lost > 0 {
		return "", fmt.Errorf("the sample was not recorded: %d lost: %w", r.lost, err)
	}
	if err := s.router.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return "", err
	}
	_ = s.router.cmd.Wait()
	s.router = nil
	from, err := store.Open(ctx, s.address, store.Config{})
	if err != nil {
		return "", err
	}
	defer from.Close()
	calls, err := from.List(ctx, engine.Filter{Limit: 1, State: engine.Ended})
	if err != nil || len(calls) != 1 {
		return "", fmt.Errorf("%d sample records: %w", len(calls), err)
	}
	doc, err := json.Marshal(calls[0])
	return string(doc), err
}

// fill fills the store of a shelf. A file is made in memory, where that is mounted, since nobody waits for each commit.
func (s *shelf) fill(ctx context.Context, sample string) error {
	inMemory, err := os.MkdirTemp("/dev/shm", "callrouter-loadtest-")
	if err != nil || s.redis != nil {
		return fill(ctx, s.address, sample, s.records)
	}
	defer os.RemoveAll(inMemory)
	path := filepath.Join(inMemory, "calls.db")
	if err := fill(ctx, path, sample, s.records); err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(s.address, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Sync(), to.Close())
}

// fill stores copies of a record, evenly over the last 80 days. Six in ten calls were rejected, three answered, one
// abandoned. A caller has a hundred.
func fill(ctx context.Context, address, sample string, records int) (err error) {
	to, err := store.Open(ctx, address, store.Config{Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	first := time.Now().Add(-span)
	step := span / time.Duration(max(records, 1))
	next := make(chan int)
	work, ctx := errgroup.WithContext(ctx)
	for range fillers {
		work.Go(func() error {
			for i := range next {
				c, err := copyOf(sample, i, max(records/100, 1), first.Add(time.Duration(i)*step))
				if err == nil {
					_, err = to.Insert(ctx, c)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	work.Go(func() error {
		defer close(next)
		for i := range records {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return work.Wait()
}

// copyOf is the i-th copy of a record, of a call that came at an instant.
func copyOf(sample string, i, callers int, at time.Time) (*engine.Call, error) {
	c := &engine.Call{}
	if err := json.Unmarshal([]byte(sample), c); err != nil {
		return nil, err
	}
	later := at.Sub(c.ReceivedAt)
	c.ID, c.From, c.CallerKey = fmt.Sprint("wacid.filled-", i), "", callerNumber(i*7919%callers)
	c.ReceivedAt, c.Timestamp, c.Deadline = at, c.Timestamp.Add(later), c.Deadline.Add(later)
	c.EndedAt = c.EndedAt.Add(later)
	for j := range c.Transitions {
		c.Transitions[j].At = c.Transitions[j].At.Add(later)
	}
	switch i % 10 {
	case 0:
		c.Outcome = engine.Abandoned
	case 1, 2, 3:
		c.Outcome = engine.Answered
	}
	return c, nil
}
