// Package router is the router as a service: it opens the adapters and the listeners, runs the jobs, reads the rules
// again when they change, and stops. It is given all it needs in a [Config], so a test can run one in its own process.
package router

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"callrouter/cmd/callrouter/internal/metrics"
	"callrouter/console"
	"callrouter/engine"
	"callrouter/media"
	"callrouter/positus"
	"callrouter/rules"
	"callrouter/store"

	"github.com/go-co-op/gocron/v2"
)

// Router is the whole service: both listeners and what is behind them. [Start] opens it, [Router.Stop] closes it.
type Router struct {
	cfg       Config
	store     engine.Store
	backup    console.Backup // nil if the store is no file
	positus   *positus.Client
	engine    *engine.Engine
	keeper    *keeper
	metrics   *metrics.Metrics
	jobs      gocron.Scheduler
	public    *http.Server
	internal  *http.Server
	listenP   net.Listener
	listenI   net.Listener
	failed    chan error
	crash     *crashPoints
	readiness *readiness
	inHand    requests                // of the internal side
	stopping  chan struct{}           // closed when the internal side takes no new work
	cancel    context.CancelCauseFunc // ends the internal side's requests
	endWatch  context.CancelFunc
	watch     sync.WaitGroup
}

// Start opens the store and the listeners and begins to serve. The error names what could not be opened, and the
// setting to change.
func Start(ctx context.Context, cfg Config) (_ *Router, err error) {
	r := &Router{
		cfg: cfg, metrics: metrics.New(), failed: make(chan error, 2), stopping: make(chan struct{}), crash: newCrashPoints(),
	}
	defer func() {
		if err != nil {
			_ = r.close() // err says more
		}
	}()
	if err = r.open(ctx); err != nil {
		return nil, err
	}
	if err = r.engine.Start(ctx); err != nil {
		return nil, err
	}
	if r.jobs, err = scheduler(r.jobTable(), r.metrics, cfg.Log); err != nil {
		return nil, err
	}
	_ = r.metrics.Refresh(ctx, r.engine, r.store) // a store that is away is a gauge, too
	r.jobs.Start()
	r.serve()
	return r, nil
}

// open makes everything that the listeners need, and opens them. It serves nothing yet.
func (r *Router) open(ctx context.Context) (err error) {
	cfg := r.cfg
	clock := engine.NewClock(cfg.Clock)
	if r.store, err = store.Open(ctx, cfg.Store, store.Config{
		Logger: cfg.Log, Now: clock.Now, Wall: clock.Wall, Uptime: clock.Uptime, OnError: r.metrics.Error,
	}); err != nil {
		return err // it names the store, without the password
	}
	if file, ok := r.store.(store.Backer); ok {
		r.backup = file.Backup
	}
	r.store = r.crash.store(r.metrics.Store(r.store))
	if err = r.listen(ctx); err != nil {
		return err
	}
	if r.positus, err = positus.New(positus.Config{
		URL: cfg.PositusURL, Token: cfg.PositusToken, Logger: cfg.Log,
		Normal:  func(digits string) string { return rules.NewCaller(digits, "", "").Key() },
		Secrets: cfg.WebhookSecrets, Sources: cfg.WebhookSources, TrustedProxies: cfg.TrustedProxies,
		OnRefused: r.metrics.Error,
	}); err != nil {
		return err
	}
	audio, err := media.New(media.Config{Logger: cfg.Log, PublicIP: cfg.PublicIP, Loopback: cfg.AudioLoopback})
	if err != nil {
		return err
	}
	internalURL := strings.TrimSuffix(cmp.Or(cfg.InternalURL, localURL(r.listenI.Addr())), "/")
	r.engine = engine.New(engine.Config{
		Store: r.store, Provider: r.crash.provider(r.metrics.Provider(r.positus)), Media: audio,
		Answerer: media.NewAnswerer(cfg.Log), Rules: cfg.Rules, Log: cfg.Log, Observer: r.metrics,
		StoreDown: cfg.StoreDown, Clock: clock,
		HangUpURL: func(callID string) string { return console.HangUpURL(internalURL, cfg.AdminToken, callID) },
	})
	r.readiness = &readiness{ping: r.store.Ping, engine: r.engine, notFound: r.positus.NotFound}
	if cfg.OwnProcess {
		debug.FreeOSMemory()  // reading rules and long lists leaves more garbage than they are
		_ = fitCollector(ctx) // it returns none
	}
	r.keeper = newKeeper(cfg.Rules, r.engine, r.metrics, r.crash, cfg.Log, cfg.Retention)
	rules.NewCaller("5511999999999", "", "") // the first caller shall not wait for the table of Brazilian numbers
	r.cfg.Rules = nil                        // the engine frees versions that nobody has any more
	return nil
}

