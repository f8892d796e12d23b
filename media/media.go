package media

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"callrouter/engine"
)

const (
	// gatherWithin limits the gathering of addresses for an answer. They are this machine's own, so the limit is
	// reached only if something is wrong.
	gatherWithin = 3 * time.Second
	// defaultConnectWithin: WhatsApp itself gives up 20 s after the accept (Meta: troubleshooting).
	defaultConnectWithin = 10 * time.Second
)

// Config is what a [Media] needs.
type Config struct {
	// Logger gets details of connections; nothing is logged if nil.
	Logger *slog.Logger
	// PublicIP is the address of this machine on the Internet, if it is not one of the machine's own (NAT 1:1, as in
	// most clouds). If empty, the local address from which packets to the caller's relay leave is used.
	PublicIP string
	// Loopback keeps all audio on 127.0.0.1, for a stand-in of WhatsApp on the same machine.
	Loopback bool
	// ConnectWithin is how long a connection may take to come up; 10 s if zero.
	ConnectWithin time.Duration
}

// Media implements [engine.Media]. It is safe for concurrent use and needs no closing.
type Media struct {
	logger        *slog.Logger
	publicIP      netip.Addr
	loopback      bool
	connectWithin time.Duration
}

var _ engine.Media = (*Media)(nil)

// New makes a Media. It fails if PublicIP is not an IP address.
func New(c Config) (*Media, error) {
	m := &Media{logger: c.Logger, loopback: c.Loopback, connectWithin: c.ConnectWithin}
	if m.logger == nil {
		m.logger = slog.New(slog.DiscardHandler)
	}
	if m.connectWithin <= 0 {
		m.connectWithin = defaultConnectWithin
	}
	if c.PublicIP != "" {
		ip, err := netip.ParseAddr(c.PublicIP)
		if err != nil {
			return nil, fmt.Errorf("public IP for audio: %w; use an address such as 203.0.113.7", err)
		}
		m.publicIP = ip.Unmap()
	}
	return m, nil
}

// Answer prepares to play an Ogg Opus file to the caller who made the offer. Errors say what is wrong with the offer or
// the file. Lost line ends of the offer are repaired. The caller gets nothing before [engine.Playback.Run]. The
// Playback must be closed.
func (m *Media) Answer(ctx context.Context, offer, file string) (engine.Playback, error) {
	o, err := parseOffer(offer)
	if err != nil {
		return nil, err
	}
	audio, err := openOpus(file)
	if err != nil {
		return nil, err
	}
	p, err := m.newPlayback(o, audio)
	if err != nil {
		audio.Close()
		return nil, err
	}
	if err := p.answer(ctx, o); err != nil {
		p.Close()
		return nil, fmt.Errorf("cannot play audio to the caller: %w", err)
	}
	if err := m.CheckAnswer(offer, p.sdp); err != nil {
		p.Close()
		return nil, fmt.Errorf("cannot play audio to the caller: %w", err)
	}
	return p, nil
}
