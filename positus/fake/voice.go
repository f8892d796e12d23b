package fake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	frameTime    = 20 * time.Millisecond
	frameSamples = 960 // of 20 ms at 48 kHz
	frameTicks   = 160 // of 20 ms at 8 kHz, the unit of a digit's duration
)

// SendAudio sends one frame of 20 ms of Opus from a Media phone, whatever its payload.
func (c *Call) SendAudio(payload []byte) error {
	if c.peer == nil {
		return errNoMedia
	}
	return c.peer.voice.frame(payload)
}

// SendDTMF presses keys (0 to 9, *, #, A to D) on a Media phone: for each, 100 ms of telephone-event packets (RFC
// 4733), payload type 126, at the pace of a phone. It returns when the last is sent.
func (c *Call) SendDTMF(ctx context.Context, keys string) error {
	if c.peer == nil {
		return errNoMedia
	}
	pace := time.NewTicker(frameTime)
	defer pace.Stop()
	for _, key := range keys {
		event := strings.IndexRune("0123456789*#ABCD", key)
		if event < 0 {
			return fmt.Errorf("fake: %q is not a key: use 0-9, *, #, A-D", key)
		}
		for _, packet := range digitPackets(byte(event)) {
			if err := c.peer.voice.digit(packet); err != nil {
				return err
			}
			select {
			case <-pace.C:
			case <-c.over:
				return errors.New("fake: the call ended before all keys were sent")
			case <-ctx.Done():
				return fmt.Errorf("fake: sending keys: %w", ctx.Err())
			}
		}
		c.peer.voice.rest()
	}
	return nil
}

// digitPacket is one of the packets of a key press.
type digitPacket struct {
	first   bool
	payload []byte
}

// digitPackets are five updates and the three copies of the end that RFC 4733 wants.
func digitPackets(event byte) []digitPacket {
	const volume, end = 10, 0x80
	var packets []digitPacket
	for i := range 8 {
		duration, flags := uint16(min(i+1, 5)*frameTicks), byte(volume)
		if i >= 5 {
			flags |= end
		}
		packets = append(packets, digitPacket{i == 0, []byte{event, flags, byte(duration >> 8), byte(duration)}})
	}
	return packets
}

// voice is the phone's outgoing track. It is not one of pion's because those fix the payload type, and a phone sends
// digits between its audio.
type voice struct {
	stream string

	mu        sync.Mutex
	out       webrtc.TrackLocalWriter
	ssrc      uint32
	sequence  uint16
	timestamp uint32
}

func newVoice(stream string) *voice { return &voice{stream: stream} }

// Bind, Unbind, ID, RID, StreamID and Kind make voice a webrtc.TrackLocal.
func (v *voice) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range ctx.CodecParameters() {
		if strings.EqualFold(codec.MimeType, webrtc.MimeTypeOpus) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.out, v.ssrc = ctx.WriteStream(), uint32(ctx.SSRC())
			return codec, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

func (v *voice) Unbind(webrtc.TrackLocalContext) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.out = nil
	return nil
}

func (v *voice) ID() string                { return "WhatsAppTrack1" }
func (v *voice) RID() string               { return "" }
func (v *voice) StreamID() string          { return v.stream }
func (v *voice) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

func (v *voice) frame(payload []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.timestamp += frameSamples
	return v.write(payloadOpus, false, payload)
}

func (v *voice) digit(p digitPacket) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.write(payloadDigits, p.first, p.payload)
}

// rest advances the RTP clock by the length of a key press, whose packets all have the timestamp of its start.
func (v *voice) rest() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.timestamp += 8 * frameSamples
}

// write sends a packet; v.mu is held.
func (v *voice) write(payloadType uint8, marker bool, payload []byte) error {
	if v.out == nil {
		return errors.New("fake: the phone's audio is not connected: wait for WaitConnected")
	}
	v.sequence++
	header := rtp.Header{
		Version: 2, Marker: marker, PayloadType: payloadType, SequenceNumber: v.sequence, Timestamp: v.timestamp,
		SSRC: v.ssrc,
	}
	if _, err := v.out.WriteRTP(&header, payload); err != nil {
		return fmt.Errorf("fake: send audio: %w", err)
	}
	return nil
}
