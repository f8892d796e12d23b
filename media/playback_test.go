package media

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callrouter/engine"
)

const tone = "page_a_packet.ogg"

func newMedia(t *testing.T, c Config) *Media {
	t.Helper()
	c.Loopback = true
	m, err := New(c)
	must(t, err)
	return m
}

func prepare(t *testing.T, m *Media, offer, file string) engine.Playback {
	t.Helper()
	p, err := m.Answer(t.Context(), offer, filepath.Join("testdata", file))
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// sum is how the .packets files (made with ffprobe, a reader that shares nothing with ours) name a packet.
func sum(payload []byte) string {
	return fmt.Sprintf("%d %08x", len(payload), crc32.ChecksumIEEE(payload))
}

func TestTheCallerHearsTheWholeFileAtItsPace(t *testing.T) {
	for _, c := range []struct {
		name, offer, audio string
		step               uint32 // samples a packet
		config             Config
	}{
		{name: "one packet a page", offer: "offer.sdp", audio: "page_a_packet", step: 960},
		{name: "many packets a page, the older offer", offer: "offer_2025.sdp", audio: "many_a_page", step: 480},
		{
			name: "behind NAT", offer: "offer.sdp", audio: "page_a_packet", step: 960,
			config: Config{PublicIP: "203.0.113.7"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := strings.Split(strings.TrimSpace(readFile(t, c.audio+".packets")), "\n")
			phone := newPhone(t, c.offer)
			p := prepare(t, newMedia(t, c.config), offerFrom(t, c.offer, phone.relay), c.audio+".ogg")
			phone.take(p.SDP())

			ups := 0
			var upAt time.Time
			must(t, p.Run(t.Context(), func() { ups++; upAt = time.Now() }))
			took := time.Since(upAt)
			got := phone.hear(len(want))

			if ups != 1 {
				t.Errorf("up was called %d times, want once", ups)
			}
			for i, h := range got {
				if sum(h.payload) != want[i] {
					t.Fatalf("packet %d is %s, want %s", i, sum(h.payload), want[i])
				}
				if i == 0 {
					continue
				}
				before := got[i-1].header
				if step := h.header.Timestamp - before.Timestamp; step != c.step {
					t.Errorf("packet %d: the RTP timestamp went on by %d, want %d", i, step, c.step)
				}
				if h.header.SequenceNumber != before.SequenceNumber+1 {
					t.Errorf("packet %d: the sequence number does not follow", i)
				}
			}
			length := time.Duration(len(want)) * time.Duration(c.step) * time.Second / opusRate
			if ratio := took.Seconds() / length.Seconds(); ratio < 0.99 || ratio > 1.5 {
				t.Errorf("took %s for %s of audio, %.2f times as long", took, length, ratio)
			}
			spread := got[len(got)-1].at.Sub(got[0].at)
			if ratio := spread.Seconds() / length.Seconds(); ratio < 0.9 || ratio > 1.5 {
				t.Errorf("the packets came within %s, the audio lasts %s", spread, length)
			}
		})
	}
}

func TestTheAnswerIsOneThatWhatsAppCanUse(t *testing.T) {
	m := newMedia(t, Config{PublicIP: "203.0.113.7"})
	whole := offerFrom(t, "offer.sdp", deadRelay)
	sdp := prepare(t, m, whole, tone).SDP()
	must(t, m.CheckAnswer(whole, sdp))
	for _, want := range []string{
		"a=setup:active\r\n", "a=mid:audio\r\n", "a=group:BUNDLE audio\r\n", "a=rtcp-mux\r\n", "a=sendrecv\r\n",
		"a=rtpmap:111 opus/48000/2\r\n",
		"a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;" +
			"sprop-maxcapturerate=16000;useinbandfec=1\r\n",
		"a=rtpmap:126 telephone-event/8000\r\n",
		" UDP/TLS/RTP/SAVPF 111 126\r\n", "a=fingerprint:sha-256 ", " 203.0.113.7 ",
	} {
		if n := strings.Count(sdp, want); n != 1 {
			t.Errorf("%q is there %d times, want once", want, n)
		}
	}
	if n := strings.Count(sdp, "a=candidate:"); n != 1 {
		t.Errorf("%d candidates, want one", n)
	}
	for _, bad := range []string{"ice-lite", ".local", "127.0.0.1 ", "setup:passive"} {
		if strings.Contains(sdp, bad) {
			t.Errorf("%q is in the answer", bad)
		}
	}
	if t.Failed() {
		t.Log(sdp)
	}
}

func TestOffersThatLostTheirLineEndsAreAnswered(t *testing.T) {
	m := newMedia(t, Config{})
	whole := offerFrom(t, "offer.sdp", deadRelay)
	for name, offer := range map[string]string{
		"no final CRLF":         strings.TrimSuffix(whole, "\r\n"),
		"bare LF":               strings.ReplaceAll(whole, "\r\n", "\n"),
		"bare LF, none at last": strings.TrimSuffix(strings.ReplaceAll(whole, "\r\n", "\n"), "\n"),
		"spelled out":           strings.ReplaceAll(whole, "\r\n", `\r\n`),
		"blank lines around":    "\r\n" + whole + "\r\n\r\n",
		"without telephone-event": strings.NewReplacer("111 126", "111", "a=rtpmap:126 telephone-event/8000\r\n", "").
			Replace(whole),
	} {
		t.Run(name, func(t *testing.T) {
			must(t, m.CheckAnswer(offer, prepare(t, m, offer, tone).SDP()))
		})
	}
}

func TestOffersThatCannotBeAnswered(t *testing.T) {
	m := newMedia(t, Config{})
	whole := offerFrom(t, "offer.sdp", deadRelay)
	without := func(start string) string {
		var kept []string
		for l := range strings.SplitSeq(whole, "\r\n") {
			if !strings.HasPrefix(l, start) {
				kept = append(kept, l)
			}
		}
		return strings.Join(kept, "\r\n")
	}
	for _, c := range []struct{ name, offer, want string }{
		{"empty", "", "it is empty"},
		{"garbage", "\x00\xff{]", "it is not SDP"},
		{"JSON", `{"sdp":"v=0"}`, "it is not SDP"},
		{"half", whole[:60], "m= lines"},
		{"video", strings.Replace(whole, "m=audio", "m=video", 1), "m=audio"},
		{"two media", whole + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "2 m= lines"},
		{"no Opus", strings.Replace(whole, "opus/48000/2", "PCMU/8000", 1), "Opus"},
		{"no candidate", without("a=candidate"), "a=candidate"},
		{"no pwd", without("a=ice-pwd"), "a=ice-pwd"},
		{"no fingerprint", without("a=fingerprint"), "a=fingerprint"},
		{"it is active", strings.Replace(whole, "setup:actpass", "setup:active", 1), "a=setup:active"},
		{"a broken candidate", strings.Replace(whole, "typ host", "", 1), "a=candidate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := m.Answer(t.Context(), c.offer, filepath.Join("testdata", tone))
			if err == nil {
				p.Close()
				t.Fatal("it was answered")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
		})
	}
	outside, err := New(Config{})
	must(t, err)
	_, err = outside.Answer(t.Context(), without("a=candidate:1289371034"), filepath.Join("testdata", tone))
	if err == nil || !strings.Contains(err.Error(), "no way to the caller's audio") {
		t.Errorf("an offer from this machine itself, without Loopback: got %v", err)
	}
}

// listen is a relay that says nothing, and hears whether it is spoken to.
func listen(t *testing.T) (*net.UDPConn, relay) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	r := deadRelay
	r.Port = strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)
	return conn, r
}

