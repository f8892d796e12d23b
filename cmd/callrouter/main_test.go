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

// binary is the program as users get it, built once for all tests. It is built without the race detector even if the tests
// have it: what the program is made of runs with it in the tests of its packages, and here its pace is what users get.
var binary struct {
	once    sync.Once
	dir     string
	path    string
	err     error
	running atomic.Int64 // processes started and not ended
}

func callrouterBinary(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "callrouter-test-"); binary.err != nil {
			return
		}
		binary.path = filepath.Join(binary.dir, "callrouter")
		if out, err := exec.Command("go", "build", "-o", binary.path, ".").CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("building callrouter: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}
