//go:build unix

package store_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"callrouter/engine"
	"callrouter/store"
)

// A disk that is full is an error that says so; reading goes on, and so does writing once there is room.
func TestEmbeddedFullDisk(t *testing.T) {
	t.Parallel()
	out, err := child("full disk", filepath.Join(t.TempDir(), "callrouter.db")).Output()
	if err != nil || strings.TrimSpace(string(out)) != "fine" {
		t.Errorf("%v: %s", err, out)
	}
}

// fillDisk plays a disk of 1 MiB by a limit on the size of files, and then one with more room.
func fillDisk(path string) {
	fail := func(format string, args ...any) {
		fmt.Printf(format+"\n", args...)
		os.Exit(1)
	}
	limit := func(bytes uint64) {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			fail("getrlimit: %v", err)
		}
		l.Cur = min(bytes, l.Max)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			fail("setrlimit: %v", err)
		}
	}
	signal.Ignore(syscall.SIGXFSZ) // so that writing fails instead
	ctx := context.Background()
	s, err := store.Open(ctx, path, store.Config{})
	if err != nil {
		fail("open: %v", err)
	}
	limit(1 << 20)
	insert := func(i int) error {
		c := newCall(fmt.Sprint(i))
		c.Offer = strings.Repeat("a=candidate\r\n", 200)
		_, err := s.Insert(ctx, c)
		return err
	}
	next, stored := 0, []int{}
	fill := func() {
		for next < 10_000 {
			err := insert(next)
			if next++; err == nil {
				stored = append(stored, next-1)
				continue
			}
			if !strings.Contains(err.Error(), "no space left for the store") {
				fail("after %d calls: %v", len(stored), err)
			}
			return
		}
		fail("there is room for ever")
	}
	readAll := func() {
		for _, i := range stored {
			if _, err := s.Get(ctx, engine.Key(fmt.Sprint(i))); err != nil {
				fail("call %d, of %d: %v", i, len(stored), err)
			}
		}
	}
	for range 3 { // pages that were given back may take a call or two more
		fill()
		readAll()
	}
	limit(1 << 30)
	for range 100 {
		if err := insert(next); err != nil {
			fail("with room again: %v", err)
		}
		stored = append(stored, next)
		next++
	}
	if err := s.Close(); err != nil {
		fail("close: %v", err)
	}
	if s, err = store.Open(ctx, path, store.Config{}); err != nil {
		fail("open again: %v", err)
	}
	readAll()
	if err := s.Close(); err != nil {
		fail("close: %v", err)
	}
	fmt.Println("fine")
}
