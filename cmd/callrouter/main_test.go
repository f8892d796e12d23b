package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"callrouter/engine/testrun"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"callrouter": main})
}

// suite runs the tests with what they share, and cleans up behind them.
type suite struct{ *testing.M }

func (s suite) Run() int {
	testrun.Parallel(8)
	code := s.M.Run()
	for _, f := range binary.cleanup {
		f()
	}
	if dir := binary.dir; dir != "" {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "the binary of the tests cannot be removed:", err)
			code = max(code, 1)
		}
	}
	if n := binary.running.Load(); n != 0 {
		fmt.Fprintf(os.Stderr, "%d processes of tests were left running\n", n)
		code = max(code, 1)
	}
	return code
}

// binary has the programs that tests run, each built once for all tests. They are built without the race detector even
// if the tests have it: their packages' own tests run with it, and here the pace is what users get.
var binary struct {
	once    sync.Once
	dir     string
	err     error
	builds  sync.Map     // func() error, by the name of the program
	running atomic.Int64 // processes started and not ended
	cleanup []func()     // of what tests share beside it
}

// program returns the path of a program, which it builds with these arguments of go build.
func program(t testing.TB, name string, args ...string) string {
	t.Helper()
	binary.once.Do(func() { binary.dir, binary.err = os.MkdirTemp("", "callrouter-test-") })
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	path := filepath.Join(binary.dir, name)
	build, _ := binary.builds.LoadOrStore(name, sync.OnceValue(func() error {
		if out, err := exec.Command("go", append([]string{"build", "-o", path}, args...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
		return nil
	}))
	if err := build.(func() error)(); err != nil {
		t.Fatal(err)
	}
	return path
}

// callrouterBinary returns the path of the program as users get it.
func callrouterBinary(t testing.TB) string {
	t.Helper()
	return program(t, "callrouter", ".")
}
