package fake

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// OfferKind is the make of an SDP offer.
type OfferKind int

// OfferCurrent is the offer of calls captured in 2025 and 2026: 27 lines, each ended by CRLF. OfferOlder is that of
// mid-2025: one candidate, a header extension, and no line end after the last line.
const (
	OfferCurrent OfferKind = iota
	OfferOlder
)

// relayPorts are the ports from which WhatsApp sends media (Meta: calling FAQ).
var relayPorts = [...]int{3478, 3480, 3482, 3484, 40012}

// offerFields is what differs from one offer to the next.
type offerFields struct {
	at          time.Time
	stream      string // UUID
	port        int
	foundation4 uint32
	foundation6 uint32
	ufrag, pwd  string
	fingerprint string // upper-case hexadecimal pairs
	ssrc        uint32
	address     string // IPv4, of the audio
}

const loopback = "127.0.0.1"

// TextOffer makes an offer like WhatsApp's with nobody behind it: the relay's addresses are on loopback, the ports are
// real, the keys random. The same seed makes the same offer.
func TextOffer(kind OfferKind, seed uint64, at time.Time) string {
	return kind.text(randomFields(kind, rand.New(rand.NewPCG(seed, seed)), at))
}

func randomFields(kind OfferKind, r *rand.Rand, at time.Time) offerFields {
	f := offerFields{
		at: at, stream: uuid(r), port: relayPorts[r.IntN(len(relayPorts))],
		foundation4: r.Uint32(), foundation6: r.Uint32(),
		ufrag: letters(r, 16), pwd: base64.StdEncoding.EncodeToString(randomBytes(r, 16)),
		fingerprint: hexPairs(randomBytes(r, 32)), ssrc: r.Uint32(), address: loopback,
	}
	if kind == OfferOlder {
		f.port, f.ufrag, f.pwd = 40012, letters(r, 12)+"/2", letters(r, 32)
	}
	return f
}

func (k OfferKind) text(f offerFields) string {
	if k == OfferOlder {
		return strings.Join(olderLines(f), "\r\n")
	}
	return strings.Join(currentLines(f), "\r\n") + "\r\n"
}

func currentLines(f offerFields) []string {
	lines := []string{
		"v=0",
		fmt.Sprintf("o=- %d 2 IN IP4 127.0.0.1", f.at.UnixMilli()),
		"s=-",
		"t=0 0",
		"a=group:BUNDLE audio",
		"a=msid-semantic: WMS " + f.stream,
		"a=ice-lite",
		fmt.Sprintf("m=audio %d UDP/TLS/RTP/SAVPF 111 126", f.port),
		"c=IN IP4 " + f.address,
		"a=rtcp:9 IN IP4 0.0.0.0",
		fmt.Sprintf("a=candidate:%d 1 udp 2122260223 %s %d typ host generation 0 network-cost 50", f.foundation4,
			f.address, f.port),
		fmt.Sprintf("a=candidate:%d 1 udp 2122262783 ::1 %d typ host generation 0 network-cost 50", f.foundation6,
			f.port),
		"a=ice-ufrag:" + f.ufrag,
		"a=ice-pwd:" + f.pwd,
		"a=fingerprint:sha-256 " + f.fingerprint,
		"a=setup:actpass",
		"a=mid:audio",
		"a=sendrecv",
		"a=msid:" + f.stream + " WhatsAppTrack1",
		"a=rtcp-mux",
		"a=rtpmap:111 opus/48000/2",
		"a=rtcp-fb:111 transport-cc",
		"a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;" +
			"sprop-maxcapturerate=16000;useinbandfec=1",
		"a=rtpmap:126 telephone-event/8000",
		"a=maxptime:20",
		"a=ptime:20",
		fmt.Sprintf("a=ssrc:%d cname:WhatsAppAudioStream1", f.ssrc),
	}
	if f.address != loopback { // nobody listens on ::1
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, " ::1 ") })
	}
	return lines
}

func olderLines(f offerFields) []string {
	return []string{
		"v=0",
		fmt.Sprintf("o=- %d 2 IN IP4 127.0.0.1", f.at.UnixMilli()),
		"s=-",
		"t=0 0",
		"a=group:BUNDLE audio",
		"a=msid-semantic: WMS " + f.stream,
		"a=ice-lite",
		fmt.Sprintf("m=audio %d UDP/TLS/RTP/SAVPF 111 126", f.port),
		"c=IN IP4 " + f.address,
		"a=rtcp:9 IN IP4 0.0.0.0",
		fmt.Sprintf("a=candidate:%d 1 udp 2113937151 %s %d typ host generation 0 network-cost 50 ufrag %s",
			f.foundation4, f.address, f.port, f.ufrag),
		"a=ice-ufrag:" + f.ufrag,
		"a=ice-pwd:" + f.pwd,
		"a=fingerprint:sha-256 " + f.fingerprint,
		"a=setup:actpass",
		"a=mid:audio",
		"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
		"a=sendrecv",
		"a=rtcp-mux",
		"a=rtpmap:111 opus/48000/2",
		"a=rtcp-fb:111 transport-cc",
		"a=fmtp:111 minptime=10;useinbandfec=1",
		"a=rtpmap:126 telephone-event/8000",
		fmt.Sprintf("a=ssrc:%d cname:%s", f.ssrc, f.stream[:8]),
	}
}

// TextAnswer makes an answer to an offer of this package that CheckAnswer takes, and behind which nobody listens: for
// tests of all that is not media. It is the same for the same offer.
func TextAnswer(offer string) string {
	r := rand.New(rand.NewPCG(uint64(len(offer)), hash(offer)))
	return strings.Join([]string{
		"v=0",
		fmt.Sprintf("o=- %d 2 IN IP4 127.0.0.1", r.Uint32()),
		"s=-",
		"t=0 0",
		"a=group:BUNDLE " + attribute(offer, "mid"),
		"m=audio 9 UDP/TLS/RTP/SAVPF 111 126",
		"c=IN IP4 127.0.0.1",
		"a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host",
		"a=ice-ufrag:" + letters(r, 16),
		"a=ice-pwd:" + letters(r, 32),
		"a=fingerprint:sha-256 " + hexPairs(randomBytes(r, 32)),
		"a=setup:active",
		"a=mid:" + attribute(offer, "mid"),
		"a=sendrecv",
		"a=rtcp-mux",
		"a=rtpmap:111 opus/48000/2",
		"a=fmtp:111 minptime=20;useinbandfec=1",
		"a=rtpmap:126 telephone-event/8000",
	}, "\r\n") + "\r\n"
}

// attribute returns the value of the first "a=name:value" line, empty if there is none.
func attribute(sdp, name string) string {
	for line := range strings.Lines(sdp) {
		if value, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "a="+name+":"); ok {
			return value
		}
	}
	return ""
}

func hexPairs(b []byte) string {
	pairs := make([]string, len(b))
	for i, v := range b {
		pairs[i] = fmt.Sprintf("%02X", v)
	}
	return strings.Join(pairs, ":")
}
