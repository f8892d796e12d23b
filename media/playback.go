package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"callrouter/engine"
)

// playback implements [engine.Playback]: one connection, one file.
type playback struct {
	peer          *webrtc.PeerConnection
	track         *webrtc.TrackLocalStaticRTP
	audio         *opusFile
	connectWithin time.Duration

	sdp        string
	candidates []webrtc.ICECandidateInit // the caller's, withheld until Run

	connected chan struct{}
	lost      chan struct{} // closed when the connection is over, whoever ended it
	isUp      sync.Once
	isLost    sync.Once

	closing  sync.Once
	closeErr error
	drains   sync.WaitGroup
}

func (m *Media) newPlayback(o *offer, audio *opusFile) (*playback, error) {
	peer, err := m.newPeer(o)
	if err != nil {
		return nil, fmt.Errorf("answering with audio: %w", err)
	}
	p := &playback{
		peer: peer, audio: audio, connectWithin: m.connectWithin,
		connected: make(chan struct{}), lost: make(chan struct{}),
	}
	peer.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			p.isUp.Do(func() { close(p.connected) })
		case webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			p.lose()
		}
	})
	peer.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		drain(func(b []byte) error { _, _, err := t.Read(b); return err })
	})
	return p, nil
}

func (p *playback) lose() { p.isLost.Do(func() { close(p.lost) }) }

// drain reads and discards until reading fails.
func drain(read func([]byte) error) {
	for b := make([]byte, 1500); read(b) == nil; {
	}
}

// answer makes the SDP answer. It withholds the caller's candidates: with one of them the library would connect at
// once, before the call is accepted, and early packets start the timer that the caller sees (Meta: calling FAQ).
func (p *playback) answer(ctx context.Context, o *offer) error {
	if err := p.peer.SetRemoteDescription(webrtc.SessionDescription{
		Type: webrtc.SDPTypeOffer, SDP: o.withoutCandidates(),
	}); err != nil {
		return err
	}
	for _, c := range o.raw {
		p.candidates = append(p.candidates, webrtc.ICECandidateInit{Candidate: "candidate:" + c, SDPMid: &o.mid})
	}
	if err := p.addTrack(o); err != nil {
		return err
	}
	answer, err := p.peer.CreateAnswer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(p.peer)
	if err := p.peer.SetLocalDescription(answer); err != nil {
		return err
	}
	timer := time.NewTimer(gatherWithin)
	defer timer.Stop()
	select {
	case <-gathered:
	case <-timer.C: // CheckAnswer reports an answer without addresses
	case <-ctx.Done():
		return ctx.Err()
	}
	p.sdp = trimCandidates(p.peer.LocalDescription().SDP)
	return nil
}

func (p *playback) addTrack(o *offer) error {
	var err error
	p.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: opusRate, Channels: 2, SDPFmtpLine: o.opusParams,
	}, "audio", "callrouter")
	if err != nil {
		return err
	}
	sender, err := p.peer.AddTrack(p.track)
	if err != nil {
		return err
	}
	p.drains.Go(func() {
		drain(func(b []byte) error { _, _, err := sender.Read(b); return err })
	})
	return nil
}

// SDP returns the complete answer, with CRLF line ends. It is always the same, because WhatsApp wants the same bytes if
// it gets the answer twice.
func (p *playback) SDP() string { return p.sdp }

// Run connects, calls up once, and plays the file from start to end at its pace. It returns nil after the last packet
// has been heard, [engine.ErrNoMedia] (with the reason) if the connection did not come up in time, broke or was closed,
// and ctx's error if that ended first. It may be called once.
func (p *playback) Run(ctx context.Context, up func()) error {
	if err := p.start(); err != nil {
		return err
	}
	timer := time.NewTimer(p.connectWithin)
	defer timer.Stop()
	select {
	case <-p.connected:
	case <-p.lost:
		return p.broken()
	case <-timer.C:
		return fmt.Errorf("%w: no connection within %s; check that the firewall lets UDP to WhatsApp's relays out",
			engine.ErrNoMedia, p.connectWithin)
	case <-ctx.Done():
		return ctx.Err()
	}
	up()
	return p.play(ctx, timer)
}

// start gives the caller's candidates to the library, which then begins to connect. One usable candidate is enough.
func (p *playback) start() error {
	var refused []error
	for _, c := range p.candidates {
		if err := p.peer.AddICECandidate(c); err != nil {
			refused = append(refused, err)
		}
	}
	if len(refused) == len(p.candidates) {
		return fmt.Errorf("%w: none of the offer's candidates can be used: %w", engine.ErrNoMedia,
			errors.Join(refused...))
	}
	return nil
}

// play sends every packet at its own time after one common start, so that delays do not add up.
func (p *playback) play(ctx context.Context, timer *time.Timer) error {
	header := rtp.Header{
		Version: 2, Marker: true, SequenceNumber: uint16(rand.Uint32()), Timestamp: rand.Uint32(),
	}
	start := time.Now()
	var played int64 // samples
	for {
		due := start.Add(time.Duration(played) * time.Second / opusRate)
		packet, err := p.audio.next()
		if err != nil && err != io.EOF {
			if p.isOver() {
				return p.broken()
			}
			return fmt.Errorf("the audio file failed during playback, and the caller heard only a part: %w", err)
		}
		if waitErr := p.wait(ctx, timer, time.Until(due)); waitErr != nil || err == io.EOF {
			return waitErr
		}
		if err := p.track.WriteRTP(&rtp.Packet{Header: header, Payload: packet.payload}); err != nil {
			return fmt.Errorf("%w: %w", engine.ErrNoMedia, err)
		}
		header.Marker = false
		header.SequenceNumber++
		header.Timestamp += packet.samples
		played += int64(packet.samples)
	}
}

func (p *playback) wait(ctx context.Context, timer *time.Timer, d time.Duration) error {
	timer.Reset(d)
	select {
	case <-timer.C:
		return nil
	case <-p.lost:
		return p.broken()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *playback) isOver() bool {
	select {
	case <-p.lost:
		return true
	default:
		return false
	}
}

func (p *playback) broken() error {
	return fmt.Errorf("%w: the connection was closed or lost", engine.ErrNoMedia)
}

// Close ends the connection and returns when all its goroutines and sockets are gone.
func (p *playback) Close() error {
	p.closing.Do(func() {
		p.lose()
		p.closeErr = errors.Join(p.peer.GracefulClose(), p.audio.Close())
		p.drains.Wait()
	})
	return p.closeErr
}
