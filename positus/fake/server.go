// Package fake is a stand-in for Positus that runs: the calling part of its HTTP API with a state machine behind each
// call, the webhooks it posts, and the phones of the people who call. It refuses what WhatsApp would refuse, misbehaves
// when a dial asks for it, and logs every request for tests and demonstrations to check.
//
//	srv := fake.New(fake.Config{Token: "secret", Numbers: map[string]string{"5dbbbf01": "551131361234"}})
//	if err := srv.Start(); err != nil { … }
//	defer srv.Close()
//	srv.SetWebhookURL("http://127.0.0.1:8080/webhooks/positus/…")
//	call, err := srv.Call(fake.Phone{Number: "5511999998888"})
//	err = call.Wait(ctx, fake.Accepted)
//
// Paths, bodies and replies follow the samples in Positus' quick-docs (calling/api-calling); codes and timing follow
// Meta's pages on WhatsApp calling (user-initiated calls, troubleshooting). Everything stays on loopback, but for audio if
// Config.AudioAddr says so.
package fake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Config is what a [Server] needs. Only Token and Numbers are required.
type Config struct {
	// Addr is where Start listens, "127.0.0.1:0" if empty.
	Addr string
	// Token is the Bearer token that requests must carry; any other gets 401.
	Token string
	// Numbers maps a Positus number id (a UUID in production) to the digits of the business phone behind it.
	Numbers map[string]string
	// WebhookURL receives the webhooks; SetWebhookURL changes it later. Empty: webhooks are recorded as undeliverable.
	WebhookURL string
	// WebhookClient posts the webhooks; the default gives up after 20 s, as Meta does (Meta: calling FAQ).
	WebhookClient *http.Client
	// Logger gets a line for each request and webhook, without phone numbers; silent if nil.
	Logger *slog.Logger
	// Now is the wall clock for timestamps and for the answer window, time.Now if nil. Waiting always uses Go's
	// own timers, so that a server made inside a synctest bubble follows the bubble's clock without it.
	Now func() time.Time
	// Seed makes call ids, offers, windows and jitter repeatable. Zero picks one and logs it.
	Seed uint64
	// AnswerWindowMin and AnswerWindowMax bound the random time in which a call can be accepted, 30 s and 60 s if zero
	// (Meta: user-initiated calls, "about 30 to 60 seconds"). Phone.Window sets it for one call.
	AnswerWindowMin, AnswerWindowMax time.Duration
	// NoMediaAfter ends an accepted call whose phone has heard nothing yet, 20 s if zero (Meta: troubleshooting).
	NoMediaAfter time.Duration
	// SilenceAfter ends a call in which the business went silent, RTCP included, 30 s if zero (Meta: troubleshooting).
	SilenceAfter time.Duration
	// AudioAddr is where phones have their audio, an IPv4 address of this machine; 127.0.0.1 if empty. Browsers other
	// than Chrome may not reach a loopback address.
	AudioAddr string
	// Dials are how the server behaves at first; Adjust changes them later.
	Dials Dials
}

// Server is a running stand-in. Its methods may be called from any goroutine. It is also an http.Handler, for callers
// that bring their own listener or none; then Start is not needed, and Close still is.
type Server struct {
	cfg     Config
	log     *slog.Logger
	client  *http.Client
	ownIdle func() // closes idle connections of a client that New made

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu         sync.Mutex // guards all below, and the state of every Call
	closed     bool
	listener   net.Listener
	httpServer *http.Server
	rand       *rand.Rand
	webhookURL string
	dials      Dials
	faults     faultList
	calls      map[string]*Call
	order      []*Call
	requests   []Request
	requested  signal
	deliveries []Delivery
	delivered  signal
}

// New makes a server that does not listen yet.
func New(cfg Config) *Server {
	cfg.Numbers = maps.Clone(cfg.Numbers)
	setDefault(&cfg.Addr, "127.0.0.1:0")
	setDefault(&cfg.AudioAddr, loopback)
	setDefault(&cfg.AnswerWindowMin, 30*time.Second)
	setDefault(&cfg.AnswerWindowMax, max(60*time.Second, cfg.AnswerWindowMin))
	setDefault(&cfg.NoMediaAfter, 20*time.Second)
	setDefault(&cfg.SilenceAfter, 30*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&cfg.Seed, rand.Uint64())
	s := &Server{
		cfg: cfg, log: cfg.Logger, client: cfg.WebhookClient, ownIdle: func() {},
		rand:       rand.New(rand.NewPCG(cfg.Seed, cfg.Seed)),
		webhookURL: cfg.WebhookURL,
		dials:      cfg.Dials.clone(),
		faults:     faultList{},
		calls:      map[string]*Call{},
	}
	if s.client == nil {
		transport := &http.Transport{MaxIdleConnsPerHost: 64}
		s.client = &http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: noRedirect}
		s.ownIdle = transport.CloseIdleConnections
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.log.Debug("fake positus made", "seed", cfg.Seed)
	return s
}

// Start listens on Config.Addr and serves until Close. It fails when the address is taken, or when Token or Numbers are
// missing, since then no request could succeed.
func (s *Server) Start() error {
	if s.cfg.Token == "" || len(s.cfg.Numbers) == 0 {
		return errors.New("fake: Config.Token and Config.Numbers are required: set both before Start")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.listener != nil {
		return errors.New("fake: already started or closed: make a new server with New")
	}
	listener, err := net.Listen("tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("fake: listen on %s (set another Config.Addr): %w", s.cfg.Addr, err)
	}
	s.listener = listener
	s.httpServer = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.spawn(func() {
		if err := s.httpServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("fake positus stopped serving", "error", err)
		}
	})
	return nil
}

// URL returns the address of the API for a client's configuration, "http://127.0.0.1:PORT/v2", empty before Start.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return "http://" + s.listener.Addr().String() + "/v2"
}

// SetWebhookURL changes where webhooks go from now on.
func (s *Server) SetWebhookURL(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhookURL = url
}

// Close stops listening, drops requests and webhooks in flight, hangs up every phone without a webhook, and
// returns when the last goroutine is gone. Closing twice is harmless.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	server := s.httpServer
	var peers []*peer
	for _, c := range s.order {
		if c.peer != nil {
			peers = append(peers, c.peer)
		}
	}
	s.mu.Unlock()
	s.cancel()
	var err error
	if server != nil {
		err = server.Close()
	}
	for _, p := range peers {
		p.close()
	}
	s.work.Wait()
	s.ownIdle()
	if err != nil {
		return fmt.Errorf("fake: close the listener: %w", err)
	}
	return nil
}

// spawn runs f in a goroutine that Close waits for; s.mu is held. It reports false, and runs nothing, after Close.
func (s *Server) spawn(f func()) bool {
	if s.closed {
		return false
	}
	s.work.Go(f)
	return true
}

// pause waits for d and reports true, or false at once when stop or Close comes first.
func (s *Server) pause(d time.Duration, stop <-chan struct{}) bool {
	if d <= 0 {
		return s.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	case <-s.ctx.Done():
		return false
	}
}

func (s *Server) now() time.Time { return s.cfg.Now() }

// signal wakes all that wait for a change. Both methods need the lock of what changes.
type signal struct{ ch chan struct{} }

func (g *signal) wait() <-chan struct{} {
	if g.ch == nil {
		g.ch = make(chan struct{})
	}
	return g.ch
}

func (g *signal) fire() {
	if g.ch != nil {
		close(g.ch)
		g.ch = nil
	}
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
