package console

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"callrouter/console/web"
	"callrouter/engine"
	"callrouter/rules"
)

// requestTime limits how long writing a response may take, whatever the server's own WriteTimeout is: connecting a call
// takes as long as Positus and the answer window allow. Streams of events set a deadline for each write instead.
const requestTime = 90 * time.Second

// ReadTime is how long a server gives a client to send a whole request (its ReadTimeout). It ends with the body:
// responses and streams may take longer.
const ReadTime = 10 * time.Second

// Config is everything the API needs. Every field is required unless its comment says otherwise.
type Config struct {
	Engine     *engine.Engine
	Store      engine.Store
	Rules      RulesControl
	Backup     Backup // nil if the store is no file
	AdminToken string // if empty, nobody is the administrator, and nobody can sign in
	Metrics    http.Handler
	Ready      http.Handler // of GET /readyz, with details
	Logger     *slog.Logger
	Now        func() time.Time // time.Now if nil
	ConsoleURL string           // where browsers find the pages, such as https://calls.example.com; empty: any address
	ICEServers json.RawMessage  // for browsers' RTCPeerConnection, a JSON array; nil: none
	Stopping   <-chan struct{}  // once closed, streams end and new requests are refused as "stopping"; never if nil
	// TrustedProxies are the proxies whose X-Forwarded-Proto is believed; may be nil.
	TrustedProxies []netip.Prefix
	// ClientAddr returns the address that a request comes from, as far as trusted proxies tell; if nil, that of the peer.
	ClientAddr func(*http.Request) netip.Addr
}

// Backup writes a copy of the store's file to w, as it is at one instant. It calls size with the number of bytes first.
type Backup func(ctx context.Context, w io.Writer, size func(bytes int64)) error

// RulesControl is the rules file as the process keeps it.
type RulesControl interface {
	// Status returns which rules are in force.
	Status() RulesStatus
	// Reload reads the file again. If the file has errors, Reload returns them and the rules in force stay; a reload
	// that succeeds may return warnings. An error means that the new rules are in force, but that switches and lists
	// could not be read again.
	Reload(ctx context.Context) (RulesStatus, rules.Problems, error)
}

// RulesStatus is which rules are in force, and why newer ones are not.
type RulesStatus struct {
	Version     string
	LoadedAt    time.Time
	LastRefusal *Refusal // nil: the file as it is now is in force
}

// Refusal is a rules file that was refused, and why.
type Refusal struct {
	At       time.Time
	Problems rules.Problems
}

// api is what the handlers share.
type api struct {
	Config
	admin     [sha256.Size]byte // digest of the admin token
	hangUpKey []byte
	sessions  sealer
	links     sealer
	tries     tries // failed sign-ins
	pages     *http.ServeMux
}

// New makes the handler of the internal side. A server that stops gracefully closes Config.Stopping and waits for the
// requests in hand: an answer may be waiting for Positus to take the accept. If it cannot wait any longer, it cancels
// its BaseContext with the cause [engine.ErrStopping].
func New(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := newAPI(cfg)
	mux := http.NewServeMux()
	for _, rt := range a.routes() {
		mux.Handle(rt.pattern, a.guard(rt))
	}
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, crossOrigin())
	}))
	return a.onlyOwnHost(protection.Handler(a.unmatchedAsJSON(mux)))
}

func newAPI(cfg Config) *api {
	cfg.ConsoleURL = strings.TrimSuffix(cfg.ConsoleURL, "/")
	if cfg.ClientAddr == nil {
		cfg.ClientAddr = peerAddr
	}
	return &api{
		Config: cfg, admin: sha256.Sum256([]byte(cfg.AdminToken)), hangUpKey: deriveHangUpKey(cfg.AdminToken),
		sessions: newSealer(cfg.AdminToken, "console session"), links: newSealer(cfg.AdminToken, "console link"),
		pages: web.Pages(),
	}
}

// guard wraps a route's handler: it checks the sender's token against the route's access first.
func (a *api) guard(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		// A writer without deadlines (an error) has none to extend.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(requestTime))
		err := a.whileServing(rt.access)
		var who identity
		if err == nil {
			who, err = a.admit(r, rt.access)
		}
		if err == nil && who.ages(a.Now()) {
			_, err = a.grant(w, r, who.ticket)
		}
		if err == nil {
			err = rt.handle(w, r, who)
		}
		if err != nil {
			a.fail(w, r, err)
		}
	})
}

// whileServing returns an error for requests that come after the stop began. Health and metrics stay visible to its
// end.
func (a *api) whileServing(need access) error {
	select {
	case <-a.Stopping:
		if need != forAnybody {
			return stopping()
		}
	default:
	}
	return nil
}

func stopping() error {
	return problem(http.StatusServiceUnavailable, "stopping", engine.ErrStopping.Error()+"; send the request again")
}

// unmatchedAsJSON writes errors for unknown paths and methods in the form of all other errors.
func (a *api) unmatchedAsJSON(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		p := probe{header: http.Header{}}
		h.ServeHTTP(&p, r)
		if p.status != http.StatusMethodNotAllowed {
			a.fail(w, r, problem(http.StatusNotFound, "not_found",
				"no such path; the API is under /api/v1, and ids in paths are percent-escaped"))
			return
		}
		allow := p.header.Get("Allow")
		w.Header().Set("Allow", allow)
		a.fail(w, r, problem(http.StatusMethodNotAllowed, "method_not_allowed", "use "+allow+" here"))
	})
}

// probe is a response writer that keeps only the status and the headers.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