// Failed receives the error of a listener that failed; the router is to be stopped then.
func (r *Router) Failed() <-chan error { return r.failed }

// PublicAddr is the address of the public side, with the port that was chosen where the configuration says 0.
func (r *Router) PublicAddr() string { return r.listenP.Addr().String() }

// InternalAddr is the address of the internal side.
func (r *Router) InternalAddr() string { return r.listenI.Addr().String() }

// Engine is the engine that the router runs.
func (r *Router) Engine() *engine.Engine { return r.engine }

// Store is the store that the router has open.
func (r *Router) Store() engine.Store { return r.store }

// Reload reads the rules again. A file that is refused changes nothing and is reported in the log.
func (r *Router) Reload(ctx context.Context) error {
	_, _, err := r.keeper.Reload(ctx)
	return err
}

// localURL returns the URL of a listener for clients on this machine.
func localURL(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if ip, perr := netip.ParseAddr(host); err == nil && perr == nil && ip.IsUnspecified() {
		return "http://" + net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + a.String()
}

func (r *Router) listen(ctx context.Context) (err error) {
	if r.listenP, err = listen(ctx, r.cfg.Listen); err != nil {
		return fmt.Errorf("public listener: %w; choose another address with --listen", err)
	}
	if r.listenI, err = listen(ctx, r.cfg.InternalListen); err != nil {
		return fmt.Errorf("internal listener: %w; choose another address with --internal-listen", err)
	}
	return nil
}

func (r *Router) serve() {
	base, cancel := context.WithCancelCause(context.Background())
	r.cancel = cancel
	public := http.NewServeMux()
	public.Handle("/webhooks/", r.crash.webhooks(r.metrics.Webhooks(r.positus.Webhooks(r.engine.Receive))))
	public.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	public.Handle("GET /readyz", r.readiness.public())
	r.public = r.server(context.Background(), public) // a webhook that came before the stop is taken
	r.public.ReadTimeout = 5 * time.Second
	r.public.WriteTimeout = 10 * time.Second
	r.internal = r.server(base, r.inHand.count(console.New(console.Config{
		Engine: r.engine, Store: r.store, Rules: r.keeper, Backup: r.backup, AdminToken: r.cfg.AdminToken,
		Metrics: r.metrics.Handler(), Logger: r.cfg.Log,
		Ready: r.readiness.internal(), Stopping: r.stopping,
		ConsoleURL: r.cfg.ConsoleURL, ICEServers: r.cfg.ICEServers, TrustedProxies: r.cfg.TrustedProxies,
		ClientAddr: func(req *http.Request) netip.Addr { return positus.ClientAddr(req, r.cfg.TrustedProxies) },
	})))
	watched, endWatch := context.WithCancel(context.Background())
	r.endWatch = endWatch
	r.watch.Go(func() { r.keeper.Watch(watched) })
	r.internal.ReadTimeout = console.ReadTime
	for s, l := range map[*http.Server]net.Listener{r.public: r.listenP, r.internal: r.listenI} {
		go func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				r.failed <- err
			}
		}()
	}
}

func (r *Router) server(base context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 2 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(r.cfg.Log.Handler(), slog.LevelWarn),
	}
}

// close frees whatever is open.
func (r *Router) close() error {
	var errs []error
	for _, l := range []net.Listener{r.listenP, r.listenI} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if r.positus != nil {
		r.positus.Close()
	}
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	return errors.Join(errs...)
}
