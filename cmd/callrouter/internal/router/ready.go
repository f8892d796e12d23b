package router

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callrouter/engine"
)

// readyFor is how long one look at the store serves everybody who asks: /readyz is open to anybody.
const readyFor = time.Second

// readiness tells load balancers, and people, whether this process can decide calls as the rules say.
type readiness struct {
	ping     func(ctx context.Context) error // of the store
	engine   *engine.Engine
	notFound func() []string // ids of numbers that Positus does not find
	stops    atomic.Bool

	mu      sync.Mutex
	looked  time.Time
	pingErr error
}

// readyBody is the response of GET /readyz.
type readyBody struct {
	Ready bool   `json:"ready"`
	Stops bool   `json:"stops,omitempty"`
	Rules string `json:"rules"`
	Store string `json:"store"`
	Alarm string `json:"alarm,omitempty"`
}

// public responds in words that anybody may read.
func (d *readiness) public() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		d.write(w, func(error) string { return "cannot be reached" }, func([]string) string {
			return "Positus does not find a number that gets calls (HTTP 404): check positus_id in the rules file, and --positus-url"
		})
	})
}

// internal responds with addresses and ids.
func (d *readiness) internal() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		d.write(w, func(err error) string { return "cannot be reached: " + err.Error() }, func(ids []string) string {
			return fmt.Sprintf(
				"Positus does not find the number with positus_id %s (HTTP 404), and none of its calls can be accepted or "+
					"rejected: check positus_id in the rules file, and --positus-url",
				strings.Join(ids, ", "),
			)
		})
	})
}

func (d *readiness) write(w http.ResponseWriter, away func(error) string, missing func([]string) string) {
	err := d.look()
	body := readyBody{
		Ready: err == nil && !d.stops.Load(), Stops: d.stops.Load(), Rules: d.engine.Rules().Version(), Store: "ok",
	}
	if err != nil {
		body.Store = away(err)
	}
	var alarms []string
	for _, a := range d.engine.Alarms() {
		alarms = append(alarms, fmt.Sprintf("WhatsApp reported %d: %s", a.Code, a.Message))
	}
	if ids := d.notFound(); len(ids) > 0 {
		alarms = append(alarms, missing(ids))
	}
	body.Alarm = strings.Join(alarms, "; ")
	w.Header().Set("Content-Type", "application/json")
	if !body.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// look asks the store, at most once in readyFor however many ask, and also those at once.
func (d *readiness) look() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.looked.IsZero() && time.Since(d.looked) < readyFor {
		return d.pingErr
	}
	// a client that leaves must not fail it for others
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	d.pingErr = d.ping(ctx)
	d.looked = time.Now()
	return d.pingErr
}
