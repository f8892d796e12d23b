package media

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/pion/sdp/v3"

	"callrouter/engine"
)

// Payload types of the two formats that WhatsApp offers (Meta: calling FAQ; live offers).
const (
	payloadOpus   = "111"
	payloadDigits = "126" // telephone-event: the keys the caller presses
)

// line is one line of an SDP, with its number for messages.
type line struct {
	number int // from 1
	text   string
}

// attribute returns the value of an a= line with this key; a bare attribute has the value "".
func (l line) attribute(key string) (string, bool) {
	rest, ok := strings.CutPrefix(l.text, "a="+key)
	if !ok || (rest != "" && rest[0] != ':') {
		return "", false
	}
	return strings.TrimPrefix(rest, ":"), true
}

func splitLines(text string) []line {
	var lines []line
	for i, t := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		lines = append(lines, line{number: i + 1, text: strings.TrimSuffix(t, "\r")})
	}
	return lines
}

// attributes returns the values of all a= lines with this key, and their lines.
func attributes(lines []line, key string) (values []string, at []line) {
	for _, l := range lines {
		if v, ok := l.attribute(key); ok {
			values, at = append(values, v), append(at, l)
		}
	}
	return values, at
}

// attribute returns the value of the first a= line with this key, or "".
func attribute(lines []line, key string) string {
	if values, _ := attributes(lines, key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// formats maps payload types to their formats in a=rtpmap, in one spelling: RFC 8866, 6.6, compares encoding names
// without case, and lets one audio channel be written or left out.
func formats(lines []line) map[string]string {
	m := map[string]string{}
	values, _ := attributes(lines, "rtpmap")
	for _, v := range values {
		payload, format, _ := strings.Cut(v, " ")
		format = strings.ToLower(strings.TrimSpace(format))
		if strings.Count(format, "/") == 2 {
			format = strings.TrimSuffix(format, "/1")
		}
		m[payload] = format
	}
	return m
}

// candidate is the part of an a=candidate value that this package needs.
type candidate struct {
	component string
	protocol  string
	addr      netip.Addr // invalid if the candidate has a name
}

func parseCandidate(value string) (candidate, error) {
	fields := strings.Fields(value)
	if len(fields) < 8 || fields[6] != "typ" {
		return candidate{}, errors.New(`is not "FOUNDATION COMPONENT PROTOCOL PRIORITY ADDRESS PORT typ TYPE"`)
	}
	addr, _ := netip.ParseAddr(fields[4])
	return candidate{component: fields[1], protocol: strings.ToLower(fields[2]), addr: addr.Unmap()}, nil
}

// offer is a caller's offer, its line ends repaired.
type offer struct {
	text       string
	lines      []line
	mid        string
	opusParams string      // of a=fmtp
	digits     bool        // telephone-event is offered
	raw        []string    // the values of a=candidate
	candidates []candidate // the same, read
}

// readOffer reads an offer as far as it can be read.
func readOffer(text string) *offer {
	o := &offer{text: engine.RepairSDP(text)}
	o.lines = splitLines(o.text)
	o.mid = attribute(o.lines, "mid")
	o.digits = formats(o.lines)[payloadDigits] == "telephone-event/8000"
	params, _ := attributes(o.lines, "fmtp")
	for _, p := range params {
		if rest, ok := strings.CutPrefix(p, payloadOpus+" "); ok {
			o.opusParams = rest
		}
	}
	o.raw, _ = attributes(o.lines, "candidate")
	return o
}

// parseOffer reads an offer that this package is to answer. The error says why it cannot.
func parseOffer(text string) (*offer, error) {
	o := readOffer(text)
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("the caller's SDP offer cannot be answered: %w", err)
	}
	return o, nil
}

func (o *offer) validate() error {
	if o.text == "" {
		return errors.New("it is empty")
	}
	var parsed sdp.SessionDescription
	if err := parsed.UnmarshalString(o.text); err != nil {
		return fmt.Errorf("it is not SDP: %w", err)
	}
	if n := len(parsed.MediaDescriptions); n != 1 || parsed.MediaDescriptions[0].MediaName.Media != "audio" {
		return fmt.Errorf("it has %d m= lines, want exactly one, m=audio", n)
	}
	if formats(o.lines)[payloadOpus] != "opus/48000/2" {
		return errors.New("it does not offer Opus as payload type " + payloadOpus)
	}
	for _, key := range []string{"mid", "ice-ufrag", "ice-pwd", "fingerprint", "setup", "candidate"} {
		if attribute(o.lines, key) == "" {
			return errors.New("it has no a=" + key)
		}
	}
	if setup := attribute(o.lines, "setup"); setup != "actpass" && setup != "passive" {
		return fmt.Errorf("a=setup:%s does not let this side start DTLS; want actpass", setup)
	}
	for _, value := range o.raw {
		c, err := parseCandidate(value)
		if err != nil {
			return fmt.Errorf("an a=candidate %w", err)
		}
		o.candidates = append(o.candidates, c)
	}
	return nil
}

// withoutCandidates returns the offer for a connection that must not send anything yet.
func (o *offer) withoutCandidates() string {
	var b strings.Builder
	for _, l := range o.lines {
		if _, ok := l.attribute("candidate"); !ok {
			b.WriteString(l.text + "\r\n")
		}
	}
	return b.String()
}

// trimCandidates keeps an answer's first candidate of component 1 for each IP version, as in WhatsApp's offers. RTCP is
// multiplexed, so it needs no component 2.
func trimCandidates(text string) string {
	var b strings.Builder
	var have4, have6 bool
	for _, l := range splitLines(text) {
		if value, ok := l.attribute("candidate"); ok {
			c, err := parseCandidate(value)
			if err != nil || c.component != "1" || c.protocol != "udp" || !c.addr.IsValid() {
				continue
			}
			have := &have6
			if c.addr.Is4() {
				have = &have4
			}
			if *have {
				continue
			}
			*have = true
		}
		b.WriteString(l.text + "\r\n")
	}
	return b.String()
}
