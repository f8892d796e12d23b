package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"callrouter/cmd/callrouter/internal/metrics"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"
)

// job is a line of the job table.
type job struct {
	name  string
	every time.Duration
	run   func(ctx context.Context) error
}

// jobTable says when jobs run. Every instance runs them all; none rests on a lock.
func (r *Router) jobTable() []job {
	e, k := r.engine, r.keeper
	return []job{
		{"beat", 2 * time.Second, e.Beat},
		{"sweep", 2 * time.Second, e.Sweep},
		{"overrides", 2 * time.Second, e.RefreshOverrides},
		{"journal", time.Second, e.FlushKept},
		{"rules", 10 * time.Second, k.Look},
		{"versions", time.Hour, e.KeepVersion},
		{"retention", time.Hour, e.PurgeRecords(r.cfg.Retention)},
		{"gauges", 10 * time.Second, func(ctx context.Context) error { return r.metrics.Refresh(ctx, e, r.store) }},
		{"overdue", time.Minute, func(ctx context.Context) error { return r.metrics.RefreshOverdue(ctx, e, r.store) }},
	}
}

// RunJob starts a job of the table out of its turn, for tests that cannot wait for it: beat, sweep, overrides, journal,
// rules, retention, gauges or overdue.
func (r *Router) RunJob(name string) error {
	for _, j := range r.jobs.Jobs() {
		if j.Name() == name {
			return j.RunNow()
		}
	}
	return fmt.Errorf("there is no job %q", name)
}

// scheduler runs the table. A job never overlaps itself, one that panics is logged and runs again.
func scheduler(table []job, m *metrics.Metrics, log *slog.Logger) (gocron.Scheduler, error) {
	s, err := gocron.NewScheduler(
		gocron.WithLocation(time.UTC),
		gocron.WithStopTimeout(5*time.Second),
		gocron.WithGlobalJobOptions(
			gocron.WithSingletonMode(gocron.LimitModeReschedule),
			gocron.WithEventListeners(
				gocron.AfterJobRunsWithPanic(func(_ uuid.UUID, name string, p any) {
					m.Error("job_panic")
					log.Error(
						"a bug stopped a scheduled job; it runs again at its next time; report it",
						"job",
						name,
						"panic",
						fmt.Sprint(p),
					)
				}),
				gocron.AfterJobRunsWithError(func(_ uuid.UUID, name string, err error) {
					if errors.Is(err, context.Canceled) {
						return
					}
					m.Error("job_" + name)
					log.Error("a scheduled job failed; it runs again at its next time", "job", name, "error", err)
				}),
			),
		),
	)
	if err != nil {
		return nil, fmt.Errorf("scheduler: %w", err)
	}
	for _, j := range table {
		_, err := s.NewJob(gocron.DurationJob(j.every), gocron.NewTask(j.run), gocron.WithName(j.name))
		if err != nil {
			return nil, fmt.Errorf("scheduling %s: %w", j.name, err)
		}
	}
	return s, nil
}
