package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"callrouter/cmd/callrouter/internal/metrics"
	"callrouter/engine"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"
)

// beat is the job whose success shows that the store is back.
const beat = "beat"

// job is a line of the job table.
type job struct {
	name  string
	every time.Duration
	run   func(ctx context.Context) error
}

// jobTable says when jobs run. Every instance runs them all; none rests on a lock.
func (r *Router) jobTable() []job {
	e, k := r.engine, r.keeper
	table := []job{
		{beat, 2 * time.Second, e.Beat},
		{"sweep", 2 * time.Second, e.Sweep},
		{"overrides", 2 * time.Second, e.RefreshOverrides},
		{"journal", time.Second, e.FlushKept},
		{"rules", 10 * time.Second, k.Look},
		{"versions", time.Hour, e.KeepVersion},
		{"retention", time.Hour, e.PurgeRecords(r.cfg.Retention)},
		{"gauges", 10 * time.Second, func(ctx context.Context) error { return r.metrics.Refresh(ctx, e, r.store) }},
		{"overdue", time.Minute, func(ctx context.Context) error { return r.metrics.RefreshOverdue(ctx, e, r.store) }},
	}
	if r.cfg.OwnProcess {
		table = append(table, job{"memory", 10 * time.Second, fitCollector})
	}
	return table
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
	var away atomic.Bool // an outage of the store is one line when it begins and one when it ends, whichever jobs it meets
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
				gocron.AfterJobRuns(func(_ uuid.UUID, name string) {
					if name == beat && away.CompareAndSwap(true, false) {
						log.Info("the store can be reached again")
					}
				}),
				gocron.AfterJobRunsWithError(func(_ uuid.UUID, name string, err error) {
					if errors.Is(err, context.Canceled) {
						return
					}
					m.Error("job_" + name)
					if _, store := errors.AsType[*engine.StoreError](err); store {
						if away.CompareAndSwap(false, true) {
							log.Error("the store cannot be reached; calls are decided as --store-down says, and jobs run again by "+
								"themselves; look at the store", "job", name, "error", err)
						}
						return
					}
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
