package router

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"callrouter/engine"
)

// The steps of a stop end at instants counted from its beginning, so that all of them share one [StopTimeout].
const (
	admitted = time.Second                 // how long requests that were just admitted find a running engine
	workEnds = StopTimeout - 2*time.Second // for webhooks, requests and calls in hand
	jobsEnd  = StopTimeout - time.Second/2 // for jobs and for requests that were told to end
	lookAt   = 10 * time.Millisecond       // how often requests in hand are counted
)

// requests counts the requests that a handler has in hand.
type requests struct{ n atomic.Int64 }

func (q *requests) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q.n.Add(1)
		defer q.n.Add(-1)
		h.ServeHTTP(w, r)
	})
}

// wait returns nil once no request is in hand, and the context's error if it ends before.
func (q *requests) wait(ctx context.Context) error {
	look := time.NewTicker(lookAt)
	defer look.Stop()
	for q.n.Load() > 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Stop reports "not ready" for as long as load balancers need to notice. Then it refuses new work, finishes work in
// hand or leaves it to other instances, and closes everything, within [StopTimeout]. What it could not finish is in the
// log: records say how it goes on, so the error is only about closing what was open.
func (r *Router) Stop() error {
	began := time.Now()
	r.readiness.stops.Store(true)
	<-time.After(r.cfg.Drain)
	work, cancel := context.WithDeadline(context.Background(), began.Add(workEnds))
	defer cancel()
	last, cancelLast := context.WithDeadline(context.Background(), began.Add(jobsEnd))
	defer cancelLast()
	r.endWatch()
	close(r.stopping) // streams end, and agents connect elsewhere; an answer that waits for Positus keeps waiting
	r.unfinished("webhooks", r.public.Shutdown(work))
	settled, cancelSettled := context.WithTimeout(work, admitted)
	defer cancelSettled()
	_ = r.inHand.wait(settled) // what is left is waited for below
	r.unfinished("calls", r.engine.Stop(work))
	r.unfinished("requests", r.inHand.wait(work))
	r.cancel(engine.ErrStopping)
	r.unfinished("cancelled requests", r.internal.Shutdown(last))
	r.unfinished("jobs", r.jobs.ShutdownWithContext(last))
	r.watch.Wait()
	return errors.Join(r.internal.Close(), r.public.Close(), r.close())
}

// unfinished logs what a stop could not bring to its end.
func (r *Router) unfinished(what string, err error) {
	if err != nil {
		r.cfg.Log.Warn(
			"the stop did not finish everything in time; records in the store say what is left, and the next start, "+
				"or another instance, continues",
			"unfinished",
			what,
			"error",
			err,
		)
	}
}