func TestNothingIsSentBeforeRunAndNobodyConnecting(t *testing.T) {
	silent, relay := listen(t)
	p := prepare(t, newMedia(t, Config{ConnectWithin: 500 * time.Millisecond}), offerFrom(t, "offer.sdp", relay), tone)

	buffer := make([]byte, 1500)
	must(t, silent.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	if n, _, err := silent.ReadFrom(buffer); err == nil {
		t.Fatalf("%d bytes were sent before Run", n)
	}
	err := p.Run(t.Context(), func() { t.Error("up was called") })
	if !errors.Is(err, engine.ErrNoMedia) {
		t.Errorf("got %v, want ErrNoMedia", err)
	}
	must(t, silent.SetReadDeadline(time.Now().Add(5*time.Second)))
	if _, _, err := silent.ReadFrom(buffer); err != nil {
		t.Errorf("nothing was sent during Run either: %v", err)
	}
}

func TestWhatEndsAPlayback(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(p engine.Playback, ph *phone, cancel func())
		want error
	}{
		{"the caller hangs up", func(_ engine.Playback, ph *phone, _ func()) { ph.hangUp() }, engine.ErrNoMedia},
		{"closed", func(p engine.Playback, _ *phone, _ func()) { p.Close() }, engine.ErrNoMedia},
		{"cancelled", func(_ engine.Playback, _ *phone, cancel func()) { cancel() }, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			phone := newPhone(t, "offer.sdp")
			p := prepare(t, newMedia(t, Config{}), offerFrom(t, "offer.sdp", phone.relay), tone)
			phone.take(p.SDP())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- p.Run(ctx, func() {}) }()
			phone.hear(3)
			c.end(p, phone, cancel)
			select {
			case err := <-done:
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			case <-time.After(time.Second):
				t.Fatal("it went on playing")
			}
		})
	}
}

func TestCancelledWhileConnecting(t *testing.T) {
	_, relay := listen(t)
	p := prepare(t, newMedia(t, Config{}), offerFrom(t, "offer.sdp", relay), tone)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx, func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	_, err := newMedia(t, Config{}).Answer(ctx, offerFrom(t, "offer.sdp", relay), filepath.Join("testdata", tone))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Answer: got %v, want context.Canceled", err)
	}
}

func TestCloseFreesEverythingAtAnyTime(t *testing.T) {
	offer := offerFrom(t, "offer.sdp", deadRelay)
	m := newMedia(t, Config{})
	before := goleak.IgnoreCurrent()
	for range 3 {
		p, err := m.Answer(t.Context(), offer, filepath.Join("testdata", tone))
		must(t, err)
		must(t, p.Close())
		must(t, p.Close())
		if err := p.Run(t.Context(), func() { t.Error("up was called") }); !errors.Is(err, engine.ErrNoMedia) {
			t.Errorf("Run after Close: got %v, want ErrNoMedia", err)
		}
	}
	goleak.VerifyNone(t, before)
}

func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	if _, err := New(Config{PublicIP: "example.com"}); err == nil || !strings.Contains(err.Error(), "public IP") {
		t.Errorf("got %v", err)
	}
}
