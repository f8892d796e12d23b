package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// errConvertAudio ends every error about an audio file.
var errConvertAudio = errors.New("convert it with: ffmpeg -i in.wav -c:a libopus -b:a 24k -ar 48000 -ac 1 out.ogg")

// audioKinds are files that get mistaken for Ogg Opus, by how they begin.
var audioKinds = []struct {
	offset      int
	begin, kind string
}{
	{0, "RIFF", "a WAV file"},
	{0, "ID3", "an MP3 file"},
	{0, "\xff\xfb", "an MP3 file"},
	{0, "\xff\xf3", "an MP3 file"},
	{0, "\xff\xf1", "an AAC file"},
	{0, "fLaC", "a FLAC file"},
	{0, "#!AMR", "an AMR file"},
	{0, "\x1aE\xdf\xa3", "a WebM or Matroska file"},
	{4, "ftyp", "an MP4 or M4A file"},
}

// oggCodecs are what an Ogg file can hold instead of Opus, by how the first
// packet begins.
var oggCodecs = []struct{ begin, codec string }{
	{"\x01vorbis", "Vorbis"}, {"\x7fFLAC", "FLAC"}, {"Speex   ", "Speex"}, {"\x80theora", "video"},
}

// checkOggOpus reads as much of a file as it takes to see that it is Ogg Opus
// with one or two channels and has sound in it (RFC 7845). The error says what
// it is instead and how to convert it.
func checkOggOpus(r io.Reader) error {
	if err := findOpusSound(r); err != nil {
		return fmt.Errorf("%w; %w", err, errConvertAudio)
	}
	return nil
}

func findOpusSound(r io.Reader) error {
	head, err := readOggPage(r)
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the file is empty")
	case err != nil:
		return err
	}
	if err := checkOpusHead(head.payload); err != nil {
		return err
	}
	// The tags follow, on as many pages as they need, then the sound.
	for packets := 0; ; {
		page, err := readOggPage(r)
		switch {
		case errors.Is(err, io.EOF):
			return errors.New("the file has no sound in it")
		case err != nil:
			return err
		case packets == 0 && !page.continued && !bytes.HasPrefix(page.payload, []byte("OpusTags")):
			return errors.New("the file is not Ogg Opus: OpusTags do not follow OpusHead")
		case packets > 0 && len(page.payload) > 0:
			return nil
		}
		packets += page.packets
	}
}

func checkOpusHead(packet []byte) error {
	if !bytes.HasPrefix(packet, []byte("OpusHead")) {
		for _, c := range oggCodecs {
			if bytes.HasPrefix(packet, []byte(c.begin)) {
				return fmt.Errorf("the file is Ogg %s, not Ogg Opus", c.codec)
			}
		}
		return errors.New("the file is Ogg but not Ogg Opus")
	}
	// "OpusHead", version, channels, pre-skip (2), rate (4), gain (2), mapping.
	if len(packet) < 19 || packet[8] >= 16 {
		return errors.New("the file has a damaged or unknown OpusHead")
	}
	if channels := packet[9]; channels < 1 || channels > 2 || packet[18] != 0 {
		return fmt.Errorf("the file has %d channels, a call has one or two", channels)
	}
	return nil
}

// oggPage is a page of an Ogg file (RFC 3533).
type oggPage struct {
	payload   []byte
	continued bool // begins inside a packet
	packets   int  // that end on it
}

// readOggPage reads the next page. The error is io.EOF only if the file ends
// where the page would begin.
func readOggPage(r io.Reader) (oggPage, error) {
	const headerSize = 27
	header := make([]byte, headerSize)
	n, err := io.ReadFull(r, header)
	switch {
	case errors.Is(err, io.EOF):
		return oggPage{}, io.EOF
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return oggPage{}, fmt.Errorf("the file cannot be read: %w", err)
	case !bytes.HasPrefix(header[:n], []byte("OggS")):
		return oggPage{}, fmt.Errorf("the file is %s, not Ogg Opus", audioKind(header[:n]))
	case err != nil:
		return oggPage{}, errCutShort
	}
	sizes := make([]byte, header[26])
	if _, err := io.ReadFull(r, sizes); err != nil {
		return oggPage{}, errCutShort
	}
	page := oggPage{continued: header[5]&1 != 0}
	size := 0
	for _, s := range sizes {
		size += int(s)
		if s < 255 {
			page.packets++
		}
	}
	page.payload = make([]byte, size)
	if _, err := io.ReadFull(r, page.payload); err != nil {
		return oggPage{}, errCutShort
	}
	return page, nil
}

var errCutShort = errors.New("the file is cut short")

func audioKind(begin []byte) string {
	for _, k := range audioKinds {
		if len(begin) >= k.offset && bytes.HasPrefix(begin[k.offset:], []byte(k.begin)) {
			return k.kind
		}
	}
	return "something else"
}
