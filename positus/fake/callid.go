package fake

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// newCallID makes an id in the observed wire format: "wacid." and base64 of the user's number, 32 random hexadecimal
// digits and the business number, each with its length in front. The tail is this package's own: it makes every id end
// in "+/A=", so that code that puts one into a URL, a path or a file name unescaped fails its tests.
func newCallID(r *rand.Rand, user, business string, outbound bool) string {
	way := byte(0x12)
	if outbound {
		way = 0x11
	}
	raw := []byte{0x1c, 0x18, byte(len(user))}
	raw = append(raw, user...)
	raw = append(raw, 0x15, 0x02, 0x00, way, 0x18, 0x20)
	raw = append(raw, fmt.Sprintf("%016X%016X", r.Uint64(), r.Uint64())...)
	raw = append(raw, 0x1c, 0x18, byte(len(business)))
	raw = append(raw, business...)
	raw = append(raw, 0x15, 0x02, 0x00)
	for raw = append(raw, 0x00); len(raw)%3 != 0; {
		raw = append(raw, 0x00)
	}
	return "wacid." + base64.StdEncoding.EncodeToString(append(raw, 0xfb, 0xf0))
}

// letters returns n random letters and digits.
func letters(r *rand.Rand, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// randomBytes returns n random bytes.
func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// uuid returns a random UUID of version 4.
func uuid(r *rand.Rand) string {
	b := randomBytes(r, 16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
