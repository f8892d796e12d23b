package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"callrouter/console/client"
	"callrouter/positus/fake"
)

// The business number of a site, by its id at Positus.
const (
	numberID = "n-1"
	number   = "551122361741"
)

// site is routers on one store, and the Positus whose webhooks go to each in turn.
type site struct {
	fake    *fake.Server
	redis   *redisServer // nil: the store is a file
	routers []*process
	inner   []string // URLs of the routers' internal sides
	admin   *client.Client
}

// openSite starts routers with the same rules on a new store.
func openSite(ctx context.Context, dir, program, store, rules string, routers int) (s *site, err error) {
	s = &site{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	address := filepath.Join(dir, "calls.db")
	if store == "redis" {
		if s.redis, err = startRedis(ctx, dir); err != nil {
			return s, err
		}
		address = s.redis.url
	}
	file := filepath.Join(dir, "rules", "rules.yaml")
	if err = errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(rules), 0o600)); err != nil {
		return s, err
	}
	turn := &inTurn{next: &http.Transport{MaxIdleConnsPerHost: 256}}
	s.fake = fake.New(fake.Config{
		Token: secret, Numbers: map[string]string{numberID: number}, WebhookURL: "http://router" + webhookPath,
		WebhookClient: &http.Client{Transport: turn, Timeout: 20 * time.Second},
	})
	if err = s.fake.Start(); err != nil {
		return s, err
	}
	serve := func(public, internal string) *exec.Cmd {
		return serveCommand(program, file, address, s.fake.URL(), public, internal)
	}
	for i := range routers {
		if err = s.add(ctx, filepath.Join(dir, fmt.Sprint("router-", i)), turn, serve); err != nil {
			return s, err
		}
	}
	s.admin, err = client.New(client.Config{URL: s.inner[0], Token: secret})
	return s, err
}

// add starts one more router.
func (s *site) add(
	ctx context.Context, dir string, turn *inTurn, command func(public, internal string) *exec.Cmd,
) error {
	ports, err := freePorts(2)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return err
	}
	public, internal := fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])
	p, err := launch(ctx, command(public, internal), dir, public)
	if err != nil {
		return err
	}
	s.routers = append(s.routers, p)
	s.inner = append(s.inner, "http://"+internal)
	turn.hosts = append(turn.hosts, public)
	return listens(ctx, internal)
}

// close ends all that was started.
func (s *site) close() {
	for _, p := range s.routers {
		p.kill()
	}
	if s.redis != nil {
		s.redis.close()
	}
	if s.fake != nil {
		_ = s.fake.Close()
	}
}

// inTurn is a load balancer: it sends each request to the next host.
type inTurn struct {
	hosts []string
	n     atomic.Int64
	next  http.RoundTripper
}

func (t *inTurn) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = t.hosts[int(t.n.Add(1))%len(t.hosts)]
	return t.next.RoundTrip(r)
}

// cpuLoad is what the processes of a site used for some time.
type cpuLoad struct {
	router, redis float64 // cores; router is the mean of the routers
	commands      float64 // that Redis carried out, a second, those of scripts too
}

// cpu measures until the returned function is called.
func (s *site) cpu(ctx context.Context) func() cpuLoad {
	read := func() (routers, redis time.Duration, commands int64) {
		for _, p := range s.routers {
			routers += p.usage().cpu
		}
		if s.redis != nil {
			redis, commands = s.redis.usage().cpu, s.redis.commands(ctx)
		}
		return routers, redis, commands
	}
	began := time.Now()
	routers, redis, commands := read()
	return func() cpuLoad {
		r, d, n := read()
		took := time.Since(began)
		return cpuLoad{
			float64(r-routers) / float64(took) / float64(len(s.routers)), float64(d-redis) / float64(took),
			float64(n-commands) / took.Seconds(),
		}
	}
}

func (c cpuLoad) String() string {
	text := fmt.Sprintf("%5.1f %% of a core", c.router*100)
	if c.commands > 0 {
		text += fmt.Sprintf("   Redis %5.1f %%, %6.0f commands/s", c.redis*100, c.commands)
	}
	return text
}

// waitingRules have queues of agents. Calls name their queue in the payload, and wait for as long as they are let.
func waitingRules(queues, agents int) string {
	var names, rows, rules strings.Builder
	for q := range queues {
		var members []string
		for i := q; i < agents; i += queues {
			members = append(members, agentName(i))
		}
		fmt.Fprintf(&rows, "  %s: {agents: [%s], strategy: longest_idle, ring: 20s, away_after: 0}\n",
			queueName(q), strings.Join(members, ", "))
		fmt.Fprintf(&rules, "  - {name: %[1]s, when: 'payload == %[1]q', then: {handoff: {queue: %[1]s, wait: 50m}}}\n",
			queueName(q))
	}
	for i := range agents {
		fmt.Fprintf(&names, "  %s: {name: Agent, capacity: 1}\n", agentName(i))
	}
	return "version: 1\ntimezone: America/Sao_Paulo\n" +
		"numbers: {main: {phone: \"+" + number + "\", positus_id: " + numberID + "}}\n" +
		"limits: {answer_within: 1h, max_call: 1h}\n" +
		"agents:\n" + names.String() + "queues:\n" + rows.String() + "rules:\n" + rules.String() + "default: reject\n"
}

func agentName(i int) string { return fmt.Sprintf("a%03d", i) }

func queueName(q int) string { return fmt.Sprintf("q%d", q) }
