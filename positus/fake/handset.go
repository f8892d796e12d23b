package fake

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// gatherTime is how long a handset looks for its own addresses.
const gatherTime = 5 * time.Second

// Handset makes a browser the loudspeaker and the microphone of a Media phone. It takes the browser's SDP offer, and
// returns the answer. What the phone hears goes to the browser from then on, and what the browser sends is spoken, until
// the call is over. Packets are passed on as they are. The two legs are two connections, so the call's own stays as
// WhatsApp's would be, whatever the browser is.
func (c *Call) Handset(offer string) (answer string, err error) {
	if c.peer == nil {
		return "", errNoMedia
	}
	pc, err := handsetConnection(c.server.cfg.AudioAddr)
	if err != nil {
		return "", fmt.Errorf("fake: set up the handset: %w", err)
	}
	defer func() {
		if err != nil {
			_ = pc.Close() // err says more
		}
	}()
	out, err := webrtc.NewTrackLocalStaticRTP(
		webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "phone", "phone")
	if err != nil {
		return "", err
	}
	if err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", fmt.Errorf("fake: the browser's offer: %w", err)
	}
	if _, err = pc.AddTrack(out); err != nil {
		return "", err
	}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			_ = c.SendAudio(packet.Payload) // before the call is connected there is nobody to hear it
		}
	})
	if answer, err = localAnswer(pc); err != nil {
		return "", err
	}
	c.peer.listenTo(func(p Packet) {
		if p.PayloadType == payloadOpus {
			_ = out.WriteRTP(&rtp.Packet{Header: rtp.Header{
				Version: 2, SequenceNumber: p.Sequence, Timestamp: p.Timestamp, Marker: p.Marker,
			}, Payload: p.Payload}) // nobody hears the phone any more
		}
	})
	return answer, c.whenOver(func() {
		c.peer.listenTo(nil)
		_ = pc.GracefulClose() // nothing is left to do if it fails
	})
}

// whenOver runs f once the call is over or the server closes. It fails if the server is closed already.
func (c *Call) whenOver(f func()) error {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.spawn(func() {
		select {
		case <-c.over:
		case <-s.ctx.Done():
		}
		f()
	}) {
		return errors.New("fake: the server is closed")
	}
	return nil
}

// listenTo makes f get every packet that the phone hears from now on; nil: nobody.
func (p *peer) listenTo(f func(Packet)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hearing = f
}

// handsetConnection makes a connection that browsers on this machine and, if the address is not a loopback one, on its
// network can reach.
func handsetConnection(address string) (*webrtc.PeerConnection, error) {
	codecs := &webrtc.MediaEngine{}
	if err := codecs.RegisterCodec(webrtc.RTPCodecParameters{
		PayloadType: payloadOpus,
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
		},
	}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() || ip.String() == address })
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // a browser that hides its address calls first, and so shows it
	api := webrtc.NewAPI(webrtc.WithMediaEngine(codecs), webrtc.WithSettingEngine(settings))
	return api.NewPeerConnection(webrtc.Configuration{})
}

// localAnswer answers once all addresses are known.
func localAnswer(pc *webrtc.PeerConnection) (string, error) {
	gathered := webrtc.GatheringCompletePromise(pc)
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("fake: answer the browser: %w", err)
	}
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("fake: answer the browser: %w", err)
	}
	select {
	case <-gathered:
	case <-time.After(gatherTime):
		return "", errors.New("fake: the handset found no address within 5 s")
	}
	sdp := pc.LocalDescription().SDP
	if !strings.Contains(sdp, "a=candidate:") {
		return "", errors.New("fake: the handset found no address: is there an IPv4 interface?")
	}
	return sdp, nil
}
