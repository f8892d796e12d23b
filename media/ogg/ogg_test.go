package ogg

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// pages reads to the end of a file or the first error.
func pages(file []byte) ([]Page, error) {
	r := NewReader(bytes.NewReader(file))
	for all := []Page(nil); ; {
		p, err := r.Next()
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
}

func sample(t testing.TB) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "testdata", "page_a_packet.ogg"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAWholeFile(t *testing.T) {
	all, err := pages(sample(t))
	if err != io.EOF || len(all) < 100 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	for i, p := range all {
		if !p.Intact || p.Continued || p.First != (i == 0) || p.Serial != all[0].Serial {
			t.Errorf("page %d: %+v", i, p)
		}
		if ended, open := p.Split(); len(ended) != 1 || open != nil || !bytes.Equal(ended[0], p.Payload) {
			t.Errorf("page %d: %d packets, %d bytes open", i, len(ended), len(open))
		}
	}
	head, err := ParseOpusHead(all[0].Payload)
	if err != nil || !head.Playable() || !IsOpusTags(all[1].Payload) {
		t.Errorf("head %+v, %v; tags %.8q", head, err, all[1].Payload)
	}
}

func TestAFileCutAnywhere(t *testing.T) {
	file := sample(t)
	ends := map[int]bool{0: true}
	for r := bytes.NewReader(file); ; {
		if _, err := NewReader(r).Next(); err != nil {
			break
		}
		ends[len(file)-r.Len()] = true
	}
	for n := range 4000 {
		_, err := pages(file[:n])
		rest := n
		for !ends[rest] {
			rest--
		}
		var not *NotPageError
		switch begun := n - rest; {
		case begun == 0 && err != io.EOF:
			t.Errorf("%d bytes: %v, want the end", n, err)
		case begun > 0 && begun < len(signature) && !errors.As(err, &not):
			t.Errorf("%d bytes: %v, want no page", n, err)
		case begun >= len(signature) && err != io.ErrUnexpectedEOF:
			t.Errorf("%d bytes: %v, want an unexpected end", n, err)
		}
	}
}

func TestOneBitFlippedIsSeen(t *testing.T) {
	file := sample(t)
	first, err := pages(file)
	if err != io.EOF {
		t.Fatal(err)
	}
	size := headerSize + len(first[0].segments) + len(first[0].Payload)
	for bit := range size * 8 {
		flipped := bytes.Clone(file[:size])
		flipped[bit/8] ^= 1 << (bit % 8)
		if p, err := NewReader(bytes.NewReader(flipped)).Next(); err == nil && p.Intact {
			t.Errorf("bit %d flipped, and the page counts as intact", bit)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		segments []byte
		ended    []int
		open     int
	}{
		{nil, nil, 0},
		{[]byte{0}, []int{0}, 0},
		{[]byte{3, 4}, []int{3, 4}, 0},
		{[]byte{255}, nil, 255},
		{[]byte{255, 0}, []int{255}, 0},
		{[]byte{2, 255, 255}, []int{2}, 510},
		{[]byte{255, 90, 255, 1}, []int{345, 256}, 0},
	} {
		size := 0
		for _, s := range c.segments {
			size += int(s)
		}
		ended, open := Page{Payload: make([]byte, size), segments: c.segments}.Split()
		if len(open) != c.open || (open == nil) != (c.open == 0) || len(ended) != len(c.ended) {
			t.Fatalf("%v: %d packets, %d bytes open", c.segments, len(ended), len(open))
		}
		for i := range ended {
			if len(ended[i]) != c.ended[i] {
				t.Errorf("%v: packet %d has %d bytes, want %d", c.segments, i, len(ended[i]), c.ended[i])
			}
		}
	}
}

func TestAnErrorOfTheFileIsPassedOn(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, n := range []int{0, 10, 27, 40} {
		r := io.MultiReader(bytes.NewReader(sample(t)[:n]), iotest.ErrReader(broken))
		if _, err := NewReader(r).Next(); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestOpusHeads(t *testing.T) {
	head := func(version, channels, family byte) string {
		return headMagic + string([]byte{version, channels, 0, 0, 0, 0, 0, 0, 0, 0, family})
	}
	for _, c := range []struct {
		packet   string
		playable bool
		err      error
	}{
		{head(1, 1, 0), true, nil},
		{head(1, 2, 0), true, nil},
		{head(15, 2, 0) + "more", true, nil},
		{head(1, 0, 0), false, nil},
		{head(1, 6, 0), false, nil},
		{head(1, 2, 1), false, nil},
		{head(16, 1, 0), false, ErrUnknownHead},
		{head(1, 1, 0)[:18], false, ErrUnknownHead},
		{headMagic, false, ErrUnknownHead},
		{"\x01vorbis" + strings.Repeat("\x00", 30), false, ErrNotOpus},
		{"", false, ErrNotOpus},
	} {
		got, err := ParseOpusHead([]byte(c.packet))
		if !errors.Is(err, c.err) || got.Playable() != c.playable {
			t.Errorf("%q: %+v, %v", c.packet, got, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	file := sample(f)
	f.Add(file[:2000])
	f.Add([]byte("OggS"))
	f.Fuzz(func(t *testing.T, file []byte) {
		all, err := pages(file)
		if err == nil {
			t.Fatal("a file without end")
		}
		read := 0
		for _, p := range all {
			read += headerSize + len(p.segments) + len(p.Payload)
			ended, open := p.Split()
			size := len(open)
			for _, e := range ended {
				size += len(e)
			}
			if size != len(p.Payload) {
				t.Fatalf("%d of %d bytes are in packets", size, len(p.Payload))
			}
		}
		if read > len(file) || err == io.EOF && read != len(file) {
			t.Fatalf("%d of %d bytes were read: %v", read, len(file), err)
		}
	})
}
