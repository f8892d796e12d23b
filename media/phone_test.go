package media

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relay is what differs from offer to offer.
type relay struct{ IP, Port, Ufrag, Pwd, Fingerprint string }

// deadRelay answers nothing.
var deadRelay = relay{
	IP: "127.0.0.1", Port: "9", Ufrag: "Zx81QmT4vLp0aBcD", Pwd: "q83vEjRWeJCrze8SNFZ4kA==",
	Fingerprint: strings.TrimSuffix(strings.Repeat("AB:", 32), ":"),
}

// offerFrom is an offer as WhatsApp sends it: CRLF, with a final one.
func offerFrom(t *testing.T, file string, r relay) string {
	t.Helper()
	tmpl, err := template.ParseFiles(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, r); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), "\n", "\r\n")
}

// heard is one packet at the caller's phone.
type heard struct {
	header  rtp.Header
	payload []byte
	at      time.Time
}

// phone plays WhatsApp's side of a call: ICE-lite, on 127.0.0.1, talking all the time.
type phone struct {
	t       *testing.T
	peer    *webrtc.PeerConnection
	relay   relay
	packets chan heard
}

// newPhone makes a phone whose offers will be made from the file.
func newPhone(t *testing.T, file string) *phone {
	t.Helper()
	_, fmtp, _ := strings.Cut(attribute(splitLines(readFile(t, file)), "fmtp"), " ")
	var s webrtc.SettingEngine
	s.SetLite(true)
	s.LoggerFactory = logs{slog.New(slog.DiscardHandler)}
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	s.SetICECredentials(deadRelay.Ufrag, deadRelay.Pwd)
	codecs := &webrtc.MediaEngine{}
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: fmtp}
	keys := webrtc.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000}
	for payload, c := range map[webrtc.PayloadType]webrtc.RTPCodecCapability{111: opus, 126: keys} {
		must(t, codecs.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: payload, RTPCodecCapability: c},
			webrtc.RTPCodecTypeAudio))
	}
	peer, err := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(codecs)).
		NewPeerConnection(webrtc.Configuration{})
	must(t, err)
	p := &phone{t: t, peer: peer, packets: make(chan heard, 4096)}
	t.Cleanup(p.hangUp)
	peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			p.packets <- heard{packet.Header, bytes.Clone(packet.Payload), time.Now()}
		}
	})
	voice, err := webrtc.NewTrackLocalStaticRTP(opus, "WhatsAppTrack1", "x")
	must(t, err)
	_, err = peer.AddTrack(voice)
	must(t, err)
	p.talk(voice)
	p.gather()
	return p
}

// talk sends a packet every 20 ms, whether or not anyone is connected.
func (p *phone) talk(voice *webrtc.TrackLocalStaticRTP) {
	stop := make(chan struct{})
	p.t.Cleanup(func() { close(stop) })
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for n := uint16(0); ; n++ {
			select {
			case <-stop:
				return
			case <-ticker.C:
				_ = voice.WriteRTP(&rtp.Packet{
					Header:  rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960},
					Payload: []byte{0xf8, 0xff, 0xfe},
				})
			}
		}
	}()
}

func (p *phone) gather() {
	p.t.Helper()
	offer, err := p.peer.CreateOffer(nil)
	must(p.t, err)
	done := webrtc.GatheringCompletePromise(p.peer)
	must(p.t, p.peer.SetLocalDescription(offer))
	<-done
	own := splitLines(p.peer.LocalDescription().SDP)
	port := strings.Fields(attribute(own, "candidate"))[5]
	_, fingerprint, _ := strings.Cut(attribute(own, "fingerprint"), " ")
	p.relay = relay{"127.0.0.1", port, attribute(own, "ice-ufrag"), attribute(own, "ice-pwd"), fingerprint}
}

// take is what WhatsApp does after an accept. The offer it made is called "0" by the library it is played with.
func (p *phone) take(answer string) {
	p.t.Helper()
	answer = strings.NewReplacer("a=mid:audio", "a=mid:0", "BUNDLE audio", "BUNDLE 0").Replace(answer)
	must(p.t, p.peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

func (p *phone) hangUp() { _ = p.peer.GracefulClose() }

// hear waits for n packets.
func (p *phone) hear(n int) []heard {
	p.t.Helper()
	var all []heard
	deadline := time.After(10 * time.Second)
	for len(all) < n {
		select {
		case h := <-p.packets:
			all = append(all, h)
		case <-deadline:
			p.t.Fatalf("heard %d packets, want %d", len(all), n)
		}
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	must(t, err)
	return string(b)
}
