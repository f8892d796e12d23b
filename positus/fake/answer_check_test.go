package fake_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"callrouter/positus/fake"
)

func TestTextAnswerPassesForBothOffers(t *testing.T) {
	for _, kind := range []fake.OfferKind{fake.OfferCurrent, fake.OfferOlder} {
		offer := fake.TextOffer(kind, 3, time.Now())
		if err := fake.CheckAnswer(offer, fake.TextAnswer(offer)); err != nil {
			t.Errorf("offer %d: %v", kind, err)
		}
	}
}

// What an answer may write in several ways is taken in each of them (RFC 8866).
func TestCheckAnswerKnowsTheGrammar(t *testing.T) {
	offer := fake.TextOffer(fake.OfferCurrent, 3, time.Now())
	good := fake.TextAnswer(offer)
	for name, swap := range map[string][2]string{
		"one channel is written":         {"telephone-event/8000", "telephone-event/8000/1"},
		"names in other cases":           {"opus/48000/2", "OPUS/48000/2"},
		"keys in other cases":            {"telephone-event", "Telephone-Event"},
		"another order of payload types": {"SAVPF 111 126", "SAVPF 126 111"},
		"more payload types":             {"SAVPF 111 126", "SAVPF 0 111 126"},
		"parameters in another order":    {"minptime=20;useinbandfec=1", "stereo=1;useinbandfec=0;minptime=10"},
		"no parameters":                  {"a=fmtp:111 minptime=20;useinbandfec=1\r\n", ""},
		"no direction is both ways":      {"a=sendrecv\r\n", ""},
		"inactive before the section":    {"m=audio", "a=inactive\r\nm=audio"},
		"bundle in another case":         {"group:BUNDLE", "group:Bundle"},
		"a second group":                 {"a=group:", "a=group:LS audio\r\na=group:"},
		"one port":                       {"m=audio 9", "m=audio 9/1"},
	} {
		if !strings.Contains(good, swap[0]) {
			t.Fatalf("%s: the good answer has no %q", name, swap[0])
		}
		if err := fake.CheckAnswer(offer, strings.Replace(good, swap[0], swap[1], 1)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	firefox, err := os.ReadFile("testdata/answer_firefox.sdp")
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.CheckAnswer(offer, strings.ReplaceAll(string(firefox), "\n", "\r\n")); err != nil {
		t.Errorf("Firefox: %v", err)
	}
}

// Each case spoils one line of a good answer; the check must name that line, and nothing else.
func TestCheckAnswerNamesTheLineAtFault(t *testing.T) {
	offer := fake.TextOffer(fake.OfferCurrent, 3, time.Now())
	good := fake.TextAnswer(offer)
	line := func(prefix string) string {
		for l := range strings.Lines(good) {
			if strings.HasPrefix(l, prefix) {
				return l
			}
		}
		t.Fatalf("no line %q", prefix)
		return ""
	}
	swap := func(prefix, with string) string { return strings.Replace(good, line(prefix), with, 1) }
	add := func(after, more string) string { return swap(after, line(after)+more) }

	for name, tc := range map[string]struct{ answer, want string }{
		"empty":         {"", "the SDP is empty"},
		"LF only":       {swap("a=mid", "a=mid:audio\n"), `does not end in CRLF: "a=mid:audio\n"`},
		"no final CRLF": {strings.TrimSuffix(good, "\r\n"), "line 18 does not end in CRLF"},
		"no media":      {swap("m=audio", ""), "exactly one m= line, got 0"},
		"two media": {
			add("m=audio", "m=audio 9 UDP/TLS/RTP/SAVPF 111 126\r\n"), "exactly one m= line, got 2",
		},
		"video":          {swap("m=audio", "m=video 9 UDP/TLS/RTP/SAVPF 111 126\r\n"), "m=video 9"},
		"media refused":  {swap("m=audio", "m=audio 0 UDP/TLS/RTP/SAVPF 111 126\r\n"), "m=audio 0"},
		"passive":        {swap("a=setup", "a=setup:passive\r\n"), `got ["a=setup:passive"]`},
		"actpass":        {swap("a=setup", "a=setup:actpass\r\n"), `got ["a=setup:actpass"]`},
		"no setup":       {swap("a=setup", ""), `want one line "a=setup:active", got []`},
		"ice-lite":       {add("t=0 0", "a=ice-lite\r\n"), `"a=ice-lite"`},
		"no fingerprint": {swap("a=fingerprint", ""), "one sha-256 fingerprint, got []"},
		"another hash":   {swap("a=fingerprint", "a=fingerprint:sha-384 AA:BB\r\n"), "a=fingerprint:sha-384"},
		"one more hash":  {add("a=fingerprint", "a=fingerprint:sha-512 AA:BB\r\n"), "a=fingerprint:sha-512"},
		"short fingerprint": {
			swap("a=fingerprint", "a=fingerprint:sha-256 AA:BB\r\n"), "a=fingerprint:sha-256 AA:BB",
		},
		"no ufrag":     {swap("a=ice-ufrag", ""), "a=ice-ufrag"},
		"no pwd":       {swap("a=ice-pwd", ""), "a=ice-pwd"},
		"short pwd":    {swap("a=ice-pwd", "a=ice-pwd:short\r\n"), "a=ice-pwd line of 22"},
		"no candidate": {swap("a=candidate", ""), "candidate of component 1 with an IP address, got []"},
		"component 2 only": {
			swap("a=candidate", "a=candidate:1 2 udp 2130706431 127.0.0.1 9 typ host\r\n"), "a=candidate:1 2 udp",
		},
		"TCP only": {
			swap("a=candidate", "a=candidate:1 1 tcp 2130706431 127.0.0.1 9 typ host\r\n"), "a=candidate:1 1 tcp",
		},
		"mDNS name only": {
			swap("a=candidate", "a=candidate:1 1 udp 2130706431 ab12.local 9 typ host\r\n"), "ab12.local",
		},
		"mid of its own":      {swap("a=mid", "a=mid:0\r\n"), `want one line "a=mid:audio", got ["a=mid:0"]`},
		"no mid":              {swap("a=mid", ""), `want one line "a=mid:audio", got []`},
		"no bundle":           {swap("a=group", ""), `want one line "a=group:BUNDLE audio", got []`},
		"another bundle":      {swap("a=group", "a=group:BUNDLE 0\r\n"), "a=group:BUNDLE 0"},
		"no rtcp-mux":         {swap("a=rtcp-mux", ""), "a=rtcp-mux"},
		"no Opus in media":    {swap("m=audio", "m=audio 9 UDP/TLS/RTP/SAVPF 126\r\n"), "payload type 111"},
		"no Opus in rtpmap":   {swap("a=rtpmap:111", ""), "a=rtpmap:111 opus/48000/2"},
		"another Opus":        {swap("a=rtpmap:111", "a=rtpmap:111 opus/16000\r\n"), "a=rtpmap:111 opus/16000"},
		"no digits in media":  {swap("m=audio", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"), "payload type 126"},
		"no digits in rtpmap": {swap("a=rtpmap:126", ""), "a=rtpmap:126 telephone-event/8000"},
		"digits at another rate": {
			swap("a=rtpmap:126", "a=rtpmap:126 telephone-event/48000\r\n"), "telephone-event/48000",
		},
		"digits in two channels": {
			swap("a=rtpmap:126", "a=rtpmap:126 telephone-event/8000/2\r\n"), "telephone-event/8000/2",
		},
		"Opus in one channel": {swap("a=rtpmap:111", "a=rtpmap:111 opus/48000/1\r\n"), "opus/48000/1"},
		"bundle of more":      {swap("a=group", "a=group:BUNDLE audio video\r\n"), "BUNDLE audio video"},
		"inactive by default": {swap("a=sendrecv", "") + "a=inactive\r\n", "a=inactive"},
		"sendonly":            {swap("a=sendrecv", "a=sendonly\r\n"), "a=sendonly"},
		"recvonly":            {swap("a=sendrecv", "a=recvonly\r\n"), "a=recvonly"},
		"inactive":            {swap("a=sendrecv", "a=inactive\r\n"), "a=inactive"},
	} {
		t.Run(name, func(t *testing.T) {
			var wrong *fake.AnswerError
			if !errors.As(fake.CheckAnswer(offer, tc.answer), &wrong) {
				t.Fatal("taken")
			}
			if tc.answer != "" && len(wrong.Reasons) != 1 {
				t.Errorf("%d reasons: %q", len(wrong.Reasons), wrong.Reasons)
			}
			if !strings.Contains(wrong.Error(), tc.want) {
				t.Errorf("got %q, want %q in it", wrong.Error(), tc.want)
			}
		})
	}
}
