package positus

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
)

const (
	testToken  = "tok_CANARY"
	testNumber = "5dbbbf01-2f92-4389-b512-45de86c4a66f"
	testCall   = "wacid.HBgMNTU0Mzk5MDU2MDQxFQIAEhg+/A=="
	testPhone  = "5511987654321"
)

// memory is a network in memory, so that real HTTP runs on the clock of a synctest bubble.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu     sync.Mutex
	refuse int // dials to refuse before one works
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), done: make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}
func (m *memory) Close() error   { m.once.Do(func() { close(m.done) }); return nil }
func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	m.mu.Lock()
	refused := m.refuse > 0
	m.refuse--
	m.mu.Unlock()
	if refused {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}
	}
	near, far := net.Pipe()
	select {
	case m.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.done:
		return nil, net.ErrClosed
	}
}

// fixture is a client whose Positus is a function, inside a synctest bubble.
type fixture struct {
	*Client
	network *memory
	logs    *bytes.Buffer

	mu       sync.Mutex
	start    time.Time
	arrivals map[string][]time.Duration // of requests, since start, by the end of their path
}

// newFixture must be closed with the function it returns, inside the bubble.
func newFixture(t *testing.T, serve http.HandlerFunc) (*fixture, func()) {
	t.Helper()
	f := &fixture{
		network:  newMemory(),
		logs:     &bytes.Buffer{},
		start:    time.Now(),
		arrivals: map[string][]time.Duration{},
	}
	server := &http.Server{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("read request: %v", err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			f.mu.Lock()
			last := r.URL.Path[bytes.LastIndexByte([]byte(r.URL.Path), '/')+1:]
			f.arrivals[last] = append(f.arrivals[last], time.Since(f.start))
			f.mu.Unlock()
			serve(w, r)
		}),
	}
	go func() { _ = server.Serve(f.network) }()
	transport := &http.Transport{DialContext: f.network.dial}
	c, err := New(Config{
		URL: "http://positus.example/v2/", Token: testToken, HTTP: &http.Client{Transport: transport},
		Logger: slog.New(slog.NewJSONHandler(f.logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Client = c
	return f, func() {
		c.Close()
		_ = server.Close()
		_ = f.network.Close()
	}
}

func (f *fixture) seen(last string) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Duration(nil), f.arrivals[last]...)
}

// run sends a request of a kind that is given by name.
func run(ctx context.Context, c *Client, k kind) error {
	switch k {
	case accept:
		return c.Accept(ctx, testNumber, testCall, "v=0\r\n")
	case reject:
		return c.Reject(ctx, testNumber, testCall)
	case hangUp:
		return c.HangUp(ctx, testNumber, testCall)
	case makeCall:
		return c.Make(ctx, testNumber, MakeRequest{To: testPhone, SDP: "v=0\r\n"})
	case permissions:
		_, err := c.CallPermissions(ctx, testNumber, testPhone)
		return err
	case message:
		return c.SendText(ctx, testNumber, testPhone, "Hi!")
	}
	panic("no such kind: " + k)
}

func providerError(t *testing.T, err error) *engine.ProviderError {
	t.Helper()
	var p *engine.ProviderError
	if !errors.As(err, &p) {
		t.Fatalf("not a provider error: %v", err)
	}
	return p
}

func within5s(t *testing.T) context.Context { return lasting(t, 5*time.Second) }

// lasting is a context that ends after d.
func lasting(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
