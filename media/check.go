package media

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"callrouter/engine"
)

// CheckAnswer returns why WhatsApp could not use an SDP answer to an offer: one error with all reasons, each with its
// line and what it should be. Nothing in the answer is repaired, because it goes out byte for byte (Meta: calling FAQ,
// user-initiated calls). Only the answer is checked: an odd offer is compared as far as it can be read.
func (m *Media) CheckAnswer(offer, answer string) error {
	c := &answerCheck{offer: readOffer(offer), text: answer, lines: splitLines(answer)}
	if !c.parses() {
		return c.err()
	}
	c.lineEnds()
	c.mediaLine()
	c.codecs()
	c.transport()
	c.security()
	c.candidates()
	return c.err()
}

type answerCheck struct {
	offer  *offer
	text   string
	lines  []line
	faults []string
}

func (c *answerCheck) err() error {
	if len(c.faults) == 0 {
		return nil
	}
	return fmt.Errorf("the SDP answer cannot be used: %s", strings.Join(c.faults, "; "))
}

func (c *answerCheck) add(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// parses reports whether the answer is SDP at all.
func (c *answerCheck) parses() bool {
	if strings.TrimSpace(c.text) == "" {
		c.add("it is empty")
		return false
	}
	var parsed sdp.SessionDescription
	if err := parsed.UnmarshalString(engine.RepairSDP(c.text)); err != nil {
		c.add("it is not SDP (%v)", err)
		return false
	}
	return true
}

func (c *answerCheck) lineEnds() {
	for i, l := range strings.SplitAfter(c.text, "\n") {
		switch {
		case l == "": // after the last line end
		case !strings.HasSuffix(l, "\n"):
			c.add("line %d, the last, has no line end; every line ends in CRLF", i+1)
			return
		case !strings.HasSuffix(l, "\r\n"):
			c.add("line %d ends in LF alone; every line ends in CRLF", i+1)
			return
		case strings.ContainsRune(strings.TrimSuffix(l, "\r\n"), '\r'):
			c.add("line %d has a CR in it; every line ends in CRLF", i+1)
			return
		}
	}
}

func (c *answerCheck) mediaLine() {
	var media []line
	for _, l := range c.lines {
		if strings.HasPrefix(l.text, "m=") {
			media = append(media, l)
		}
	}
	if len(media) != 1 || !strings.HasPrefix(media[0].text, "m=audio ") {
		c.add("it has %d m= lines; want exactly one, m=audio, as in the offer", len(media))
		return
	}
	fields := strings.Fields(media[0].text)
	if len(fields) < 4 || fields[2] != "UDP/TLS/RTP/SAVPF" {
		c.add("line %d: m=audio must be over UDP/TLS/RTP/SAVPF", media[0].number)
		return
	}
	if port, _, _ := strings.Cut(fields[1], "/"); port == "0" {
		c.add("line %d: port 0 refuses the audio; accept it", media[0].number)
	}
	if !slices.Contains(fields[3:], payloadOpus) {
		c.add("line %d: m=audio does not list payload type %s (Opus)", media[0].number, payloadOpus)
	}
	if c.offer.digits && !slices.Contains(fields[3:], payloadDigits) {
		c.add("line %d: m=audio does not list payload type %s (telephone-event); keep it, so that keys the caller "+
			"presses are heard", media[0].number, payloadDigits)
	}
}

func (c *answerCheck) codecs() {
	known := formats(c.lines)
	if known[payloadOpus] != "opus/48000/2" {
		c.add("there is no a=rtpmap:%s opus/48000/2", payloadOpus)
	}
	if c.offer.digits && known[payloadDigits] != "telephone-event/8000" {
		c.add("there is no a=rtpmap:%s telephone-event/8000, which the offer has; keep it", payloadDigits)
	}
	if d, at := direction(c.lines); d != "sendrecv" {
		c.add("line %d: a=%s; want a=sendrecv, add a microphone track before answering", at.number, d)
	}
}

// direction returns which way the audio goes, and the line that says so: a line of the m= section overrides one before
// it, and without any it is both ways (RFC 8866, 6.7).
func direction(lines []line) (string, line) {
	found, at, inMedia := "sendrecv", line{}, false
	for _, l := range lines {
		inMedia = inMedia || strings.HasPrefix(l.text, "m=")
		switch d := strings.TrimPrefix(l.text, "a="); d {
		case "sendrecv", "sendonly", "recvonly", "inactive":
			if found, at = d, l; inMedia {
				return found, at
			}
		}
	}
	return found, at
}

func (c *answerCheck) transport() {
	mid := cmp.Or(c.offer.mid, "audio") // WhatsApp's name, for an offer without one
	if mids, at := attributes(c.lines, "mid"); len(mids) != 1 {
		c.add("there are %d a=mid lines; want exactly one, a=mid:%s", len(mids), mid)
	} else if mids[0] != mid {
		c.add("line %d: a=mid:%s; want a=mid:%s as in the offer", at[0].number, mids[0], mid)
	}
	if groups, _ := attributes(c.lines, "group"); !slices.ContainsFunc(
		groups,
		func(g string) bool { return bundles(g, mid) },
	) {
		c.add("there is no a=group:BUNDLE %s", mid)
	}
	if _, at := attributes(c.lines, "rtcp-mux"); len(at) == 0 {
		c.add("there is no a=rtcp-mux; RTP and RTCP share one port")
	}
	if _, at := attributes(c.lines, "ice-lite"); len(at) > 0 {
		c.add("line %d: a=ice-lite; WhatsApp's side is the lite one, this side must be full ICE", at[0].number)
	}
}

// bundles reports whether a=group has this value for a bundle of mid alone. RFC 5888, 5, compares the word without
// case.
func bundles(group, mid string) bool {
	fields := strings.Fields(group)
	return len(fields) == 2 && strings.EqualFold(fields[0], "BUNDLE") && fields[1] == mid
}

var sha256Fingerprint = regexp.MustCompile(`^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}$`)

func (c *answerCheck) security() {
	switch values, at := attributes(c.lines, "setup"); {
	case len(values) != 1:
		c.add("there are %d a=setup lines; want exactly one, a=setup:active", len(values))
	case values[0] != "active":
		c.add("line %d: a=setup:%s; want a=setup:active, because WhatsApp waits for this side to start DTLS",
			at[0].number, values[0])
	}
	prints, at := attributes(c.lines, "fingerprint")
	if len(prints) != 1 {
		c.add("there are %d a=fingerprint lines; want exactly one, of sha-256", len(prints))
	}
	for i, p := range prints {
		hash, value, _ := strings.Cut(p, " ")
		if !strings.EqualFold(hash, "sha-256") {
			c.add("line %d: a=fingerprint of %s; want sha-256 and no other hash", at[i].number, hash)
		} else if !sha256Fingerprint.MatchString(value) {
			c.add("line %d: a=fingerprint is not 32 hexadecimal pairs", at[i].number)
		}
	}
	for _, key := range []string{"ice-ufrag", "ice-pwd"} {
		if attribute(c.lines, key) == "" {
			c.add("there is no a=%s", key)
		}
	}
}

func (c *answerCheck) candidates() {
	values, at := attributes(c.lines, "candidate")
	names := 0
	for i, v := range values {
		switch got, err := parseCandidate(v); {
		case err != nil:
			c.add("line %d: a=candidate %v", at[i].number, err)
		case got.component == "1" && got.protocol == "udp" && got.addr.IsValid():
			return
		case !got.addr.IsValid():
			names++
		}
	}
	switch {
	case len(values) == 0:
		c.add("there is no a=candidate; wait until gathering is complete before sending the answer")
	case names > 0:
		c.add("no a=candidate for UDP component 1 has an IP address, only names such as *.local; ask for the " +
			"microphone before gathering, or relay the audio")
	default:
		c.add("no a=candidate is for UDP component 1")
	}
}
