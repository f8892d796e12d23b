package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/webrtc/v4"
)

const (
	// lostAfter is how long the other side may send nothing, ICE responses included, before the connection counts as
	// broken. WhatsApp gives up after 30 s (Meta: troubleshooting).
	lostAfter = 10 * time.Second
	// idleAtMost is how long a prepared answer may wait for Run: longer than any answer window.
	idleAtMost = 60 * time.Second
)

// newPeer makes a connection for one offer, bound to the local addresses that reach its relay.
func (m *Media) newPeer(o *offer) (*webrtc.PeerConnection, error) {
	codecs, err := offeredCodecs(o)
	if err != nil {
		return nil, err
	}
	settings, err := m.settings(o)
	if err != nil {
		return nil, err
	}
	reports, err := report.NewSenderInterceptor(report.SenderLog(logs{m.logger}))
	if err != nil {
		return nil, err
	}
	var interceptors interceptor.Registry
	interceptors.Add(reports)
	api := webrtc.NewAPI(
		webrtc.WithMediaEngine(codecs),
		webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(&interceptors),
	)
	return api.NewPeerConnection(webrtc.Configuration{})
}

// offeredCodecs registers exactly WhatsApp's codecs: with the library's defaults, the answer would lose
// telephone-event.
func offeredCodecs(o *offer) (*webrtc.MediaEngine, error) {
	codecs := &webrtc.MediaEngine{}
	list := []webrtc.RTPCodecParameters{{
		PayloadType: 111,
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: opusRate, Channels: 2, SDPFmtpLine: o.opusParams,
		},
	}}
	if o.digits {
		list = append(list, webrtc.RTPCodecParameters{
			PayloadType:        126,
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000},
		})
	}
	for _, c := range list {
		if err := codecs.RegisterCodec(c, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	return codecs, nil
}

func (m *Media) settings(o *offer) (webrtc.SettingEngine, error) {
	var s webrtc.SettingEngine
	locals, err := m.localAddresses(o)
	if err != nil {
		return s, err
	}
	s.LoggerFactory = logs{m.logger}
	// Left to itself the library answers an ICE-lite offer with a=setup:passive, and then both sides wait for ever.
	if err := s.SetAnsweringDTLSRole(webrtc.DTLSRoleClient); err != nil {
		return s, err
	}
	s.SetSDPMediaLevelFingerprints(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetICETimeouts(lostAfter, idleAtMost, 2*time.Second)
	s.SetIncludeLoopbackCandidate(m.loopback)
	s.SetIPFilter(func(ip net.IP) bool {
		addr, ok := netip.AddrFromSlice(ip)
		return ok && slices.Contains(locals, addr.Unmap())
	})
	var networks []webrtc.NetworkType
	for _, l := range locals {
		network := webrtc.NetworkTypeUDP6
		if l.Is4() {
			network = webrtc.NetworkTypeUDP4
		}
		networks = append(networks, network)
		if m.publicIP.IsValid() && m.publicIP.Is4() == l.Is4() {
			if err := s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
				External:        []string{m.publicIP.String()},
				AsCandidateType: webrtc.ICECandidateTypeHost,
				Mode:            webrtc.ICEAddressRewriteReplace,
				Networks:        []webrtc.NetworkType{network},
			}); err != nil {
				return s, err
			}
		}
	}
	s.SetNetworkTypes(networks)
	return s, nil
}

// localAddresses returns the addresses, at most one of each IP version, from which packets to the offer's relay leave
// this machine. It asks the routing table, because a list of interfaces does not tell which one is used.
func (m *Media) localAddresses(o *offer) ([]netip.Addr, error) {
	if m.loopback {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	var locals []netip.Addr
	why := errors.New("the offer has no UDP candidate with an IP address")
	for _, c := range o.candidates {
		if c.protocol != "udp" || !c.addr.IsValid() ||
			slices.ContainsFunc(locals, func(l netip.Addr) bool { return l.Is4() == c.addr.Is4() }) {
			continue
		}
		local, err := sourceAddress(c.addr)
		switch {
		case err != nil:
			why = err
		case local.IsLoopback():
			why = errors.New("the offer's candidate is this machine itself")
		default:
			locals = append(locals, local)
		}
	}
	if len(locals) == 0 {
		return nil, fmt.Errorf("no way to the caller's audio: %w; check the network of this machine", why)
	}
	return locals, nil
}

// sourceAddress connects a UDP socket, which consults the routing table and sends nothing.
func sourceAddress(to netip.Addr) (netip.Addr, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}, errors.New("the socket has no UDP address")
	}
	return local.AddrPort().Addr().Unmap(), nil
}
