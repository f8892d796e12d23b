package rules

import (
	"bytes"
	"strings"
	"testing"
)

// oggPageOf builds a page of one packet. No reader here looks at the checksum.
func oggPageOf(flags byte, packet string) string {
	page := make([]byte, 27)
	copy(page, "OggS")
	page[5] = flags
	var sizes []byte
	left := len(packet)
	for ; left >= 255; left -= 255 {
		sizes = append(sizes, 255)
	}
	sizes = append(sizes, byte(left))
	page[26] = byte(len(sizes))
	return string(page) + string(sizes) + packet
}

func opusHead(channels, mapping byte) string {
	return "OpusHead" + string([]byte{1, channels, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, mapping})
}

func TestAudioThatIsNotOggOpusIsRefusedWithWhatItIs(t *testing.T) {
	head, tags, sound := oggPageOf(2, opusHead(1, 0)), oggPageOf(0, "OpusTags....."),
		oggPageOf(4, strings.Repeat("x", 300))
	for _, c := range []struct{ name, file, want string }{
		{"mono", head + tags + sound, ""},
		{"stereo", oggPageOf(2, opusHead(2, 0)) + tags + sound, ""},
		{"long tags", head + oggPageOf(0, "OpusTags"+strings.Repeat("picture", 5000)) + sound, ""},
		{"empty", "", "the file is empty"},
		{"wav", "RIFF\x24\x08\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00\x22\x56\x00\x00",
			"the file is a WAV file, not Ogg Opus"},
		{"short wav", "RIFF", "the file is a WAV file"},
		{"mp3", "ID3\x04" + strings.Repeat("\x00", 40), "the file is an MP3 file"},
		{"m4a", "\x00\x00\x00\x20ftypM4A " + strings.Repeat("\x00", 40), "the file is an MP4 or M4A file"},
		{"text", "not audio at all, just some letters", "the file is something else, not Ogg Opus"},
		{"vorbis", oggPageOf(2, "\x01vorbis"+strings.Repeat("\x00", 20)), "the file is Ogg Vorbis, not Ogg Opus"},
		{"other codec", oggPageOf(2, "whatever"), "the file is Ogg but not Ogg Opus"},
		{"damaged head", oggPageOf(2, "OpusHead\x01"), "damaged or unknown OpusHead"},
		{"surround", oggPageOf(2, opusHead(6, 1)) + tags + sound, "the file has 6 channels"},
		{"no tags", head + sound, "OpusTags do not follow"},
		{"no sound", head + tags, "the file has no sound in it"},
		{"cut in the head", head[:20], "the file is cut short"},
		{"cut in the sound", head + tags + sound[:100], "the file is cut short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkOggOpus(bytes.NewReader([]byte(c.file)))
			switch {
			case c.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case c.want == "":
				return
			case err == nil:
				t.Fatal("accepted")
			case !strings.Contains(err.Error(), c.want):
				t.Errorf("says %q, want %q in it", err, c.want)
			case !strings.Contains(err.Error(), "ffmpeg -i in.wav -c:a libopus -b:a 24k -ar 48000 -ac 1 out.ogg"):
				t.Errorf("does not say how to convert: %q", err)
			}
		})
	}
}
