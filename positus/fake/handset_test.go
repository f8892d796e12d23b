package fake_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"callrouter/positus/fake"
)

// TestHandset: a browser at the handset hears what the phone hears, and speaks for it.
func TestHandset(t *testing.T) {
	t.Parallel()
	g := overHTTP(t)
	c, business := connected(t, g, fake.Phone{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	must(err)
	defer func() { _ = pc.GracefulClose() }()
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	mic, err := webrtc.NewTrackLocalStaticRTP(opus, "mic", "mic")
	must(err)
	_, err = pc.AddTrack(mic)
	must(err)
	heard := make(chan string, 1000)
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			heard <- string(p.Payload)
		}
	})
	gathered := webrtc.GatheringCompletePromise(pc)
	offer, err := pc.CreateOffer(nil)
	must(err)
	must(pc.SetLocalDescription(offer))
	<-gathered
	answer, err := c.Handset(pc.LocalDescription().SDP)
	must(err)
	must(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	limit := soon(t).Done()
	next := func(from <-chan string) string {
		select {
		case payload := <-from:
			return payload
		case <-limit:
			t.Fatal("no packet came")
		}
		return ""
	}
	said, first := 0, ""
	for first == "" { // the handset's side may be connected a moment later
		business.say(t, said, 1)
		said++
		select {
		case first = <-heard:
		case <-time.After(20 * time.Millisecond):
		case <-limit:
			t.Fatal("the handset hears nothing")
		}
	}
	business.say(t, said, 1)
	for want := fmt.Sprintf("frame %d", said); next(heard) != want; { // what came late is in between
		continue
	}
	for i := range 5 {
		must(mic.WriteRTP(&rtp.Packet{
			Header: rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i * 960)}, Payload: []byte("hello"),
		}))
	}
	select {
	case p := <-business.heard:
		if string(p.Payload) != "hello" || p.PayloadType != 111 {
			t.Errorf("the business hears %q of type %d", p.Payload, p.PayloadType)
		}
	case <-limit:
		t.Error("the business hears nothing")
	}
	c.HangUp()
	if _, err := g.place(fake.Phone{}).Handset(offer.SDP); err == nil {
		t.Error("a phone without audio has a handset")
	}
	if _, err := c.Handset("nonsense"); err == nil {
		t.Error("nonsense was answered")
	}
}

// TestAudioAddr: phones offer the address that was chosen, and no other.
func TestAudioAddr(t *testing.T) {
	t.Parallel()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip := a.(*net.IPNet).IP
		if ip.To4() == nil || ip.IsLoopback() {
			continue
		}
		g := overHTTP(t, func(cfg *fake.Config) { cfg.AudioAddr = ip.String() })
		for _, kind := range []fake.OfferKind{fake.OfferCurrent, fake.OfferOlder} {
			c := g.place(fake.Phone{Media: true, Offer: kind})
			if !strings.Contains(c.Offer, "c=IN IP4 "+ip.String()) || strings.Contains(c.Offer, " ::1 ") ||
				strings.Contains(c.Offer, "udp 2122260223 127.0.0.1") || strings.Contains(c.Offer, "udp 2113937151 127.0.0.1") {
				t.Errorf("the offer is\n%s", c.Offer)
			}
		}
		return
	}
	t.Skip("this machine has no IPv4 address but that of loopback")
}
