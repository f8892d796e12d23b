package fake

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// CheckAnswer reports everything that WhatsApp would refuse in an SDP answer to an offer, each with the line at fault.
// It looks at the text alone, because a media stack forgives most of these (Meta: calling FAQ, troubleshooting):
//
//   - every line ended by CRLF, the last one too;
//   - exactly one m= line, of audio, not refused, with payload types 111 (Opus at 48 kHz, two channels) and 126
//     (telephone-event at 8 kHz);
//   - a=setup:active, and nothing else: the business is the DTLS client;
//   - no a=ice-lite: the business is the full ICE agent;
//   - exactly one fingerprint, sha-256;
//   - ice-ufrag and ice-pwd;
//   - at least one UDP candidate of component 1 with an IP address (no name);
//   - the offer's mid, alone in the BUNDLE group;
//   - a=rtcp-mux;
//   - audio in both directions, which it is without a line that says so.
//
// Spellings that SDP's grammar lets differ are the same here (RFC 8866).
//
// It does not compare with the answer of a pre_accept: Positus has no pre_accept.
func CheckAnswer(offer, answer string) error {
	a := parseAnswer(answer)
	mid := attribute(offer, "mid")
	for _, check := range []func() string{
		func() string { return checkLineEnds(answer) },
		a.checkMedia,
		a.checkSetup,
		a.checkLite,
		a.checkFingerprint,
		func() string { return a.checkCredential("ice-ufrag", 4) },
		func() string { return a.checkCredential("ice-pwd", 22) },
		a.checkCandidates,
		func() string { return a.checkOnly("mid", mid) },
		func() string { return a.checkBundle(mid) },
		a.checkMux,
		func() string { return a.checkCodec(111, "opus/48000/2") },
		func() string { return a.checkCodec(126, "telephone-event/8000") },
		a.checkDirection,
	} {
		if reason := check(); reason != "" {
			a.reasons = append(a.reasons, reason)
		}
	}
	if len(a.reasons) == 0 {
		return nil
	}
	return &AnswerError{Reasons: a.reasons}
}

// AnswerError lists what is wrong with an SDP answer.
type AnswerError struct {
	Reasons []string // one sentence each, with the line at fault
}

func (e *AnswerError) Error() string {
	return "fake: SDP answer refused: " + strings.Join(e.Reasons, "; ")
}

type answerText struct {
	lines   []string
	reasons []string
}

func parseAnswer(answer string) *answerText {
	a := &answerText{}
	for line := range strings.Lines(answer) {
		a.lines = append(a.lines, strings.TrimRight(line, "\r\n"))
	}
	return a
}

// all returns the lines with that beginning.
func (a *answerText) all(prefix string) []string {
	var found []string
	for _, line := range a.lines {
		if strings.HasPrefix(line, prefix) {
			found = append(found, line)
		}
	}
	return found
}

func checkLineEnds(answer string) string {
	n := 0
	for line := range strings.Lines(answer) {
		n++
		if !strings.HasSuffix(line, "\r\n") {
			return fmt.Sprintf("line %d does not end in CRLF: %q", n, line)
		}
	}
	if n == 0 {
		return "the SDP is empty"
	}
	return ""
}

func (a *answerText) checkMedia() string {
	media := a.all("m=")
	if len(media) != 1 {
		return fmt.Sprintf("want exactly one m= line, got %d: %q", len(media), media)
	}
	fields := strings.Fields(media[0])
	if len(fields) < 4 || fields[0] != "m=audio" || strings.HasPrefix(fields[1]+"/", "0/") {
		return fmt.Sprintf("want an m=audio line with a port, got %q", media[0])
	}
	return ""
}

// checkOnly requires the attribute exactly once, with that value.
func (a *answerText) checkOnly(name, want string) string {
	got := a.all("a=" + name + ":")
	if len(got) != 1 || got[0] != "a="+name+":"+want {
		return fmt.Sprintf("want one line %q, got %q", "a="+name+":"+want, got)
	}
	return ""
}

