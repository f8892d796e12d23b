package fake_test

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"callrouter/positus/fake"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// answerer is the business: a pion peer that answers as a router or a browser does.
type answerer struct {
	pc    *webrtc.PeerConnection
	track *webrtc.TrackLocalStaticRTP
	heard chan *rtp.Packet
	up    chan struct{}
	sdp   string
}

func answer(t *testing.T, offer string) *answerer {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	codecs := &webrtc.MediaEngine{}
	opus := webrtc.RTPCodecCapability{
		MimeType:    webrtc.MimeTypeOpus,
		ClockRate:   48000,
		Channels:    2,
		SDPFmtpLine: "minptime=20;useinbandfec=1",
	}
	must(codecs.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: opus},
		webrtc.RTPCodecTypeAudio))
	must(codecs.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 126,
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType:  "audio/telephone-event",
			ClockRate: 8000,
		}}, webrtc.RTPCodecTypeAudio))
	var settings webrtc.SettingEngine
	must(settings.SetAnsweringDTLSRole(webrtc.DTLSRoleClient))
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(codecs), webrtc.WithSettingEngine(settings)).
		NewPeerConnection(webrtc.Configuration{})
	must(err)
	a := &answerer{pc: pc, heard: make(chan *rtp.Packet, 1000), up: make(chan struct{})}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	a.track, err = webrtc.NewTrackLocalStaticRTP(opus, "audio", "router")
	must(err)
	_, err = pc.AddTrack(a.track)
	must(err)
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			close(a.up)
		}
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			a.heard <- packet
		}
	})
	must(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}))
	gathered := webrtc.GatheringCompletePromise(pc)
	description, err := pc.CreateAnswer(nil)
	must(err)
	must(pc.SetLocalDescription(description))
	<-gathered
	a.sdp = pc.LocalDescription().SDP
	return a
}

func (a *answerer) say(t *testing.T, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		packet := &rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i * 960)},
			Payload: fmt.Appendf(nil, "frame %d", i),
		}
		if err := a.track.WriteRTP(packet); err != nil {
			t.Fatal(err)
		}
	}
}

