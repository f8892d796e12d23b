package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callrouter/console"
	"callrouter/engine"
	"callrouter/media"
	"callrouter/positus"
	"callrouter/rules"
	"callrouter/store"

	"github.com/go-co-op/gocron/v2"
)

const (
	// stopTimeout is how long a graceful stop may take.
	stopTimeout = 10 * time.Second
	// maxDrain is how much of it may be spent on telling load balancers.
	maxDrain = 5 * time.Second
)

// routerConfig is what a router is made of.
type routerConfig struct {
	settings
	secrets
	file     *rules.File
	sources  []netip.Prefix
	proxies  []netip.Prefix
	loopback bool // audio stays on this machine
	log      *slog.Logger
}

// router is the whole service: both listeners and what is behind them.
type router struct {
	cfg      routerConfig
	store    engine.Store
	positus  *positus.Client
	engine   *engine.Engine
	keeper   *rulesKeeper
	jobs     gocron.Scheduler
	public   *http.Server
	internal *http.Server
	listenP  net.Listener
	listenI  net.Listener
	failed   chan error
	crash    *crashPoints
	draining atomic.Bool
	cancel   context.CancelFunc
	watch    sync.WaitGroup
}

// startRouter opens everything and begins to serve.
func startRouter(ctx context.Context, cfg routerConfig) (_ *router, err error) {
	r := &router{cfg: cfg, failed: make(chan error, 2), crash: newCrashPoints()}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	clock := engine.NewClock(nil)
	if r.store, err = store.Open(ctx, cfg.Store, store.Config{Logger: cfg.log, Now: clock.Now}); err != nil {
		return nil, err // it names the store, without the password
	}
	m := newMetrics()
	r.store = r.crash.store(&instrumentedStore{r.store, m})
	if err = r.listen(ctx); err != nil {
		return nil, err
	}
	if r.positus, err = positus.New(positus.Config{
		URL: cfg.PositusURL, Token: cfg.positusToken, Logger: cfg.log,
		Normal:  func(digits string) string { return rules.NewCaller(digits, "", "").Key() },
		Secrets: cfg.webhookSecrets, Sources: cfg.sources, TrustedProxies: cfg.proxies, OnRefused: m.Error,
	}); err != nil {
		return nil, err
	}
	audio, err := media.New(media.Config{Logger: cfg.log, PublicIP: cfg.PublicIP, Loopback: cfg.loopback})
	if err != nil {
		return nil, err
	}
	internalURL := strings.TrimSuffix(cmp.Or(cfg.InternalURL, localURL(r.listenI.Addr())), "/")
	r.engine = engine.New(engine.Config{
		Store: r.store, Provider: r.crash.provider(&instrumentedProvider{r.positus, m}), Media: audio, Answerer: media.NewAnswerer(cfg.log),
		Rules: cfg.file, Log: cfg.log, Observer: m, StoreDown: cfg.storeDown(), Clock: clock,
		HangUpURL: func(callID string) string { return console.HangUpURL(internalURL, cfg.adminToken, callID) },
	})
	r.keeper = newRulesKeeper(cfg.Rules, cfg.file, r.engine, m, r.crash, cfg.log)
	if err = r.engine.Start(ctx); err != nil {
		return nil, err
	}
	table := append(jobTable(r.engine, r.keeper, time.Duration(cfg.Retention)), gaugeJobs(m, r.engine, r.store)...)
	if r.jobs, err = scheduler(table, m, cfg.log); err != nil {
		return nil, err
	}
	m.gauges.refresh(ctx, r.engine, r.store)
	r.jobs.Start()
	r.serve(m)
	return r, nil
}

// localURL is where a listener is reached from this machine.
func localURL(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if ip, perr := netip.ParseAddr(host); err == nil && perr == nil && ip.IsUnspecified() {
		return "http://" + net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + a.String()
}

func (r *router) listen(ctx context.Context) (err error) {
	if r.listenP, err = listen(ctx, r.cfg.Listen); err != nil {
		return fmt.Errorf("public side: %w; choose another address with --listen", err)
	}
	if r.listenI, err = listen(ctx, r.cfg.InternalListen); err != nil {
		return fmt.Errorf("internal side: %w; choose another address with --internal-listen", err)
	}
	return nil
}

func (r *router) serve(m *metrics) {
	base, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	public := http.NewServeMux()
	public.Handle("/webhooks/", r.crash.webhooks(m.webhooksCounted(r.positus.Webhooks(r.engine.Receive))))
	public.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	public.HandleFunc("GET /readyz", r.ready)
	r.public = r.server(context.Background(), public) // a webhook that came before the stop is taken
	r.public.ReadTimeout = 5 * time.Second
	r.public.WriteTimeout = 10 * time.Second
	r.internal = r.server(base, console.New(console.Config{
		Engine: r.engine, Store: r.store, Rules: r.keeper, AdminToken: r.cfg.adminToken, Metrics: m.handler(), Logger: r.cfg.log,
	}))
	r.watch.Go(func() { r.keeper.Watch(base) })
	for s, l := range map[*http.Server]net.Listener{r.public: r.listenP, r.internal: r.listenI} {
		go func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				r.failed <- err
			}
		}()
	}
}

func (r *router) server(base context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 2 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(r.cfg.log.Handler(), slog.LevelWarn),
	}
}

// ready answers whether calls can be decided as the rules say.
func (r *router) ready(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), time.Second)
	defer cancel()
	body := struct {
		Ready bool   `json:"ready"`
		Stops bool   `json:"stops,omitempty"`
		Rules string `json:"rules"`
		Store string `json:"store"`
		Alarm string `json:"alarm,omitempty"`
	}{Ready: true, Rules: r.engine.Rules().Version(), Store: "ok"}
	if r.draining.Load() {
		body.Ready, body.Stops = false, true
	}
	if err := r.store.Ping(ctx); err != nil {
		body.Ready, body.Store = false, "cannot be reached: "+err.Error()
	}
	var alarms []string
	for _, a := range r.engine.Alarms() {
		alarms = append(alarms, fmt.Sprintf("WhatsApp reported %d: %s", a.Code, a.Message))
	}
	body.Alarm = strings.Join(alarms, "; ")
	w.Header().Set("Content-Type", "application/json")
	if !body.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// stop says that it stops for as long as load balancers are given to notice, takes no new work, lets what is in hand come
// to its end or leaves it for others, and closes everything.
func (r *router) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout-2*time.Second) // the rest is for jobs and listeners
	defer cancel()
	r.draining.Store(true)
	<-time.After(time.Duration(r.cfg.Drain))
	r.cancel() // event streams end, agents reconnect elsewhere
	r.watch.Wait()
	err := r.public.Shutdown(ctx)
	left := r.engine.Stop(ctx)
	if errors.Is(left, context.DeadlineExceeded) { // its records say what is to be done
		r.cfg.log.Warn("not everything came to its end in time; the next start, or another instance, goes on with it", "error", left)
		left = nil
	}
	err = errors.Join(err, left, r.jobs.Shutdown(), r.internal.Shutdown(ctx))
	r.engine, r.jobs = nil, nil
	return errors.Join(err, r.close())
}

// close frees whatever is open.
func (r *router) close() error {
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
