package storetest

import (
	_ "embed"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed testdata/clock.c
var clockSource []byte

// NewRedisWithClock is [NewRedis] for a server whose clock can be set, with [Redis.SetClock]. It needs a C compiler:
// the server is given a time of day of ours.
func NewRedisWithClock(t testing.TB, config ...string) *Redis {
	t.Helper()
	compiler := Need(t, "cc", "a C compiler (apt-get install build-essential)")
	dir := t.TempDir()
	source, library, file := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so"), filepath.Join(dir, "offset")
	for name, text := range map[string][]byte{source: clockSource, file: make([]byte, 8)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("compiling the clock of the server: %v\n%s", err, out)
	}
	r := newRedis(t, []string{"LD_PRELOAD=" + library, "CLOCK_FILE=" + file}, config)
	r.clock = file
	return r
}

// SetClock sets the server's clock to a time that is ahead of this machine's by so much.
func (r *Redis) SetClock(ahead time.Duration) {
	r.t.Helper()
	f, err := os.OpenFile(r.clock, os.O_WRONLY, 0) // the server has the file mapped, so it must stay the same one
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(binary.LittleEndian.AppendUint64(nil, uint64(ahead.Microseconds()))); err != nil {
		r.t.Fatal(err)
	}
}
