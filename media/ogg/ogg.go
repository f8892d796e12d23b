// Package ogg reads the pages of an Ogg file (RFC 3533) and the head of an Opus stream in it (RFC 7845).
//
// It stands in for pion's oggreader, which keeps the flags and the segment sizes of a page to itself: without them
// nobody can put together a packet that spans two pages, or name the packets on a page. It also returns whatever
// follows the first page as if it were a page. This package imports nothing but the standard library, so that a rules
// file can be checked without WebRTC.
package ogg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	headerSize = 27
	signature  = "OggS"

	flagContinued = 0x01
	flagFirst     = 0x02
)

// Page is one page of an Ogg file.
type Page struct {
	First     bool   // the page begins a stream
	Continued bool   // the page begins in the middle of a packet
	Serial    uint32 // the number of the stream that the page belongs to
	Intact    bool   // the checksum is right
	Payload   []byte // parts of packets, end to end

	segments []byte // sizes
}

// Split cuts the payload into the packets that end on this page, and the beginning of one that continues on the next
// page (nil if none does). If the page is Continued, its first piece is the rest of an earlier packet. The pieces share
// the payload's memory.
func (p Page) Split() (ended [][]byte, open []byte) {
	begin, end := 0, 0
	for _, size := range p.segments {
		end += int(size)
		if size < 255 { // only the last segment of a packet is shorter than 255 bytes
			ended = append(ended, p.Payload[begin:end:end])
			begin = end
		}
	}
	if begin < end {
		open = p.Payload[begin:end:end]
	}
	return ended, open
}

// NotPageError says that a file has something else where a page should begin.
type NotPageError struct {
	Begin []byte // the bytes found, up to 27
}

func (e *NotPageError) Error() string {
	return fmt.Sprintf("not an Ogg page: begins with %.8q", e.Begin)
}

// Reader reads the pages of a file in order. It is not safe for concurrent use.
type Reader struct {
	r     io.Reader
	table [256]uint32 // of the checksum
}

// NewReader returns a Reader of r, which should be buffered.
func NewReader(r io.Reader) *Reader {
	// hash/crc32 has only reflected polynomials, and Ogg's is not.
	const polynomial = 0x04c11db7
	p := &Reader{r: r}
	for i := range p.table {
		c := uint32(i) << 24
		for range 8 {
			high := c >> 31
			c = c<<1 ^ high*polynomial
		}
		p.table[i] = c
	}
	return p
}

// Next returns the next page. The page's memory is the caller's to keep. A page with a wrong checksum is no error, see
// [Page]. The error is [io.EOF] if the file ends where a page would begin, [io.ErrUnexpectedEOF] if it ends within a
// page, a [*NotPageError], or an error of the underlying reader.
func (r *Reader) Next() (Page, error) {
	header := make([]byte, headerSize)
	n, err := io.ReadFull(r.r, header)
	if (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) && !bytes.HasPrefix(header[:n], []byte(signature)) {
		return Page{}, &NotPageError{Begin: header[:n]}
	}
	if err != nil {
		return Page{}, err
	}
	segments := make([]byte, header[26])
	if err := r.fill(segments); err != nil {
		return Page{}, err
	}
	size := 0
	for _, s := range segments {
		size += int(s)
	}
	payload := make([]byte, size)
	if err := r.fill(payload); err != nil {
		return Page{}, err
	}
	checksum := binary.LittleEndian.Uint32(header[22:])
	clear(header[22:26]) // the checksum is of a page without one
	return Page{
		First:     header[5]&flagFirst != 0,
		Continued: header[5]&flagContinued != 0,
		Serial:    binary.LittleEndian.Uint32(header[14:]),
		Intact:    r.sum(r.sum(r.sum(0, header), segments), payload) == checksum,
		Payload:   payload,
		segments:  segments,
	}, nil
}

// fill reads a part of a page: the end of the file is never where it should be.
func (r *Reader) fill(b []byte) error {
	if _, err := io.ReadFull(r.r, b); errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	return nil
}

func (r *Reader) sum(crc uint32, b []byte) uint32 {
	for _, v := range b {
		crc = crc<<8 ^ r.table[byte(crc>>24)^v]
	}
	return crc
}
