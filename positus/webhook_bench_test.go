package positus

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParseWebhook reads bodies in the forms that come: one call, as almost always, and 100 KB of calls, of one
// call, and of what is not a call.
func BenchmarkParseWebhook(b *testing.B) {
	const large = 100 << 10
	call := benchCall(strings.Repeat("a=candidate:1 1 udp 2122260223 198.51.100.7 3478 typ host\r\n", 20))
	flat := func(calls string) string { return `{"calls":[` + calls + `]}` }
	envelope := func(value string) string {
		return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"calls","value":` +
			value + `}]}]}`
	}
	calls := strings.TrimSuffix(strings.Repeat(call+",", large/len(call)), ",")
	message := `{"from":"5511987654321","id":"wamid.x","type":"text","text":{"body":"Good morning"}}`
	messages := strings.TrimSuffix(strings.Repeat(message+",", large/len(message)), ",")
	for _, c := range []struct{ name, body string }{
		{"one call", flat(call)},
		{"one call, envelope", envelope(flat(call))},
		{"100 KB of calls", flat(calls)},
		{"100 KB of calls, envelope", envelope(flat(calls))},
		{"100 KB of SDP", flat(benchCall(strings.Repeat("a=x\r\n", large/7)))},
		{"100 KB of messages", envelope(`{"messages":[` + messages + `]}`)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseWebhook([]byte(c.body), pendingForOne); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchCall(attributes string) string {
	sdp, _ := json.Marshal("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n" + attributes) // a string: it cannot fail
	return fmt.Sprintf(`{"id":"wacid.HBgMNTU0Mzk5","from":"5511987654321","to":"551122361741","event":"connect",`+
		`"timestamp":"1747411095","direction":"USER_INITIATED","session":{"sdp_type":"offer","sdp":%s}}`, sdp)
}
