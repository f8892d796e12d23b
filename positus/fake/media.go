package fake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// The payload types of every offer (Meta: calling FAQ; user-initiated calls for digits).
const (
	payloadOpus   = 111
	payloadDigits = 126
)

const heardLimit = 30_000 // packets kept, ten minutes of audio

// Packet is an RTP packet that a phone heard, or digits that it was sent.
type Packet struct {
	At          time.Time // arrival
	Sequence    uint16
	Timestamp   uint32
	PayloadType uint8 // 111 Opus, 126 telephone-event
	Marker      bool
	SSRC        uint32
	Payload     []byte
}

// Heard returns the packets that a Media phone has received so far, in order of arrival; the first 30,000 are kept.
func (c *Call) Heard() []Packet {
	if c.peer == nil {
		return nil
	}
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	return slices.Clone(c.peer.heard)
}

// WaitHeard returns what a Media phone has received once it is n packets or more.
func (c *Call) WaitHeard(ctx context.Context, n int) ([]Packet, error) {
	if c.peer == nil {
		return nil, errNoMedia
	}
	for {
		c.peer.mu.Lock()
		heard, more := slices.Clone(c.peer.heard), c.peer.arrived.wait()
		c.peer.mu.Unlock()
		if len(heard) >= n {
			return heard, nil
		}
		select {
		case <-more:
		case <-c.peer.closed:
			return heard, fmt.Errorf("fake: the audio ended after %d packets, waiting for %d", len(heard), n)
		case <-ctx.Done():
			return heard, fmt.Errorf("fake: %d packets heard, waiting for %d: %w", len(heard), n, ctx.Err())
		}
	}
}

// WaitConnected returns once a Media phone has an encrypted connection to the other side.
func (c *Call) WaitConnected(ctx context.Context) error {
	if c.peer == nil {
		return errNoMedia
	}
	select {
	case <-c.peer.connected:
		return nil
	case <-c.peer.closed:
	case <-ctx.Done():
		return fmt.Errorf("fake: waiting for the audio to connect: %w", ctx.Err())
	}
	select {
	case <-c.peer.connected: // and over since
		return nil
	default:
		return errors.New("fake: the call ended before its audio connected")
	}
}

var errNoMedia = errors.New("fake: the phone has no audio: place the call with Phone.Media")

// peer is the audio of one phone: an ICE-lite WebRTC peer on this machine, as WhatsApp's relay is one.
type peer struct {
	pc        *webrtc.PeerConnection
	voice     *voice
	now       func() time.Time
	connected chan struct{}
	first     chan struct{} // closed when the first RTP packet arrived
	closed    chan struct{}
	firstOnce sync.Once
	closeOnce sync.Once
	readers   sync.WaitGroup

	mu       sync.Mutex
	heard    []Packet
	hearing  func(Packet) // also gets what is heard, if it is not nil
	lastSign time.Time    // last RTP or RTCP, by Go's own clock
	arrived  signal
}

// newPeer makes a peer with the ICE credentials of an offer's fields, and sets the fields' port, fingerprint and SSRC.
func newPeer(f *offerFields, now func() time.Time, address string) (*peer, error) {
	f.address = address
	api, err := audioAPI(f.ufrag, f.pwd, address)
	if err != nil {
		return nil, fmt.Errorf("fake: set up the phone's audio: %w", err)
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("fake: set up the phone's audio: %w", err)
	}
	p := &peer{
		pc:        pc,
		voice:     newVoice(f.stream),
		now:       now,
		connected: make(chan struct{}),
		first:     make(chan struct{}),
		closed:    make(chan struct{}),
	}
	if err := p.offer(f); err != nil {
		p.close()
		return nil, fmt.Errorf("fake: make the phone's offer: %w", err)
	}
	return p, nil
}

func audioAPI(ufrag, pwd, address string) (*webrtc.API, error) {
	codecs := &webrtc.MediaEngine{}
	for _, codec := range []webrtc.RTPCodecParameters{
		{PayloadType: payloadOpus, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}}, // parameters may differ
		{
			PayloadType:        payloadDigits,
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000},
		},
	} {
		if err := codecs.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	var settings webrtc.SettingEngine
	settings.SetLite(true)
	settings.SetICECredentials(ufrag, pwd)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetIPFilter(func(ip net.IP) bool { return ip.String() == address })
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	return webrtc.NewAPI(webrtc.WithMediaEngine(codecs), webrtc.WithSettingEngine(settings)), nil
}