func connected(t *testing.T, g *rig, p fake.Phone) (*fake.Call, *answerer) {
	t.Helper()
	p.Media = true
	c := g.place(p)
	a := answer(t, c.Offer)
	if r := g.post(fake.KindAccept, map[string]any{"call_id": c.ID, "sdp": a.sdp}); r.status != 200 {
		t.Fatalf("accept: %d %s", r.status, r.body)
	}
	if err := c.WaitConnected(soon(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-a.up:
	case <-soon(t).Done():
		t.Fatal("the answering side did not connect")
	}
	return c, a
}

// TestABrowsersParametersConnect: what an answer says about its own side differs from the offer's, in every browser.
func TestABrowsersParametersConnect(t *testing.T) {
	for _, params := range []string{
		"minptime=10;useinbandfec=1", "maxplaybackrate=48000;stereo=1;useinbandfec=1", "useinbandfec=0;minptime=60",
	} {
		g := overHTTP(t)
		c := g.place(fake.Phone{Media: true})
		a := answer(t, c.Offer)
		sdp := regexp.MustCompile(`a=fmtp:111 [^\r]*`).ReplaceAllString(a.sdp, "a=fmtp:111 "+params)
		sdp = strings.Replace(sdp, "telephone-event/8000", "telephone-event/8000/1", 1)
		if !strings.Contains(sdp, params) || !strings.Contains(sdp, "8000/1") {
			t.Fatalf("the answer is not what the test wants:\n%s", sdp)
		}
		if r := g.post(fake.KindAccept, map[string]any{"call_id": c.ID, "sdp": sdp}); r.status != 200 {
			t.Fatalf("%s: accept: %d %s", params, r.status, r.body)
		}
		if err := c.WaitConnected(soon(t)); err != nil {
			t.Errorf("%s: %v", params, err)
		}
	}
}

func TestAudioIsHeardInOrderOverARealConnection(t *testing.T) {
	g := overHTTP(t)
	c, a := connected(t, g, fake.Phone{})
	before := time.Now()
	a.say(t, 100, 50)
	heard, err := c.WaitHeard(soon(t), 50)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range heard {
		if want := fmt.Sprintf("frame %d", 100+i); string(p.Payload) != want || p.Sequence != uint16(100+i) ||
			p.PayloadType != 111 {
			t.Fatalf("packet %d: %+v %q, want %q", i, p, p.Payload, want)
		}
		if p.At.Before(before) || (i > 0 && p.At.Before(heard[i-1].At)) {
			t.Errorf("packet %d arrived at %v", i, p.At)
		}
	}
	if !c.HangUp() {
		t.Error("the call was over")
	}
	if _, err := c.WaitHeard(soon(t), 1000); err == nil {
		t.Error("heard audio after the end")
	}
}

func TestThePhoneSpeaksAndPressesKeys(t *testing.T) {
	g := overHTTP(t)
	c, a := connected(t, g, fake.Phone{})
	if err := c.SendAudio([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := c.SendDTMF(soon(t), "5#"); err != nil {
		t.Fatal(err)
	}
	var audio string
	ends := map[byte]int{}
	timestamps := map[byte]uint32{}
	for range 1 + 2*8 {
		select {
		case p := <-a.heard:
			if p.PayloadType == 111 {
				audio = string(p.Payload)
				continue
			}
			event := p.Payload[0]
			if first, seen := timestamps[event]; p.PayloadType != 126 || (seen && first != p.Timestamp) ||
				p.Marker == seen {
				t.Errorf("packet %+v", p.Header)
			}
			timestamps[event] = p.Timestamp
			if p.Payload[1]&0x80 != 0 {
				ends[event]++
				if duration := int(p.Payload[2])<<8 | int(p.Payload[3]); duration != 800 {
					t.Errorf("duration %d, want 800 (100 ms at 8 kHz)", duration)
				}
			}
		case <-soon(t).Done():
			t.Fatal("packets are missing")
		}
	}
	if audio != "hello" || ends[5] != 3 || ends[11] != 3 || len(ends) != 2 {
		t.Errorf("audio %q, ends %v", audio, ends)
	}
	if err := c.SendDTMF(soon(t), "x"); err == nil {
		t.Error("x is no key")
	}
}

func TestAMediaPhoneThatHearsNothingEndsTheCall(t *testing.T) {
	g := overHTTP(t, func(c *fake.Config) { c.NoMediaAfter = time.Second })
	c, _ := connected(t, g, fake.Phone{})
	if err := c.Wait(soon(t), fake.Ended); err != nil {
		t.Fatal(err)
	}
	if end, _ := c.End(); end.Code != 138021 || end.By != fake.Network || end.Status != "FAILED" {
		t.Errorf("end %+v", end)
	}
}

func TestAMediaPhoneEndsTheCallOnceItIsSilent(t *testing.T) {
	g := overHTTP(t, func(c *fake.Config) { c.SilenceAfter = 300 * time.Millisecond })
	c, a := connected(t, g, fake.Phone{})
	a.say(t, 0, 5)
	heard, err := c.WaitHeard(soon(t), 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(soon(t), fake.Ended); err != nil {
		t.Fatal(err)
	}
	end, _ := c.End()
	if silent := end.At.Sub(heard[4].At); end.Code != 138021 || silent < 250*time.Millisecond {
		t.Errorf("end %+v after %v of silence", end, silent)
	}
}

func TestAnAnswerThatCannotBeAppliedLeavesTheCallRinging(t *testing.T) {
	g := overHTTP(t)
	g.Adjust(func(d *fake.Dials) { d.SkipSDPCheck = true })
	c := g.place(fake.Phone{Media: true})
	if r := g.post(fake.KindAccept, map[string]any{"call_id": c.ID, "sdp": "rubbish"}); r.status != 400 ||
		r.code() != 100 {
		t.Errorf("%d %s", r.status, r.body)
	}
	a := answer(t, c.Offer)
	if r := g.post(fake.KindAccept, map[string]any{"call_id": c.ID, "sdp": a.sdp}); r.status != 200 {
		t.Fatalf("second try: %d %s", r.status, r.body)
	}
	if err := c.WaitConnected(soon(t)); err != nil {
		t.Error(err)
	}
}

func TestPhonesWithoutMediaSaySo(t *testing.T) {
	g := overHTTP(t)
	c := g.place(fake.Phone{})
	_, err := c.WaitHeard(soon(t), 1)
	for _, err := range []error{err, c.SendAudio(nil), c.SendDTMF(soon(t), "1"), c.WaitConnected(soon(t))} {
		if err == nil || !strings.Contains(err.Error(), "Phone.Media") {
			t.Errorf("got %v", err)
		}
	}
}
