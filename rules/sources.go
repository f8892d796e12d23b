package rules

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"callrouter/rules/internal/source"
)

// text is one of the texts that a file was made of: the rules file itself, or a file that it names. Audio is none: what
// is played decides nothing.
type text struct {
	name string // as the rules file writes it; empty for the rules file itself
	data []byte
}

// Unchanged reports whether the file and all that it names are as they were loaded, which is far cheaper to find out
// than to load them. Texts are read and compared. Audio is not kept, so changed is asked about its path.
func (f *File) Unchanged(changed func(path string) bool) bool {
	texts := map[string][]byte{}
	for _, t := range f.texts {
		switch {
		case t.name == "":
			texts[f.path] = t.data
		case filepath.IsAbs(t.name):
			texts[t.name] = t.data
		default:
			texts[filepath.Join(filepath.Dir(f.path), t.name)] = t.data
		}
	}
	for _, path := range f.paths {
		kept, isText := texts[path]
		if !isText && changed(path) {
			return false
		}
		if !isText {
			continue
		}
		if now, err := source.ReadFile(path, source.MaxList); err != nil || !bytes.Equal(now, kept) {
			return false
		}
	}
	return true
}

// maxUnpacked bounds what [Unpack] reads, in bytes: more than any file that [Load] takes.
const maxUnpacked = 256 << 20

// Pack returns the texts that the file was made of, as a compressed tar archive. A record of a call names the version
// that decided it; with the archive of that version it can be told years later why each rule did or did not hold.
func (f *File) Pack() ([]byte, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(z)
	for _, t := range f.texts {
		name := t.name
		if name == "" {
			name = filepath.Base(f.path)
		}
		head := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(t.data)), Format: tar.FormatPAX}
		if err := archive.WriteHeader(head); err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
		if _, err := archive.Write(t.data); err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
	}
	if err := errors.Join(archive.Close(), z.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// Unpack makes the file again that [File.Pack] packed, to explain what it decided. Nothing else is read, its tests are
// not run, and its version is the one that is given.
func Unpack(version string, packed []byte) (*File, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the kept rules of version %s are damaged: %w", version, err)
	}
	archive := tar.NewReader(io.LimitReader(z, maxUnpacked))
	texts := map[string][]byte{}
	var path string
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the kept rules of version %s are damaged: %w", version, err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("the kept rules of version %s are damaged: %w", version, err)
		}
		if path == "" {
			path = head.Name
		}
		texts[head.Name] = data
	}
	l := newLoader(source.New(path), time.Now())
	l.kept = texts
	if l.Parse(texts[path]) {
		l.compile(texts[path])
	}
	if err := l.Problems.Err(); err != nil { // a later program may refuse what an earlier one took
		return nil, fmt.Errorf(
			"the kept rules of version %s are refused by this version of callrouter: %w",
			version,
			err,
		)
	}
	l.f.version = version
	return l.f, nil
}
