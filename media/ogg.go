package media

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"callrouter/media/ogg"
)

// opusRate is the clock of Opus in RTP, in samples a second, whatever the sample rate of the audio (RFC 7587).
const opusRate = 48000

// opusPacket is one packet as it goes into one RTP packet.
type opusPacket struct {
	payload []byte
	samples uint32 // at opusRate
}

// opusFile reads the packets of an Ogg Opus file in order. It is not safe for concurrent use, but Close may be called
// at any time.
type opusFile struct {
	file    *os.File
	pages   *ogg.Reader
	serial  uint32
	packets [][]byte // of the page last read, not yet returned
	partial []byte   // the beginning of a packet that continues on the next page; nil if none does
}

// openOpus opens a file and reads all of it once, so that a damaged file shows before a call is accepted.
func openOpus(path string) (*opusFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audio file: %w", err)
	}
	f := &opusFile{file: file}
	if err := f.validate(); err != nil {
		file.Close()
		return nil, fmt.Errorf(
			"audio file %s: %w; make one with: ffmpeg -i IN -ac 1 -ar 48000 -c:a libopus -b:a 24k OUT.ogg", path, err)
	}
	return f, nil
}

func (f *opusFile) validate() error {
	if err := f.rewind(); err != nil {
		return err
	}
	n := 0
	for ; ; n++ {
		_, err := f.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if n == 0 {
		return errors.New("holds no audio")
	}
	return f.rewind()
}

// rewind goes to the first packet of audio.
func (f *opusFile) rewind() error {
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	f.packets, f.partial = nil, nil
	f.pages = ogg.NewReader(bufio.NewReader(f.file))
	first, err := f.pages.Next()
	if err != nil {
		return fmt.Errorf("is not Ogg Opus: %w", err)
	}
	head, err := ogg.ParseOpusHead(first.Payload)
	switch {
	case err != nil:
		return fmt.Errorf("is not Ogg Opus: %w", err)
	case !first.Intact:
		return errChecksum
	case !first.First:
		return errors.New("is damaged: its first page does not begin a stream")
	case !head.Playable():
		return fmt.Errorf("has %d channels in mapping family %d; a call takes mono or stereo in family 0",
			head.Channels, head.Family)
	}
	f.serial = first.Serial
	tags, err := f.nextRaw()
	if err != nil && err != io.EOF {
		return err
	}
	if !ogg.IsOpusTags(tags) {
		return errors.New("is not Ogg Opus: no OpusTags after OpusHead")
	}
	return nil
}

var errChecksum = errors.New("is damaged: the checksum of a page is wrong")

// next returns the next packet of audio, or io.EOF after the last.
func (f *opusFile) next() (opusPacket, error) {
	payload, err := f.nextRaw()
	if err != nil {
		return opusPacket{}, err
	}
	samples, err := opusSamples(payload)
	if err != nil {
		return opusPacket{}, err
	}
	return opusPacket{payload: payload, samples: samples}, nil
}

func (f *opusFile) nextRaw() ([]byte, error) {
	for len(f.packets) == 0 {
		if err := f.readPage(); err != nil {
			return nil, err
		}
	}
	packet := f.packets[0]
	f.packets = f.packets[1:]
	return packet, nil
}

// readPage reads one page and puts a packet that began on an earlier one together.
func (f *opusFile) readPage() error {
	page, err := f.pages.Next()
	if _, ok := errors.AsType[*ogg.NotPageError](err); ok {
		return errors.New("is damaged: something that is not an Ogg page follows the first pages")
	}
	switch {
	case err == io.EOF && f.partial == nil:
		return io.EOF
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("is cut off in the middle of a page or packet")
	case err != nil:
		return fmt.Errorf("cannot be read: %w", err)
	case !page.Intact:
		return errChecksum
	case page.Serial != f.serial:
		return errors.New("holds more than one stream; a call takes one")
	case page.Continued != (f.partial != nil):
		return errors.New("is damaged: a packet that spans two pages has lost a part")
	}
	ended, open := page.Split()
	if len(ended) > 0 {
		ended[0] = append(f.partial, ended[0]...)
		f.partial = nil
	}
	f.packets, f.partial = ended, append(f.partial, open...)
	return nil
}

// Close ends every later read with an error.
func (f *opusFile) Close() error { return f.file.Close() }

// opusSamples returns how long a packet plays, in samples at opusRate, from its first bytes (RFC 6716, section 3.1).
func opusSamples(packet []byte) (uint32, error) {
	const longest = 120 * opusRate / 1000
	if len(packet) == 0 {
		return 0, errors.New("is damaged: an Opus packet is empty")
	}
	config := packet[0] >> 3
	var frame uint32
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = [4]uint32{480, 960, 1920, 2880}[config%4]
	case config < 16: // hybrid: 10, 20 ms
		frame = [2]uint32{480, 960}[config%2]
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = [4]uint32{120, 240, 480, 960}[config%4]
	}
	frames := uint32(1)
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0, errors.New("is damaged: an Opus packet is cut off")
		}
		frames = uint32(packet[1] & 0x3f)
	}
	if samples := frame * frames; samples > 0 && samples <= longest {
		return samples, nil
	}
	return 0, errors.New("is damaged: an Opus packet holds no frame, or more than 120 ms")
}
