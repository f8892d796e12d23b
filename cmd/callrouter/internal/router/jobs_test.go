package router

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callrouter/cmd/callrouter/internal/metrics"
	"callrouter/engine"
	"callrouter/positus/fake"
)

// TestAnOutageIsTwoLines: however many jobs meet an outage of the store, the log has one line when it begins and one when it
// ends; an error of another kind is logged each time.
func TestAnOutageIsTwoLines(t *testing.T) {
	var away atomic.Bool
	var runs atomic.Int64
	away.Store(true)
	work := func(context.Context) error {
		runs.Add(1)
		if away.Load() {
			return &engine.StoreError{Err: errors.New("refused")}
		}
		return nil
	}
	other := func(context.Context) error { return errors.New("odd") }
	var log logLines
	s, err := scheduler([]job{
		{beat, 20 * time.Millisecond, work}, {"sweep", 20 * time.Millisecond, work}, {"rules", time.Hour, other},
	}, metrics.New(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer func() { _ = s.Shutdown() }()
	until(t, "the jobs have failed often", func() bool { return runs.Load() > 10 })
	away.Store(false)
	until(t, "the end is logged", func() bool { return strings.Contains(log.String(), "can be reached again") })
	if n := strings.Count(log.String(), "cannot be reached"); n != 1 {
		t.Errorf("%d lines about the outage:\n%s", n, &log)
	}
	for _, j := range s.Jobs() {
		if j.Name() == "rules" {
			if err := j.RunNow(); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "another error is logged", func() bool { return strings.Contains(log.String(), "error=odd") })
}

// TestHistoryLongerThanRecordsAreKept: a condition that looks back further than --retention is a warning when the file is loaded.
func TestHistoryLongerThanRecordsAreKept(t *testing.T) {
	for last, warned := range map[string]bool{"365d": true, "30m": false} {
		var log logLines
		text := strings.Replace(handsOff, `"true"`, `'calls("`+last+`") > 3'`, 1)
		r, _ := run(t, text, fake.Dials{}, func(cfg *Config) {
			cfg.Retention, cfg.Log = 24*time.Hour, slog.New(slog.NewTextHandler(&log, nil))
		})
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(log.String(), "looks back further than records are kept"); got != warned {
			t.Errorf("calls(%q) with records of 24 h: warned %v\n%s", last, got, &log)
		}
	}
}
