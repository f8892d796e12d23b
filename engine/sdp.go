package engine

import "strings"

// RepairSDP ends every line of an SDP in CRLF. Offers arrive without the last line end, with bare LFs, or with line ends
// spelled out as backslash r backslash n; a browser refuses such an offer ("Invalid SDP line").
func RepairSDP(text string) string {
	if !strings.ContainsAny(text, "\r\n") {
		text = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n").Replace(text)
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	var b strings.Builder
	for l := range strings.SplitSeq(text, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			b.WriteString(l + "\r\n")
		}
	}
	return b.String()
}
