package router

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// Config is everything that a router is made of. Fields without a comment that says otherwise are required.
type Config struct {
	Rules *rules.File // in force from the start; its file is watched, and read again when it changes

	Store     string           // a path: the embedded store; redis:// or rediss://: Redis
	StoreDown engine.StoreDown // what a call gets while the store is away; [engine.DecideInMemory] if empty
	Retention time.Duration    // how long records of ended calls are kept

	Listen         string         // address of the public side: webhooks and health
	WebhookSecrets []string       // one of them ends the URL of every webhook
	WebhookSources []netip.Prefix // who may post webhooks; nil: whoever knows a secret
	TrustedProxies []netip.Prefix // whose X-Forwarded-For and -Proto are believed; may be nil

	InternalListen string // address of the internal side: API and metrics
	InternalURL    string // the internal side as outside answerers reach it; its address on this machine if empty
	AdminToken     string // of the API
	ConsoleURL     string // where browsers find the pages, such as https://calls.example.com; empty: any address

	ICEServers json.RawMessage // for browsers' RTCPeerConnection, a JSON array; nil: none

	PositusURL   string
	PositusToken string

	PublicIP      string // where WhatsApp reaches the audio of this machine, if that is not an address of its own
	AudioLoopback bool   // audio stays on this machine, for trials

	OwnProcess bool // the process is for this router alone, so its garbage collector may be set to suit it

	Drain time.Duration    // how long a stop reports "not ready" before it closes the public side; at most [MaxDrain]
	Clock func() time.Time // the wall clock of this machine; time.Now if nil
	Log   *slog.Logger
}

const (
	// StopTimeout is how long [Router.Stop] may take.
	StopTimeout = 10 * time.Second
	// MaxDrain is how much of that Config.Drain may take.
	MaxDrain = 5 * time.Second
	// PeerTimeout is how long a connection may leave what was sent to it unacknowledged, on Linux. An agent is present
	// while the stream of events is connected, and TCP alone notices after a quarter of an hour that the other side's
	// network is gone (tcp(7), TCP_USER_TIMEOUT).
	PeerTimeout = 10 * time.Second
)