// offer gathers the one candidate and reads what the offer's text needs.
func (p *peer) offer(f *offerFields) error {
	transceiver, err := p.pc.AddTransceiverFromTrack(p.voice)
	if err != nil {
		return err
	}
	if err := transceiver.SetMid("audio"); err != nil {
		return err
	}
	p.pc.OnTrack(p.hear)
	up := sync.OnceFunc(func() { close(p.connected) })
	p.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			up()
		}
	})
	gathered := webrtc.GatheringCompletePromise(p.pc)
	description, err := p.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	if err := p.pc.SetLocalDescription(description); err != nil {
		return err
	}
	select {
	case <-gathered:
	case <-time.After(5 * time.Second):
		return errors.New("no address gathered within 5 s")
	}
	p.background(p.readFeedback)
	return f.read(p.pc.LocalDescription().SDP)
}

// read takes the port, the fingerprint and the SSRC out of a local description.
func (f *offerFields) read(sdp string) error {
	candidate := strings.Fields(attribute(sdp, "candidate"))
	_, fingerprint, _ := strings.Cut(attribute(sdp, "fingerprint"), " ")
	ssrc, _, _ := strings.Cut(attribute(sdp, "ssrc"), " ")
	if len(candidate) < 6 || fingerprint == "" {
		return errors.New("no address for audio, or no fingerprint: is Config.AudioAddr an IPv4 address of this machine?")
	}
	port, err := strconv.Atoi(candidate[5])
	if err != nil {
		return fmt.Errorf("candidate port: %w", err)
	}
	number, err := strconv.ParseUint(ssrc, 10, 32)
	if err != nil {
		return fmt.Errorf("ssrc: %w", err)
	}
	f.port, f.fingerprint, f.ssrc = port, strings.ToUpper(fingerprint), uint32(number)
	return nil
}

func (p *peer) answer(sdp string) error {
	return p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp})
}

// hear keeps every packet that arrives.
func (p *peer) hear(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	p.background(func() {
		for {
			if _, _, err := receiver.ReadRTCP(); err != nil {
				return
			}
			p.sign()
		}
	})
	p.background(func() {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			one := Packet{
				At: p.now(), Sequence: packet.SequenceNumber, Timestamp: packet.Timestamp,
				PayloadType: packet.PayloadType,
				Marker:      packet.Marker, SSRC: packet.SSRC, Payload: packet.Payload,
			}
			p.mu.Lock()
			if len(p.heard) < heardLimit {
				p.heard = append(p.heard, one)
			}
			p.lastSign = time.Now()
			p.arrived.fire()
			hearing := p.hearing
			p.mu.Unlock()
			if hearing != nil {
				hearing(one)
			}
			p.firstOnce.Do(func() { close(p.first) })
		}
	})
}

// readFeedback notes RTCP about what the phone sends, because it keeps a silent call alive.
func (p *peer) readFeedback() {
	for _, sender := range p.pc.GetSenders() {
		for {
			if _, _, err := sender.ReadRTCP(); err != nil {
				return
			}
			p.sign()
		}
	}
}

func (p *peer) sign() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastSign = time.Now()
}

// silence returns the time since the last packet.
func (p *peer) silence() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.lastSign)
}

// background runs f until it returns by itself, which closing the connection makes it do.
func (p *peer) background(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
	default:
		p.readers.Go(f)
	}
}

// close ends the audio and returns when all of its goroutines are gone.
func (p *peer) close() {
	p.closeOnce.Do(func() {
		p.mu.Lock()
		close(p.closed)
		p.mu.Unlock()
		_ = p.pc.GracefulClose() // nothing is left to do if it fails
	})
	p.readers.Wait()
}

// listen ends the call when the business is silent: for Config.NoMediaAfter at its start, for Config.SilenceAfter
// later.
func (c *Call) listen() {
	s, p := c.server, c.peer
	start := time.NewTimer(s.cfg.NoMediaAfter)
	defer start.Stop()
	select {
	case <-p.first:
	case <-start.C:
		c.finishNow(End{By: Network, Code: 138021})
		return
	case <-c.over:
		return
	case <-s.ctx.Done():
		return
	}
	for silent := p.silence(); s.pause(s.cfg.SilenceAfter-silent, c.over); {
		if silent = p.silence(); silent >= s.cfg.SilenceAfter {
			c.finishNow(End{By: Network, Code: 138021})
			return
		}
	}
}
