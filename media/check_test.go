package media

import (
	"strings"
	"testing"
)

// goodAnswer is what a browser answers to testdata/offer.sdp, its line ends repaired.
func goodAnswer(t *testing.T) string {
	t.Helper()
	return strings.ReplaceAll(readFile(t, "answer.sdp"), "\n", "\r\n")
}

func TestCheckAnswer(t *testing.T) {
	const opus, keys = "a=rtpmap:111 opus/48000/2", "a=rtpmap:126 telephone-event/8000"
	const sha256 = "a=fingerprint:sha-256 "
	m := newMedia(t, Config{})
	offer, good := offerFrom(t, "offer.sdp", deadRelay), goodAnswer(t)
	hostLine := "a=candidate:1 1 udp 2130706431 192.0.2.10 51472 typ host generation 0"
	for _, c := range []struct {
		name     string
		old, new string // what is changed in the good answer
		want     string // in the error; "" if the answer is still usable
	}{
		{"good", "", "", ""},
		{"another candidate is a name", hostLine, "a=candidate:2 1 udp 1 7c1f.local 5000 typ host\r\n" + hostLine, ""},
		{
			"component 2 as well", hostLine, hostLine + "\r\na=candidate:1 2 udp 2130706431 192.0.2.10 51472 typ host",
			"",
		},
		{"IPv6 only", "192.0.2.10 51472", "2001:db8::10 51472", ""},

		{"passive", "a=setup:active", "a=setup:passive", "line 14: a=setup:passive; want a=setup:active"},
		{"actpass", "a=setup:active", "a=setup:actpass", "want a=setup:active"},
		{"no setup", "a=setup:active\r\n", "", "0 a=setup lines"},
		{"lite", "a=mid:audio", "a=ice-lite\r\na=mid:audio", "a=ice-lite"},
		{"no fingerprint", sha256, "a=x:", "0 a=fingerprint lines"},
		{
			"sha-1 as well", sha256, "a=fingerprint:sha-1 AA:BB\r\n" + sha256,
			"a=fingerprint of sha-1; want sha-256 and no other",
		},
		{"sha-512 alone", sha256, "a=fingerprint:sha-512 ", "a=fingerprint of sha-512"},
		{"short fingerprint", sha256 + "AB:", sha256, "32 hexadecimal pairs"},
		{"no ufrag", "a=ice-ufrag:", "a=x:", "no a=ice-ufrag"},
		{"no pwd", "a=ice-pwd:", "a=x:", "no a=ice-pwd"},
		{"no candidate", hostLine + "\r\n", "", "no a=candidate; wait until gathering is complete"},
		{"only mDNS", "192.0.2.10", "7c1f0b2a-3d4e.local", "only names such as *.local"},
		{"only TCP", "1 udp", "1 tcp", "no a=candidate is for UDP component 1"},
		{"only component 2", "1 1 udp", "1 2 udp", "no a=candidate is for UDP component 1"},
		{"broken candidate", "typ host generation 0", "", "a=candidate is not"},
		{"other mid", "a=mid:audio", "a=mid:0", "a=mid:0; want a=mid:audio"},
		{"no mid", "a=mid:audio\r\n", "", "0 a=mid lines"},
		{"no BUNDLE", "a=group:BUNDLE audio\r\n", "", "no a=group:BUNDLE audio"},
		{"other BUNDLE", "BUNDLE audio", "BUNDLE 0", "no a=group:BUNDLE audio"},
		{"no rtcp-mux", "a=rtcp-mux\r\n", "", "no a=rtcp-mux"},
		{"no Opus", opus, "a=rtpmap:111 PCMU/8000", "no a=rtpmap:111 opus/48000/2"},
		{"Opus not listed", "SAVPF 111 126", "SAVPF 126", "line 7: m=audio does not list payload type 111"},
		{"keys not listed", "SAVPF 111 126", "SAVPF 111", "does not list payload type 126 (telephone-event); keep it"},
		{"keys dropped", keys + "\r\n", "", "no a=rtpmap:126 telephone-event/8000, which the offer has; keep it"},
		{"receives only", "a=sendrecv", "a=recvonly", "a=recvonly; want a=sendrecv"},
		{"inactive", "a=sendrecv", "a=inactive", "a=inactive; want a=sendrecv"},
		{"sendrecv twice", "m=audio", "a=sendrecv\r\nm=audio", ""},
		{"inactive before the section", "m=audio", "a=inactive\r\nm=audio", ""},
		{"refused with a port count", "m=audio 9", "m=audio 0/1", "port 0 refuses the audio"},
		{"no direction is both ways", "a=sendrecv\r\n", "", ""},
		{"another order of payload types", "SAVPF 111 126", "SAVPF 126 111", ""},
		{"one port", "m=audio 9", "m=audio 9/1", ""},
		{"one channel is written", keys, keys + "/1", ""},
		{"names in other cases", opus, "a=rtpmap:111 OPUS/48000/2", ""},
		{"keys in other cases", keys, "a=rtpmap:126 Telephone-Event/8000", ""},
		{"keys in two channels", keys, keys + "/2", "no a=rtpmap:126 telephone-event/8000"},
		{"Opus in one channel", opus, "a=rtpmap:111 opus/48000", "no a=rtpmap:111 opus/48000/2"},
		{"Opus in one written channel", opus, "a=rtpmap:111 opus/48000/1", "no a=rtpmap:111 opus/48000/2"},
		{"parameters in another order", "a=fmtp:111 ", "a=fmtp:111 useinbandfec=1;stereo=1;", ""},
		{"bundle in another case", "group:BUNDLE", "group:bundle", ""},
		{"a second group", "a=group:BUNDLE audio", "a=group:LS audio\r\na=group:BUNDLE audio", ""},
		{"bundle of more", "BUNDLE audio", "BUNDLE audio video", "no a=group:BUNDLE audio"},
		{"refused", "m=audio 9", "m=audio 0", "port 0 refuses the audio"},
		{"not WebRTC", "UDP/TLS/RTP/SAVPF", "RTP/AVP", "over UDP/TLS/RTP/SAVPF"},
		{"video", "m=audio", "m=video", "want exactly one, m=audio"},
		{"two media", "m=audio", "m=audio 9 UDP/TLS/RTP/SAVPF 111 126\r\nm=audio", "2 m= lines"},
		{"one bare LF", "s=-\r\n", "s=-\n", "line 3 ends in LF alone"},
		{"a stray CR", "s=-\r\n", "s=-\r\r\n", "line 3 has a CR in it"},
		{"not SDP", "v=0", "{", "it is not SDP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(good, c.old) {
				t.Fatalf("the good answer has no %q to change", c.old)
			}
			wants(t, m.CheckAnswer(offer, strings.Replace(good, c.old, c.new, 1)), c.want)
		})
	}
	t.Run("Firefox", func(t *testing.T) {
		firefox := strings.ReplaceAll(readFile(t, "answer_firefox.sdp"), "\n", "\r\n")
		must(t, m.CheckAnswer(offer, firefox))
		odd := strings.Replace(offer, keys, "a=rtpmap:126 Telephone-Event/8000/1", 1)
		must(t, m.CheckAnswer(odd, firefox))
		wants(t, m.CheckAnswer(odd, strings.Replace(firefox, keys+"/1\r\n", "", 1)), "which the offer has; keep it")
		wants(
			t,
			m.CheckAnswer(offer, strings.Replace(firefox, "a=sendrecv\r\na=end", "a=recvonly\r\na=end", 1)),
			"a=recvonly",
		)
	})
	t.Run("no final CRLF", func(t *testing.T) {
		wants(t, m.CheckAnswer(offer, strings.TrimSuffix(good, "\r\n")), "the last, has no line end")
	})
	t.Run("empty", func(t *testing.T) { wants(t, m.CheckAnswer(offer, " "), "it is empty") })
	t.Run("all reasons at once", func(t *testing.T) {
		bad := strings.NewReplacer("setup:active", "setup:passive", "a=rtcp-mux\r\n", "").Replace(good)
		wants(t, m.CheckAnswer(offer, bad), "a=setup:passive")
		wants(t, m.CheckAnswer(offer, bad), "a=rtcp-mux")
	})
	t.Run("the offer has no telephone-event", func(t *testing.T) {
		plain := strings.NewReplacer(" 111 126", " 111", keys+"\r\n", "")
		must(t, m.CheckAnswer(plain.Replace(offer), plain.Replace(good)))
	})
	t.Run("an odd offer is not the answer's fault", func(t *testing.T) {
		must(t, m.CheckAnswer("v=0", good))
		wants(t, m.CheckAnswer("v=0", strings.Replace(good, "setup:active", "setup:passive", 1)), "a=setup:passive")
	})
	t.Run("a secret of the connection is not in the error", func(t *testing.T) {
		err := m.CheckAnswer(offer, strings.NewReplacer("setup:active", "setup:x", "a=mid:", "a=y:").Replace(good))
		if err == nil || strings.Contains(err.Error(), "Jb8vT2m5Qx7wRk1pZs4nYc6u") {
			t.Errorf("got %v", err)
		}
	})
}

// wants checks that an error holds a text, or that there is none if the text is "".
func wants(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && err == nil:
		t.Errorf("accepted, want an error with %q", want)
	case err != nil && !strings.Contains(err.Error(), want):
		t.Errorf("got %q, want %q in it", err, want)
	}
}
