package engine

import "testing"

func TestAnOfferIsRepaired(t *testing.T) {
	t.Parallel()
	const want = "v=0\r\ns=-\r\na=ssrc:1 cname:x\r\n"
	for _, text := range []string{
		want, "v=0\r\ns=-\r\na=ssrc:1 cname:x", "v=0\ns=-\n\na=ssrc:1 cname:x\n", "v=0\rs=-\ra=ssrc:1 cname:x",
		`v=0\r\ns=-\r\na=ssrc:1 cname:x`, `v=0\ns=-\na=ssrc:1 cname:x\n`, " v=0 \r\n s=-\r\na=ssrc:1 cname:x\t\r\n",
	} {
		if got := RepairSDP(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := RepairSDP(""); got != "" {
		t.Errorf("nothing became %q", got)
	}
}