// checkBundle requires a=group:BUNDLE with that mid alone; groups of other kinds may stand beside it (RFC 5888).
func (a *answerText) checkBundle(mid string) string {
	got := a.all("a=group:")
	for _, line := range got {
		kind, members, _ := strings.Cut(strings.TrimPrefix(line, "a=group:"), " ")
		if strings.EqualFold(kind, "bundle") && strings.TrimSpace(members) == mid {
			return ""
		}
	}
	return fmt.Sprintf("want one line %q, got %q", "a=group:BUNDLE "+mid, got)
}

func (a *answerText) checkSetup() string { return a.checkOnly("setup", "active") }

func (a *answerText) checkLite() string {
	if got := a.all("a=ice-lite"); len(got) > 0 {
		return fmt.Sprintf("the business must be a full ICE agent, got %q", got[0])
	}
	return ""
}

var fingerprintLine = regexp.MustCompile(`^a=fingerprint:(?i:sha-256) [0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}$`)

func (a *answerText) checkFingerprint() string {
	got := a.all("a=fingerprint:")
	if len(got) != 1 || !fingerprintLine.MatchString(got[0]) {
		return fmt.Sprintf("want exactly one sha-256 fingerprint, got %q", got)
	}
	return ""
}

// checkCredential requires an ICE user fragment or password of the length that RFC 8839 asks for.
func (a *answerText) checkCredential(name string, length int) string {
	got := a.all("a=" + name + ":")
	if len(got) != 1 || len(got[0]) < len("a="+name+":")+length {
		return fmt.Sprintf("want one a=%s line of %d characters or more, got %d lines", name, length, len(got))
	}
	return ""
}

func (a *answerText) checkCandidates() string {
	got := a.all("a=candidate:")
	for _, line := range got {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "1" || !strings.EqualFold(f[2], "udp") {
			continue
		}
		if _, err := netip.ParseAddr(f[4]); err == nil {
			return ""
		}
	}
	return fmt.Sprintf("want a UDP candidate of component 1 with an IP address, got %q", got)
}

func (a *answerText) checkMux() string {
	if len(a.all("a=rtcp-mux")) == 0 {
		return `want "a=rtcp-mux", got no such line`
	}
	return ""
}

// checkCodec requires the payload type in the m= line, with its name in an rtpmap line.
func (a *answerText) checkCodec(payloadType int, codec string) string {
	number := strconv.Itoa(payloadType)
	for _, media := range a.all("m=") {
		if fields := strings.Fields(media); len(fields) < 4 || !slices.Contains(fields[3:], number) {
			return fmt.Sprintf("want payload type %s (%s), got %q", number, codec, media)
		}
	}
	got := a.all("a=rtpmap:" + number + " ")
	if len(got) != 1 || !sameCodec(strings.TrimPrefix(got[0], "a=rtpmap:"+number+" "), codec) {
		return fmt.Sprintf("want one line %q, got %q", "a=rtpmap:"+number+" "+codec, got)
	}
	return ""
}

// sameCodec compares two encodings of audio. Names have no case, and a count of one channel may be left out (RFC 8866,
// 6.6).
func sameCodec(a, b string) bool {
	split := func(codec string) [3]string {
		parts := strings.Split(strings.ToLower(strings.TrimSpace(codec)), "/")
		if len(parts) == 2 {
			parts = append(parts, "1")
		}
		if len(parts) != 3 {
			return [3]string{codec}
		}
		return [3]string(parts)
	}
	return split(a) == split(b)
}

// checkDirection goes by the direction of the m= section, and by the session's if that has none.
func (a *answerText) checkDirection() string {
	session, media := "", ""
	section := &session
	for _, line := range a.lines {
		switch {
		case strings.HasPrefix(line, "m="):
			section = &media
		case line == "a=sendonly", line == "a=recvonly", line == "a=inactive", line == "a=sendrecv":
			*section = line
		}
	}
	if effective := cmp.Or(media, session, "a=sendrecv"); effective != "a=sendrecv" {
		return fmt.Sprintf("want audio in both directions, got %q", effective)
	}
	return ""
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}
