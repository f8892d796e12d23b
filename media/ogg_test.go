package media

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func readAll(t *testing.T, path string) (packets [][]byte, samples int) {
	t.Helper()
	f, err := openOpus(path)
	must(t, err)
	defer f.Close()
	for {
		p, err := f.next()
		if err == io.EOF {
			return packets, samples
		}
		must(t, err)
		packets = append(packets, p.payload)
		samples += int(p.samples)
	}
}

func TestPacketsAreReadAsFfprobeReadsThem(t *testing.T) {
	for _, name := range []string{"page_a_packet", "many_a_page"} {
		packets, samples := readAll(t, filepath.Join("testdata", name+".ogg"))
		var got strings.Builder
		for _, p := range packets {
			got.WriteString(sum(p) + "\n")
		}
		if got.String() != readFile(t, name+".packets") {
			t.Errorf("%s: other packets than in its .packets file", name)
		}
		if ms := samples * 1000 / opusRate; ms < 2000 || ms > 2020 {
			t.Errorf("%s: %d ms, want 2 s and a frame at most", name, ms)
		}
	}
}

func TestTheExamplesGreetingCanBePlayed(t *testing.T) {
	_, samples := readAll(t, filepath.Join("..", "examples", "audio", "greeting.ogg"))
	if ms := samples * 1000 / opusRate; ms < 3000 || ms > 4500 {
		t.Errorf("it lasts %d ms, want 3 to 4 s", ms)
	}
}

const (
	begin   = 0x02
	goesOn  = 0x01
	crcPoly = 0x04c11db7
)

// page writes one Ogg page as RFC 3533 has it.
func page(flags byte, serial uint32, lacing []byte, payload []byte) []byte {
	b := make([]byte, 27, 27+len(lacing)+len(payload))
	copy(b, "OggS")
	b[5] = flags
	binary.LittleEndian.PutUint32(b[14:], serial)
	b[26] = byte(len(lacing))
	b = append(append(b, lacing...), payload...)
	var crc uint32
	for _, v := range b {
		crc ^= uint32(v) << 24
		for range 8 {
			high := crc>>31 == 1
			crc <<= 1
			if high {
				crc ^= crcPoly
			}
		}
	}
	binary.LittleEndian.PutUint32(b[22:], crc)
	return b
}

func head(channels, family byte) []byte {
	h := append([]byte("OpusHead"), 1, channels, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, family)
	return page(begin, 7, []byte{byte(len(h))}, h)
}

func tags() []byte {
	h := append([]byte("OpusTags"), make([]byte, 8)...)
	return page(0, 7, []byte{byte(len(h))}, h)
}

func write(t *testing.T, pages ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.ogg")
	must(t, os.WriteFile(path, bytes.Join(pages, nil), 0o600))
	return path
}

func TestPacketsThatGoOnOverPages(t *testing.T) {
	long := append([]byte{0xf8}, bytes.Repeat([]byte{1}, 599)...)  // 600 bytes: 255+255+90
	exact := append([]byte{0xf8}, bytes.Repeat([]byte{2}, 254)...) // 255 bytes: 255+0
	short := []byte{0xf8, 3}
	path := write(t, head(1, 0), tags(),
		page(0, 7, []byte{2, 255}, append(append([]byte{}, short...), long[:255]...)),
		page(goesOn, 7, []byte{255}, long[255:510]), // a page on which no packet ends
		page(goesOn, 7, []byte{90, 255, 0, 2}, append(append(append([]byte{}, long[510:]...), exact...), short...)),
	)
	got, samples := readAll(t, path)
	want := [][]byte{short, long, exact, short}
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("packet %d has %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
	if samples != 4*960 {
		t.Errorf("%d samples, want %d", samples, 4*960)
	}
}

func TestAudioFilesThatCannotBePlayed(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join("testdata", tone))
	must(t, err)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	packet := page(0, 7, []byte{2}, []byte{0xf8, 3})
	for _, c := range []struct {
		name, path, want string
	}{
		{"missing", filepath.Join(t.TempDir(), "no.ogg"), "no such file"},
		{"a folder", t.TempDir(), "is a directory"},
		{"empty", write(t), "is not Ogg Opus"},
		{
			"text", write(t, []byte("this is a text that is somewhat longer than the header of a page")),
			"is not Ogg Opus",
		},
		{
			"Vorbis", write(t, page(begin, 7, []byte{30}, append([]byte("\x01vorbis"), make([]byte, 23)...))),
			"is not Ogg Opus",
		},
		{"head only", write(t, head(1, 0)), "no OpusTags"},
		{"no audio", write(t, head(1, 0), tags()), "holds no audio"},
		{"surround", write(t, head(6, 0), tags(), packet), "6 channels"},
		{"cut off", write(t, whole[:len(whole)-10]), "is cut off"},
		{"cut off at the lacing", write(t, head(1, 0), tags(), packet[:27]), "is cut off"},
		{"cut off in a packet", write(t, head(1, 0), tags(), page(0, 7, []byte{255}, make([]byte, 255))), "is cut off"},
		{"a bit flipped", write(t, flipped), "is damaged"},
		{"a page lost", write(t, head(1, 0), tags(), page(goesOn, 7, []byte{2}, []byte{0xf8, 3})), "has lost a part"},
		{"two streams", write(t, head(1, 0), tags(), page(0, 8, []byte{2}, []byte{0xf8, 3})), "more than one stream"},
		{"empty packet", write(t, head(1, 0), tags(), page(0, 7, []byte{0}, nil)), "is empty"},
		{"no frames", write(t, head(1, 0), tags(), page(0, 7, []byte{2}, []byte{0xfb, 0})), "holds no frame"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := openOpus(c.path)
			if err == nil {
				f.Close()
			}
			wants(t, err, c.want)
		})
	}
}

func TestHowLongAPacketPlays(t *testing.T) {
	for _, c := range []struct {
		packet []byte
		ms     float64
	}{
		{[]byte{0 << 3}, 10}, {[]byte{3 << 3}, 60}, {[]byte{9 << 3}, 20}, // SILK
		{[]byte{12 << 3}, 10}, {[]byte{15 << 3}, 20}, // hybrid
		{[]byte{16 << 3}, 2.5}, {[]byte{31 << 3}, 20}, // CELT
		{[]byte{31<<3 | 1}, 40}, {[]byte{31<<3 | 2}, 40}, // two frames
		{[]byte{31<<3 | 3, 0x80 | 6}, 120}, {[]byte{16<<3 | 3, 0x40 | 3}, 7.5}, // any number
	} {
		got, err := opusSamples(c.packet)
		must(t, err)
		if want := uint32(c.ms * 48); got != want {
			t.Errorf("%x: %d samples, want %d", c.packet, got, want)
		}
	}
	for _, bad := range [][]byte{{31<<3 | 3}, {31<<3 | 3, 7}, {3<<3 | 3, 3}} {
		if got, err := opusSamples(bad); err == nil {
			t.Errorf("%x: %d samples, want an error", bad, got)
		}
	}
}
