package storetest

import (
	"bytes"
	"time"

	"callrouter/engine"
)

// testVersions: the files of a version stay as long as records may name it, which is a day longer than the records.
func testVersions(s *suite) {
	ctx := s.Context()
	_, err := s.Version(ctx, "none")
	s.is(err, engine.ErrNotFound)
	s.is(s.TouchVersion(ctx, "none"), engine.ErrNotFound)
	first, second := []byte("first \x00\xff"), bytes.Repeat([]byte("second"), 100_000)
	s.ok(s.PutVersion(ctx, "one", []byte("not yet")))
	s.ok(s.PutVersion(ctx, "one", first))
	s.ok(s.PutVersion(ctx, "two", second))
	s.ok(s.TouchVersion(ctx, "one"))
	for version, want := range map[string][]byte{"one": first, "two": second} {
		got, err := s.Version(ctx, version)
		s.ok(err)
		if !bytes.Equal(got, want) {
			s.Errorf("version %s has %d bytes, want %d", version, len(got), len(want))
		}
	}
	_, err = s.Purge(ctx, s.now().Add(23*time.Hour))
	s.ok(err)
	_, err = s.Version(ctx, "one")
	s.ok(err)
	_, err = s.Purge(ctx, s.now().Add(25*time.Hour))
	s.ok(err)
	for _, version := range []string{"one", "two"} {
		_, err = s.Version(ctx, version)
		s.is(err, engine.ErrNotFound)
	}
	s.ok(s.PutVersion(ctx, "two", second))
	_, err = s.Version(ctx, "two")
	s.ok(err)
}
