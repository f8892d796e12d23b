package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"callrouter/engine/testrun"
	"callrouter/store/storetest"
)

// within waits until something holds, and fails if it does not in time.
func within(t testing.TB, d time.Duration, what string, holds func() bool) {
	t.Helper()
	if !soon(d, holds) {
		t.Fatalf("not within %s: %s", d, what)
	}
}

// soon reports whether something holds before a time has passed.
func soon(d time.Duration, holds func() bool) bool {
	deadline := time.Now().Add(d)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

// eventually fails the test unless something holds within 10 s.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !soon(10*time.Second, holds) {
		t.Fatalf("not within 10 s: %s", what)
	}
}

// wait lets a time pass during which nothing must happen, or at whose end something does.
func wait(d time.Duration) { <-time.After(d) }

// inBothStores runs a test with a store of each kind.
func inBothStores(t *testing.T, test func(t *testing.T, store string)) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, "")
	})
	t.Run("redis", func(t *testing.T) {
		testrun.NotShort(t, "the same with the embedded store; ./store has a suite for both")
		t.Parallel()
		test(t, storetest.StartRedis(t))
	})
}

// logs is all that the processes of one test wrote to standard error.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// process is one run of the program.
type process struct {
	cmd      *exec.Cmd
	done     chan struct{} // closed once it has ended and all its output is read
	ready    chan struct{} // closed once it serves
	public   string        // host:port of the public side, once ready
	internal string
}

// readyLine is the log line of a router that serves, as JSON or as text.
var readyLine = regexp.MustCompile(`callrouter is ready.*public"?[=:]"?([0-9.:]+).*internal"?[=:]"?([0-9.:]+)`)

// launch starts the program. Its environment is nothing but env.
func launch(t testing.TB, l *logs, env []string, args ...string) *process {
	t.Helper()
	return launchBuild(t, callrouterBinary(t), l, env, args...)
}

// launchBuild is launch for one of several builds of the program.
func launchBuild(t testing.TB, path string, l *logs, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{}), ready: make(chan struct{})}
	p.cmd.Env = append(env, "GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0")
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout = io.Discard
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	binary.running.Add(1)
	go func() {
		defer binary.running.Add(-1)
		defer close(p.done)
		p.read(stderr, l)
		_ = p.cmd.Wait() // how it ended is in its state
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) read(stderr io.Reader, l *logs) {
	s := bufio.NewScanner(stderr)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		l.add(s.Text())
		if m := readyLine.FindStringSubmatch(s.Text()); m != nil && p.public == "" {
			p.public, p.internal = m[1], m[2]
			close(p.ready)
		}
	}
}

// serves waits until the process serves.
func (p *process) serves(t testing.TB, l *logs) {
	t.Helper()
	select {
	case <-p.ready:
	case <-p.done:
		t.Fatalf("the router ended with %s instead of serving:\n%s", p.cmd.ProcessState, l)
	case <-time.After(20 * time.Second):
		t.Fatalf("the router does not serve:\n%s", l)
	}
}

// kill ends the process as a power failure would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exit waits for the end of the process, and answers its exit code; -1 if a signal ended it.
func (p *process) exit(t testing.TB, d time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(d):
		t.Fatalf("the process did not end within %s", d)
		return 0
	}
}

// command is a run of the program that comes to an end by itself.
func command(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(callrouterBinary(t), args...)
	cmd.Env = env
	return cmd
}

// environ is the environment of a router that has all it needs, with changes: an empty value takes a variable away.
func environ(base, changes map[string]string) []string {
	env := []string{"PATH=" + os.Getenv("PATH")}
	for k, v := range base {
		if c, ok := changes[k]; ok {
			v = c
		}
		if v != "" {
			env = append(env, k+"="+v)
		}
	}
	for k, v := range changes {
		if _, ok := base[k]; !ok && v != "" {
			env = append(env, k+"="+v)
		}
	}
	return env
}

// excerpt is the end of a long text.
func excerpt(l fmt.Stringer) string {
	s := l.String()
	if len(s) > 4000 {
		s = "…" + s[len(s)-4000:]
	}
	return s
}
