package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"callrouter/cmd/callrouter/internal/router"
	"callrouter/positus/fake"
	"callrouter/rules"

	"github.com/alecthomas/kong"
)

// docOthers are first words of commands that are shown and not run: they are not ours, or change the reader's machine.
var docOthers = []string{"cp", "echo", "sudo", "openssl", "redis-cli", "go build", "install", "go run ./examples/agent", "go run ./cmd/callrouter"}

// docAsking are the commands that ask a running router.
var docAsking = []string{"agents", "calls", "hours", "lists", "rules"}

// docToken is the administrator's, and the secret of webhooks.
const docToken = "0123456789abcdef"

// ask runs a command against a router, as its administrator.
func ask(t *testing.T, r *router.Router, args []string) {
	t.Helper()
	var out bytes.Buffer
	getenv := func(name string) string { return map[string]string{envAdminToken: docToken}[name] }
	args = append(slices.Clone(args), "--server", "http://"+r.InternalAddr())
	if code := run(args, &environment{ctx: t.Context(), getenv: getenv, stdout: &out, stderr: &out}); code != 0 {
		t.Errorf("callrouter %s: exit status %d\n%s", strings.Join(args, " "), code, &out)
	}
}

// checkShell reads commands that need a server or the reader's machine: ours must be ones that the program understands,
// settings must be ones that it reads, and what asks a router asks a real one.
func checkShell(t *testing.T, b docBlock) {
	text := strings.ReplaceAll(b.text(), "\\\n", " ")
	running := sync.OnceValue(func() *router.Router { return docRouter(t) })
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		assignment, isExport := strings.CutPrefix(line, "export ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case isExport:
			name, _, _ := strings.Cut(assignment, "=")
			checkVariable(t, name)
		case strings.HasPrefix(line, "curl "):
			docRequest(t, running(), shellWords(t, line)[1:])
		case strings.HasPrefix(line, "./callrouter ") || strings.HasPrefix(line, "callrouter "):
			command, _, _ := strings.Cut(line, " > ") // where the shell writes what it prints
			args := callrouterArguments(t, command)
			checkParses(t, args)
			if slices.Contains(docAsking, args[0]) {
				ask(t, running(), args)
			}
		case slices.ContainsFunc(docOthers, func(o string) bool { return strings.HasPrefix(line, o+" ") }):
		default:
			t.Errorf("%q is not a command that is known here", line)
		}
	}
}

// docParser is the program's own.
func docParser(t *testing.T) *kong.Kong {
	t.Helper()
	p, err := kong.New(&cli{}, kong.Name("callrouter"), kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func checkParses(t *testing.T, args []string) {
	t.Helper()
	if _, err := docParser(t).Parse(args); err != nil {
		t.Errorf("callrouter %s: %v", strings.Join(args, " "), err)
	}
}

// docVariables are the environment variables that the program reads.
func docVariables(t *testing.T) []string {
	t.Helper()
	all := []string{}
	for _, s := range []string{envPositusToken, envWebhookSecret, envAdminToken} {
		all = append(all, s, s+"_FILE")
	}
	for _, group := range docParser(t).Model.Children {
		for _, node := range append([]*kong.Node{group}, group.Children...) {
			for _, f := range node.Flags {
				all = append(all, f.Envs...)
			}
		}
	}
	return all
}

func checkVariable(t *testing.T, name string) {
	t.Helper()
	if !slices.Contains(docVariables(t), name) {
		t.Errorf("the program does not read %s", name)
	}
}

// checkUnit reads a systemd unit: what it starts must be a command that the program understands.
func checkUnit(t *testing.T, b docBlock) {
	started := false
	for _, line := range b.lines {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "ExecStart":
			started = true
			program, args, _ := strings.Cut(value, " ")
			if filepath.Base(program) != "callrouter" {
				t.Errorf("it starts %q", program)
			}
			checkParses(t, shellWords(t, args))
		case "Environment":
			name, _, _ := strings.Cut(strings.Trim(value, `"`), "=")
			checkVariable(t, name)
		}
	}
	if !started {
		t.Error("it starts nothing")
	}
}

// docRequest sends what a curl line would to a router with the example's rules, and expects it to be taken.
func docRequest(t *testing.T, r *router.Router, args []string) {
	t.Helper()
	method, target, body := "", "", ""
	header := http.Header{}
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-X":
			i++
			method = args[i]
		case arg == "-d":
			i++
			body = args[i]
		case arg == "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Set(name, strings.ReplaceAll(value, "$CALLROUTER_ADMIN_TOKEN", docToken))
		case arg == "-s": // silent
		case strings.HasPrefix(arg, "-"):
			t.Fatalf("curl %s is not understood here", arg)
		default:
			target = arg
		}
	}
	if method == "" {
		method = http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
	}
	for shown, real := range map[string]string{"127.0.0.1:8081": r.InternalAddr(), "127.0.0.1:8080": r.PublicAddr()} {
		target = strings.ReplaceAll(target, shown, real)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if req.URL.Hostname() != "127.0.0.1" {
		t.Fatalf("%s is not on this machine", target)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		t.Errorf("%s %s: %s %s", method, req.URL.Path, resp.Status, &answer)
	}
}

// docRouter is a router with the example's rules, against a stand-in of Positus.
func docRouter(t *testing.T) *router.Router {
	t.Helper()
	path := filepath.Join(examplesFolder(t), "rules.example.yaml")
	file, problems := rules.Load(path)
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	numbers := map[string]string{}
	for _, n := range file.Numbers() {
		numbers[n.PositusID] = n.Phone[1:]
	}
	positus := fake.New(fake.Config{Token: "a-token", Numbers: numbers})
	if err := positus.Start(); err != nil {
		t.Fatal(err)
	}
	r, err := router.Start(context.Background(), router.Config{
		Rules: file, Store: filepath.Join(t.TempDir(), "callrouter.db"),
		Listen: "127.0.0.1:0", InternalListen: "127.0.0.1:0", AdminToken: docToken, WebhookSecrets: []string{"0123456789abcdef"},
		PositusURL: positus.URL(), PositusToken: "a-token", AudioLoopback: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
		if err := positus.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}
