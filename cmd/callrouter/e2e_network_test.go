package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrouter/cmd/callrouter/internal/router"
	"callrouter/engine/testrun"
	"callrouter/store/storetest"
)

// hosts are two hosts of this test's own, with a cable between them, each a network namespace.
type hosts struct {
	t              *testing.T
	router, laptop string
}

// newHosts makes them. It takes root, and a system that lets root do it.
func newHosts(t *testing.T) *hosts {
	t.Helper()
	storetest.Need(t, "ip", "iproute2 (apt-get install iproute2)")
	h := &hosts{t: t, router: fmt.Sprint("crr", os.Getpid()), laptop: fmt.Sprint("crl", os.Getpid())}
	for _, name := range []string{h.router, h.laptop} {
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			t.Skipf("hosts with a network of their own cannot be made here: %s", out)
		}
		t.Cleanup(func() { h.ip("netns", "delete", name) })
	}
	h.ip("-n", h.router, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", h.laptop)
	for i, name := range []string{h.router, h.laptop} {
		h.ip("-n", name, "addr", "add", fmt.Sprintf("10.213.0.%d/30", i+1), "dev", "cable")
		h.ip("-n", name, "link", "set", "cable", "up")
		h.ip("-n", name, "link", "set", "lo", "up")
	}
	return h
}

func (h *hosts) ip(args ...string) {
	h.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		h.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// on is a command on one of the hosts.
func (h *hosts) on(host string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", host}, args...)...)
}

// A laptop with an agent's page loses its network without a word. Soon the agent is not there any more, instead of
// being rung for as long as TCP hopes for an answer.
func TestAgentWhoseNetworkIsGoneIsNotThere(t *testing.T) {
	testrun.OnlyFull(t, "it takes a while until a network counts as gone")
	t.Parallel()
	h := newHosts(t)
	dir := t.TempDir()
	rulesFile := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rulesFile, []byte(worldRulesOnDisk(t, dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"POSITUS_TOKEN=x", envWebhookSecret + "=0123456789abcdef", envAdminToken + "=0123456789abcdef"}
	var l logs
	p := launchBuild(
		t,
		"ip",
		&l,
		append(env, "PATH="+os.Getenv("PATH")),
		"netns",
		"exec",
		h.router,
		callrouterBinary(t),
		"serve",
		"-r",
		rulesFile,
		"--store",
		filepath.Join(dir, "callrouter.db"),
		"--listen",
		"127.0.0.1:0",
		"--internal-listen",
		"10.213.0.1:0",
		"--log-format",
		"json",
	)
	p.serves(t, &l)
	api := "http://" + p.internal
	ask := func(into any, args ...string) {
		t.Helper()
		cmd := h.on(h.router, append(append([]string{callrouterBinary(t)}, args...), "--json", "--server", api)...)
		cmd.Env = env
		out, err := cmd.Output()
		if err == nil {
			err = json.Unmarshal(out, into)
		}
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	var token struct{ Token string }
	ask(&token, "agents", "token", "ana")
	status := func() string {
		var reply struct {
			Agents []struct{ Agent, Status string }
		}
		ask(&reply, "agents", "list")
		return reply.Agents[0].Status
	}
	page := h.on(h.laptop, "curl", "-sN", "-H", "Authorization: Bearer "+token.Token, api+"/api/v1/me/events")
	events, err := page.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = page.Process.Kill(); _ = page.Wait() }()
	if line, err := bufio.NewReader(events).ReadString('\n'); err != nil || status() != "available" {
		t.Fatalf("%q, %v: ana is %s", line, err, status())
	}
	h.ip("-n", h.laptop, "link", "set", "cable", "down")
	began := time.Now()
	within(t, router.PeerTimeout+20*time.Second, "ana is offline", func() bool { return status() == "offline" })
	t.Logf("offline %s after the network was gone", time.Since(began).Round(time.Second))
}

// worldRulesOnDisk are the rules of the world with the file that they name.
func worldRulesOnDisk(t *testing.T, dir string) string {
	t.Helper()
	audio, err := os.ReadFile(filepath.Join(repository, "examples", "audio", "greeting.ogg"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "greeting.ogg"), audio, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(worldRules, "ANSWERER", "http://127.0.0.1:1/")
}
