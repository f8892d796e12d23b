package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"callrouter/rules"
)

// Timing is how long the engine waits for things. Tests scale it.
type Timing struct {
	Lease     time.Duration // an instance or a connection that is silent for this long is gone
	Poll      time.Duration // how often a waiting call looks again without being woken
	StoreWait time.Duration // how long a step retries the store before it continues without it
	AgentGone time.Duration // an active call is hung up once its agent has been disconnected for this long
	AgentLook time.Duration // how often the sweep looks for that
	HangUpMax time.Duration // the longest pause between two attempts to hang up
	MediaWait time.Duration // how long one hang-up or message may take
}

// DefaultTiming is what the router runs with.
func DefaultTiming() Timing {
	return Timing{
		Lease:     6 * time.Second,
		Poll:      time.Second,
		StoreWait: 1500 * time.Millisecond,
		AgentGone: 15 * time.Minute,
		AgentLook: 30 * time.Second,
		HangUpMax: time.Minute,
		MediaWait: 8 * time.Second,
	}
}

const (
	actReserve  = 2 * time.Second // of the answer window, kept for the default
	minRing     = 3 * time.Second // nothing starts ringing with less left
	ringGrace   = 2 * time.Second // a ringing slot outlives its offer by this, so that the owner ends it, not the lease
	activeGrace = time.Minute     // the same for an active call
	maxLive     = 20_000          // calls in hand; above this, webhooks are refused, and the platform sends them again
	maxReaping  = 32              // hang-ups of the sweep at once
)

// Config is everything an engine needs. A field is required unless its comment names a default.
type Config struct {
	Store     Store
	Provider  Provider
	Media     Media
	Answerer  Answerer
	Rules     *rules.File
	Log       *slog.Logger
	Observer  Observer
	StoreDown StoreDown                  // DecideInMemory if empty
	HangUpURL func(callID string) string // where an outside answerer ends its call
	Timing    Timing                     // DefaultTiming if zero
	Clock     *Clock                     // the machine's if nil; the same as the store's
}

// Engine runs calls. Make one with [New], end it with [Engine.Stop].
type Engine struct {
	Config
	instance string
	log      *slog.Logger

	current     atomic.Pointer[rules.File]
	runtime     atomic.Pointer[rules.Runtime]
	left        atomic.Bool
	writes      atomic.Int64 // of records, for their names
	sweepsAsked atomic.Int64 // sweeps requested since the last one finished
	rereading   atomic.Bool  // records that may have changed are being read again
	skewed      atomic.Bool  // the machine's clock is not the store's

	// Instants of this process in nanoseconds of uptime. Setting a clock does not change uptime.
	began      time.Duration // of the clock
	beat       atomic.Int64  // when the store last confirmed that this instance lives
	away       atomic.Int64  // when the store began to fail; 0 while it works
	failed     atomic.Int64  // when the store last failed
	takeOverAt atomic.Int64  // no call is taken over before this; see holdTakeOvers

	ctx         context.Context // ends when waiting must stop
	stop        context.CancelFunc
	wg          sync.WaitGroup
	hub         hub
	receiving   keyed
	overrides   overrides
	replica     replica
	dispatchers dispatchers
	reaping     chan struct{} // places for hang-ups of the sweep
	mu          sync.Mutex
	runners     map[string]*runner
	explained   []unpackedVersion // older versions, unpacked for a question; the last asked for last
	versions    []inForce         // newest last, so that a call keeps its version
	stopping    bool
	alarms      alarms
}

// ErrStopping: the engine accepts no more work.
var ErrStopping = errors.New("the router is stopping; another instance must do this")

// ErrTooMany: the engine holds its maximum of calls. The webhook must be sent again.
var ErrTooMany = errors.New("this instance holds its maximum of calls; send the webhook again, or add instances")

// New makes an engine. It does nothing before [Engine.Start].
func New(cfg Config) *Engine {
	if cfg.Clock == nil {
		cfg.Clock = NewClock(nil)
	}
	if cfg.Timing == (Timing{}) {
		cfg.Timing = DefaultTiming()
	}
	if cfg.StoreDown == "" {
		cfg.StoreDown = DecideInMemory
	}
	e := &Engine{
		Config: cfg, instance: rand.Text(), began: cfg.Clock.Uptime(),
		runners: map[string]*runner{}, reaping: make(chan struct{}, maxReaping),
	}
	e.log = cfg.Log.With("instance", e.instance[:6])
	e.ctx, e.stop = context.WithCancel(context.Background())
	e.hub.init()
	e.alarms.init()
	e.receiving.init()
	e.replica.init()
	e.dispatchers.init()
	e.setRules(cfg.Rules)
	e.Config.Rules = nil // or the first version would never be freed
	e.runtime.Store(&rules.Runtime{})
	return e
}

// Start announces this instance to the others, reads switches and lists, and takes over the calls of dead instances.
func (e *Engine) Start(ctx context.Context) error {
	e.Store.OnWake(e.wake)
	if err := e.Beat(ctx); err != nil {
		return fmt.Errorf("announcing this instance: %w", err)
	}
	if err := e.RefreshOverrides(ctx); err != nil {
		return err
	}
	e.background(e.keepVersionSoon)
	return e.Sweep(ctx)
}

// Stop accepts no new work and waits for work in hand until ctx ends. Actions under way finish. Calls that only wait
// are left to other instances. Audio that still plays after a moment is cut off with a hang-up. It returns an
// error if work was still in hand when ctx ended, or if the store could not record the departure.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	e.stopping = true
	e.mu.Unlock()
	e.stop()
	done := make(chan struct{})
	go func() { e.wg.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("stopped with calls in hand; other instances take them over: %w", ctx.Err())
	}
	e.left.Store(true)
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(err, e.Store.Leave(leave, e.instance))
}

// Now returns the time that answer windows and limits go by; see [Clock].
func (e *Engine) Now() time.Time { return e.Clock.Now() }

// background runs work that Stop waits for; its context ends when the engine stops.
func (e *Engine) background(work func(ctx context.Context)) {
	e.mu.Lock()
	if e.stopping { // the next owner or the next start does the work
		e.mu.Unlock()
		return
	}
	e.wg.Add(1)
	e.mu.Unlock()
	go func() {
		defer e.wg.Done()
		defer func() {
			if p := recover(); p != nil {
				e.caught(p, "a bug stopped work in the background; jobs and sweeps do it again; report the stack")
			}
		}()
		work(e.ctx)
	}()
}

// caught reports a panic that was recovered.
func (e *Engine) caught(p any, text string, attrs ...any) {
	e.report("panic", text, fmt.Errorf("%v", p), append(attrs, "stack", string(debug.Stack()))...)
}

// report counts an error of a kind and logs it. The text says what happened, what it means for calls, and what to do.
func (e *Engine) report(kind, text string, err error, attrs ...any) {
	e.Observer.Error(kind)
	e.log.Error(text, append([]any{"kind", kind, "error", err}, attrs...)...)
}
