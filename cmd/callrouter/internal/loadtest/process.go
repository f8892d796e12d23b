package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"
)

// Secrets of the routers that are measured.
const (
	secret      = "loadtest-loadtest-loadtest"
	webhookPath = "/webhooks/positus/" + secret
)

// buildRouter builds the program that is measured.
func buildRouter(ctx context.Context, path string) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "callrouter/cmd/callrouter")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building callrouter (run loadtest from within its repository): %w\n%s", err, out)
	}
	return nil
}

// serveCommand is the command line of a router with the listeners public and internal.
func serveCommand(program, rules, store, positus, public, internal string, more ...string) *exec.Cmd {
	args := append([]string{
		"serve", "-r", rules, "--store", store, "--positus-url", positus,
		"--listen", public, "--internal-listen", internal, "--audio-loopback",
	}, more...)
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), secretsEnv()...)
	return cmd
}

func secretsEnv() []string {
	return []string{
		"POSITUS_TOKEN=" + secret, "CALLROUTER_WEBHOOK_SECRET=" + secret, "CALLROUTER_ADMIN_TOKEN=" + secret,
	}
}

// process is a program that was started.
type process struct {
	cmd *exec.Cmd
	log string // path of what it printed
}

// launch starts a program and waits until it listens. What it prints goes into a file in dir.
func launch(ctx context.Context, cmd *exec.Cmd, dir, listen string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log.Name()}
	if err := listens(ctx, listen); err != nil {
		p.kill()
		text, _ := os.ReadFile(p.log)
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return p, nil
}

// kill ends the program at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// redisServer is a Redis of one run, with the settings that callrouter asks for.
type redisServer struct {
	*process
	url    string
	client *redis.Client
}

func startRedis(ctx context.Context, dir string) (*redisServer, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	cmd := exec.Command("redis-server", "--port", fmt.Sprint(ports[0]), "--bind", "127.0.0.1", "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction")
	logs := filepath.Join(dir, "redis")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, err
	}
	p, err := launch(ctx, cmd, logs, address)
	if err != nil {
		return nil, fmt.Errorf("redis-server: %w", err)
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	return &redisServer{process: p, url: "redis://" + address, client: client}, nil
}

func (r *redisServer) close() {
	_ = r.client.Close()
	r.kill()
}

// listens waits until an address takes connections.
func listens(ctx context.Context, address string) error {
	for giveUp := time.Now().Add(time.Minute); ; {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(giveUp) || ctx.Err() != nil {
			return fmt.Errorf("nothing listens on %s: %w", address, err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// freePorts returns ports of this machine that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// workFolder makes a folder for logs and stores. done removes it, unless it is kept; then its name is printed.
func workFolder(keep bool) (dir string, done func(), err error) {
	if dir, err = os.MkdirTemp("", "callrouter-loadtest-"); err != nil {
		return "", nil, err
	}
	if keep {
		fmt.Println("logs and stores are in", dir)
		return dir, func() {}, nil
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
