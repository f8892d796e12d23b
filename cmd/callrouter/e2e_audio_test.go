package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"

	"callrouter/engine"
	"callrouter/positus/fake"
)

const (
	frame   = 20 * time.Millisecond
	aMinute = 3000 // packets: longer than a graceful stop waits
)

// tonePacket is the i-th packet of tone: Opus of 20 ms by its first byte, and then its number.
func tonePacket(i int) []byte {
	return []byte{9 << 3, byte(i), byte(i >> 8), 0x55, 0xaa, byte(i), 0x11, 0x22}
}

// tone is an Ogg Opus file of so many packets.
func tone(t testing.TB, packets int) []byte {
	t.Helper()
	var b bytes.Buffer
	o, err := oggwriter.NewWith(&b, 48000, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range packets {
		p := &rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i+1) * 960},
			Payload: tonePacket(i),
		}
		if err := o.WriteRTP(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A caller hears the file, packet by packet, at the pace of speech, and is then hung up.
func TestPlayedAnswerIsHeard(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	const packets = 100
	p := phone("play")
	p.Media = true
	call := w.call(p)
	heard, err := call.WaitHeard(w.ctx(15*time.Second), packets)
	if err != nil {
		t.Fatalf("%v\n%s", err, excerpt(&w.logs))
	}
	for i, h := range heard[:packets] {
		if !bytes.Equal(h.Payload, tonePacket(i)) || h.PayloadType != 111 {
			t.Fatalf("packet %d is % x of type %d, want % x of type 111", i, h.Payload, h.PayloadType, tonePacket(i))
		}
		if i > 0 && (h.Sequence != heard[i-1].Sequence+1 || h.Timestamp != heard[i-1].Timestamp+960) {
			t.Errorf(
				"packet %d: sequence %d, timestamp %d behind %d, %d",
				i,
				h.Sequence,
				h.Timestamp,
				heard[i-1].Sequence,
				heard[i-1].Timestamp,
			)
		}
	}
	took, want := heard[packets-1].At.Sub(heard[0].At), (packets-1)*frame
	if took < want-150*time.Millisecond || took > want+500*time.Millisecond {
		t.Errorf("%s of audio took %s", want, took)
	}
	r := w.ended(call.ID, 5*time.Second, engine.Answered)
	if r.Action != "accept" || r.Rule != "voice" {
		t.Errorf("action %q by rule %q", r.Action, r.Rule)
	}
	w.applied(call, fake.KindAccept, fake.KindHangUp)
	if n := len(call.Heard()); n != packets {
		t.Errorf("the phone heard %d packets of %d", n, packets)
	}
}

// A caller who hangs up in the middle of the audio ends it; nobody hangs up a call that is over.
func TestCallerHangsUpWhileAudioPlays(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	p := phone("play")
	p.Media = true
	call := w.call(p)
	if _, err := call.WaitHeard(w.ctx(15*time.Second), 10); err != nil {
		t.Fatal(err)
	}
	call.HangUp()
	w.ended(call.ID, 5*time.Second, engine.Answered)
	w.applied(call, fake.KindAccept)
}
