package positus

import (
	"net/netip"
	"strings"
	"testing"
)

func prefixes(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	var all []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestClientIP(t *testing.T) {
	proxies := prefixes(t, "10.0.0.0/8", "fd00::/8", "127.0.0.1/32")
	for name, tc := range map[string]struct {
		remote    string
		forwarded []string
		trusted   []netip.Prefix
		want      string // empty: cannot be read
	}{
		"no proxy":                             {"203.0.113.7:1234", nil, nil, "203.0.113.7"},
		"no trusted proxy, header ignored":     {"203.0.113.7:1234", []string{"198.51.100.1"}, nil, "203.0.113.7"},
		"not from a trusted proxy":             {"203.0.113.7:1234", []string{"198.51.100.1"}, proxies, "203.0.113.7"},
		"one proxy":                            {"10.0.0.1:1", []string{"198.51.100.1"}, proxies, "198.51.100.1"},
		"forged on the left":                   {"10.0.0.1:1", []string{"137.184.60.206, 198.51.100.1"}, proxies, "198.51.100.1"},
		"two proxies":                          {"10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1, 10.2.3.4"}, proxies, "198.51.100.1"},
		"several headers are one list":         {"10.0.0.1:1", []string{"1.1.1.1", "198.51.100.1", "10.2.3.4, 10.9.9.9"}, proxies, "198.51.100.1"},
		"forged in another header":             {"10.0.0.1:1", []string{"137.184.60.206", "198.51.100.1"}, proxies, "198.51.100.1"},
		"all trusted":                          {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, proxies, "10.0.0.3"},
		"header missing":                       {"10.0.0.1:1", nil, proxies, "10.0.0.1"},
		"header empty":                         {"10.0.0.1:1", []string{"", " "}, proxies, ""},
		"IPv6":                                 {"[fd00::1]:1", []string{"2001:db8::7"}, proxies, "2001:db8::7"},
		"IPv6 with brackets and port":          {"[fd00::1]:1", []string{"[2001:db8::7]:443"}, proxies, "2001:db8::7"},
		"IPv6 with brackets":                   {"[fd00::1]:1", []string{"[2001:db8::7]"}, proxies, "2001:db8::7"},
		"IPv6 with zone":                       {"[fd00::1%eth0]:1", []string{"2001:db8::7"}, proxies, "2001:db8::7"},
		"IPv4 in IPv6":                         {"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, proxies, "198.51.100.1"},
		"IPv4 with port":                       {"10.0.0.1:1", []string{"198.51.100.1:5555"}, proxies, "198.51.100.1"},
		"garbage is not skipped":               {"10.0.0.1:1", []string{"198.51.100.1, unknown"}, proxies, ""},
		"garbage left of the client is unread": {"10.0.0.1:1", []string{"<script>, 198.51.100.1"}, proxies, "198.51.100.1"},
		"empty hop is not skipped":             {"10.0.0.1:1", []string{"198.51.100.1,"}, proxies, ""},
		"remote address unreadable":            {"@", []string{"198.51.100.1"}, proxies, ""},
	} {
		t.Run(name, func(t *testing.T) {
			want, _ := netip.ParseAddr(tc.want)
			if got := clientIP(tc.remote, tc.forwarded, tc.trusted); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// FuzzClientIP: the answer never comes from what stands left of the first hop that is not trusted, whatever it is, and
// is never a trusted proxy if there is such a hop.
func FuzzClientIP(f *testing.F) {
	f.Add("10.0.0.1:1", "137.184.60.206", "198.51.100.1", 2)
	f.Add("10.0.0.1:1", "10.0.0.1,", "garbage", 0)
	f.Add("[fd00::1]:1", "::1", "[2001:db8::7]:443", 1)
	f.Add("203.0.113.7:1", "a", "b", 0)
	trusted := prefixes(f, "10.0.0.0/8", "fd00::/8")
	f.Fuzz(func(t *testing.T, remote, left, hop string, proxies int) {
		if strings.Contains(hop, ",") || within(parseHop(hop), trusted) {
			return
		}
		tail := hop
		for range min(max(proxies, 0), 3) {
			tail += ", 10.1.1.1"
		}
		got := clientIP(remote, []string{left, tail}, trusted)
		if !within(parseHop(remote), trusted) {
			if got != parseHop(remote) {
				t.Fatalf("a header of %q was believed: %s", remote, got)
			}
			return
		}
		if got != parseHop(hop) {
			t.Fatalf("got %s, which is not the first untrusted hop %q", got, hop)
		}
	})
}
