package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"callrouter/engine"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"
)

// job is a line of the job table.
type job struct {
	name  string
	every time.Duration
	run   func(ctx context.Context) error
}

// jobTable says when the engine's jobs run. Every instance runs them all; none rests on a lock.
func jobTable(e *engine.Engine, k *rulesKeeper, keep time.Duration) []job {
	return []job{
		{"beat", 2 * time.Second, e.Beat},
		{"sweep", 2 * time.Second, e.Sweep},
		{"overrides", 2 * time.Second, e.RefreshOverrides},
		{"journal", time.Second, e.FlushKept},
		{"rules", 10 * time.Second, k.Look},
		{"retention", time.Hour, e.PurgeRecords(keep)},
	}
}

// scheduler runs the table. A job never overlaps itself, one that panics is logged and runs again.
func scheduler(table []job, m *metrics, log *slog.Logger) (gocron.Scheduler, error) {
	s, err := gocron.NewScheduler(
		gocron.WithLocation(time.UTC),
		gocron.WithStopTimeout(5*time.Second),
		gocron.WithGlobalJobOptions(
			gocron.WithSingletonMode(gocron.LimitModeReschedule),
			gocron.WithEventListeners(
				gocron.AfterJobRunsWithPanic(func(_ uuid.UUID, name string, p any) {
					m.Error("job_panic")
					log.Error("a scheduled job failed inside; it runs again at its next time", "job", name, "panic", fmt.Sprint(p))
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
