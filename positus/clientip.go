package positus

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddr returns the address that a request comes from, through proxies that are trusted. It is the zero Addr if that
// cannot be read.
func ClientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	return clientIP(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), trusted)
}

// clientIP is the address that a request comes from: of the hops, from the nearest on, the first that is no trusted
// proxy. What stands further left was written by somebody who is not trusted, and is not looked at. remoteAddr is the
// nearest hop, forwarded are all X-Forwarded-For headers in order. Without trusted proxies the headers are ignored. The
// zero Addr means that the hop cannot be read.
//
// The library realclientip-go is not used: it returns nothing when all hops are trusted, as with a health check of the
// proxy, and it reads an address out of hops with an impossible port.
func clientIP(remoteAddr string, forwarded []string, trusted []netip.Prefix) netip.Addr {
	addr := parseHop(remoteAddr)
	if !within(addr, trusted) {
		return addr
	}
	list := strings.Join(forwarded, ",")
	for strings.TrimSpace(list) != "" {
		hop := list
		if i := strings.LastIndexByte(list, ','); i >= 0 {
			list, hop = list[:i], list[i+1:]
		} else {
			list = ""
		}
		addr = parseHop(hop)
		if !within(addr, trusted) {
			return addr
		}
	}
	return addr
}

// parseHop reads an address with or without port, brackets and zone.
func parseHop(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

func within(a netip.Addr, list []netip.Prefix) bool {
	return a.IsValid() && slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}
