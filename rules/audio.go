package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"callrouter/media/ogg"
)

// errConvertAudio ends every error about the content of an audio file.
var errConvertAudio = errors.New("convert it with: ffmpeg -i in.wav -c:a libopus -b:a 24k -ar 48000 -ac 1 out.ogg")

// audioKinds lists files that people mistake for Ogg Opus, by how they begin.
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

// oggCodecs lists what an Ogg file can hold instead of Opus, by how the first packet begins.
var oggCodecs = []struct{ begin, codec string }{
	{"\x01vorbis", "Vorbis"}, {"\x7fFLAC", "FLAC"}, {"Speex   ", "Speex"}, {"\x80theora", "video"},
}

// checkOggOpus reads as much of a file as it takes to see that it is Ogg Opus with one or two channels and has sound in
// it (RFC 7845). The error says what the file is instead and how to convert it. Checksums are not compared: the first
// call that plays the file does that.
func checkOggOpus(r io.Reader) error {
	if err := findOpusSound(ogg.NewReader(r)); err != nil {
		return fmt.Errorf("%w; %w", err, errConvertAudio)
	}
	return nil
}

func findOpusSound(r *ogg.Reader) error {
	first, err := r.Next()
	if err != nil {
		return explainAudio(err, "the file is empty")
	}
	if err := checkOpusHead(first.Payload); err != nil {
		return err
	}
	// The tags follow, on as many pages as they need, then the sound.
	for packets := 0; ; {
		page, err := r.Next()
		switch {
		case err != nil:
			return explainAudio(err, "the file has no sound in it")
		case packets == 0 && !page.Continued && !ogg.IsOpusTags(page.Payload):
			return errors.New("the file is not Ogg Opus: OpusTags do not follow OpusHead")
		case packets > 0 && len(page.Payload) > 0:
			return nil
		}
		ended, _ := page.Split()
		packets += len(ended)
	}
}

// explainAudio turns an error of the reader into a sentence about the file; atEnd is the sentence if the file ended
// where a page should begin.
func explainAudio(err error, atEnd string) error {
	if e, ok := errors.AsType[*ogg.NotPageError](err); ok {
		return fmt.Errorf("the file is %s, not Ogg Opus", audioKind(e.Begin))
	}
	switch {
	case errors.Is(err, io.EOF):
		return errors.New(atEnd)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the file is cut short")
	}
	return fmt.Errorf("the file cannot be read: %w", err)
}

func checkOpusHead(packet []byte) error {
	head, err := ogg.ParseOpusHead(packet)
	switch {
	case errors.Is(err, ogg.ErrNotOpus):
		for _, c := range oggCodecs {
			if bytes.HasPrefix(packet, []byte(c.begin)) {
				return fmt.Errorf("the file is Ogg %s, not Ogg Opus", c.codec)
			}
		}
		return errors.New("the file is Ogg but not Ogg Opus")
	case err != nil:
		return errors.New("the file has a damaged or unknown OpusHead")
	case !head.Playable():
		return fmt.Errorf("the file has %d channels, a call has one or two", head.Channels)
	}
	return nil
}

func audioKind(begin []byte) string {
	for _, k := range audioKinds {
		if len(begin) >= k.offset && bytes.HasPrefix(begin[k.offset:], []byte(k.begin)) {
			return k.kind
		}
	}
	return "something else"
}
