package fake_test

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"callrouter/positus/fake"
)

// currentOffer is what each line of today's offers looks like.
var currentOffer = []string{
	`v=0`,
	`o=- \d{13} 2 IN IP4 127\.0\.0\.1`,
	`s=-`,
	`t=0 0`,
	`a=group:BUNDLE audio`,
	`a=msid-semantic: WMS [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`,
	`a=ice-lite`,
	`m=audio (3478|3480|3482|3484|40012) UDP/TLS/RTP/SAVPF 111 126`,
	`c=IN IP4 127\.0\.0\.1`,
	`a=rtcp:9 IN IP4 0\.0\.0\.0`,
	`a=candidate:\d+ 1 udp 2122260223 127\.0\.0\.1 \d+ typ host generation 0 network-cost 50`,
	`a=candidate:\d+ 1 udp 2122262783 ::1 \d+ typ host generation 0 network-cost 50`,
	`a=ice-ufrag:[A-Za-z0-9]{16}`,
	`a=ice-pwd:[A-Za-z0-9+/]{22}==`,
	`a=fingerprint:sha-256 [0-9A-F]{2}(:[0-9A-F]{2}){31}`,
	`a=setup:actpass`,
	`a=mid:audio`,
	`a=sendrecv`,
	`a=msid:[0-9a-f-]{36} WhatsAppTrack1`,
	`a=rtcp-mux`,
	`a=rtpmap:111 opus/48000/2`,
	`a=rtcp-fb:111 transport-cc`,
	`a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;sprop-maxcapturerate=16000;useinbandfec=1`,
	`a=rtpmap:126 telephone-event/8000`,
	`a=maxptime:20`,
	`a=ptime:20`,
	`a=ssrc:\d+ cname:WhatsAppAudioStream1`,
}

func TestOffersLineByLine(t *testing.T) {
	g := overHTTP(t)
	ports := regexp.MustCompile(`\((\d+\|)+\d+\)`)
	for name, p := range map[string]fake.Phone{"text": {}, "media": {Media: true}} {
		t.Run(name, func(t *testing.T) {
			c := g.place(p)
			lines := strings.Split(c.Offer, "\r\n")
			if len(lines) != 28 || lines[27] != "" || strings.Count(c.Offer, "\n") != 27 {
				t.Fatalf("%d lines, want 27 with CRLF after each:\n%s", len(lines)-1, c.Offer)
			}
			for i, want := range currentOffer {
				if p.Media {
					want = ports.ReplaceAllString(want, `\d+`)
				}
				if !regexp.MustCompile("^" + want + "$").MatchString(lines[i]) {
					t.Errorf("line %d: %q, want %s", i+1, lines[i], want)
				}
			}
			stream := strings.Fields(lines[5])[2]
			if lines[18] != "a=msid:"+stream+" WhatsAppTrack1" {
				t.Errorf("streams differ: %q, %q", lines[5], lines[18])
			}
			port := strings.Fields(lines[7])[1]
			if strings.Fields(lines[10])[5] != port || strings.Fields(lines[11])[5] != port {
				t.Errorf("ports differ:\n%s\n%s\n%s", lines[7], lines[10], lines[11])
			}
		})
	}
}

func TestOlderOffer(t *testing.T) {
	offer := fake.TextOffer(fake.OfferOlder, 5, time.Now())
	for _, want := range []string{
		`m=audio 40012 `, `a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n`,
		`a=fmtp:111 minptime=10;useinbandfec=1\r\n`,
		`a=candidate:\d+ 1 udp \d+ 127\.0\.0\.1 40012 typ host generation 0 network-cost 50 ufrag \S+\r\n`,
		`a=ice-pwd:\w{32}\r\n`,
	} {
		if !regexp.MustCompile(want).MatchString(offer) {
			t.Errorf("no %s in\n%s", want, offer)
		}
	}
	if strings.Count(offer, "a=candidate") != 1 || strings.HasSuffix(offer, "\n") {
		t.Errorf("want one candidate and no final line end:\n%s", offer)
	}
}

func TestSameSeedSameCalls(t *testing.T) {
	at := time.Now()
	place := func() *fake.Call {
		g := overHTTP(t, func(c *fake.Config) { c.Now = func() time.Time { return at } })
		return g.place(fake.Phone{})
	}
	if a, b := place(), place(); a.ID != b.ID || a.Offer != b.Offer {
		t.Errorf("%s and %s", a.ID, b.ID)
	}
}

func TestCallIDsHaveTheWireFormat(t *testing.T) {
	g := overHTTP(t)
	seen := map[string]bool{}
	for _, p := range []fake.Phone{
		{Number: "554399951234"}, {Number: "5511999998888"}, {Number: "5511999998888"}, {UserID: "BR.1234567890"},
	} {
		c := g.place(p)
		if seen[c.ID] {
			t.Errorf("%s twice", c.ID)
		}
		seen[c.ID] = true
		if !strings.HasPrefix(c.ID, "wacid.HBg") || !strings.HasSuffix(c.ID, "+/A=") {
			t.Errorf("id %q", c.ID)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.ID, "wacid."))
		if err != nil {
			t.Fatal(err)
		}
		user := p.Number + p.UserID
		want := fmt.Sprintf("^\x1c\x18%c%s\x15\x02\x00\x12\x18\x20[0-9A-F]{32}\x1c\x18\x0c%s\x15\x02\x00\x00",
			len(user), user, business)
		if !regexp.MustCompile(want).Match(raw) {
			t.Errorf("%q does not match %q", raw, want)
		}
	}
}
