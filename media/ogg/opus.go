package ogg

import (
	"bytes"
	"errors"
)

// What the first two packets of an Opus stream begin with (RFC 7845, section 5).
const (
	headMagic = "OpusHead"
	tagsMagic = "OpusTags"
)

// Errors of [ParseOpusHead].
var (
	ErrNotOpus     = errors.New("not an OpusHead")
	ErrUnknownHead = errors.New("a damaged or unknown OpusHead")
)

// OpusHead is what this module needs of the first packet of an Opus stream.
type OpusHead struct {
	Channels int
	Family   int // of the channel mapping: 0 is mono or stereo
}

// ParseOpusHead reads the first packet of a stream. The error is [ErrNotOpus] for the packet of another codec, or
// [ErrUnknownHead] if the packet is too short or of an incompatible version.
func ParseOpusHead(packet []byte) (OpusHead, error) {
	if !bytes.HasPrefix(packet, []byte(headMagic)) {
		return OpusHead{}, ErrNotOpus
	}
	// Magic (8), version, channels, pre-skip (2), rate (4), gain (2), family. Versions below 16 are compatible.
	if len(packet) < 19 || packet[8] >= 16 {
		return OpusHead{}, ErrUnknownHead
	}
	return OpusHead{Channels: int(packet[9]), Family: int(packet[18])}, nil
}

// Playable reports whether a call, which has one or two channels, can carry the stream.
func (h OpusHead) Playable() bool { return h.Family == 0 && (h.Channels == 1 || h.Channels == 2) }

// IsOpusTags reports whether a packet, or the beginning of one, is the second packet of an Opus stream.
func IsOpusTags(packet []byte) bool { return bytes.HasPrefix(packet, []byte(tagsMagic)) }
