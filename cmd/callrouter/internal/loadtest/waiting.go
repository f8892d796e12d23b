package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"callrouter/positus/fake"
	"callrouter/store"
)

// waitingCommand measures calls that wait.
const waitingCommand = "waiting"

// waitingPlan is what is measured.
type waitingPlan struct {
	cases   []waitingCase
	stores  []string
	routers int           // on Redis
	agents  int           // of all queues
	rest    time.Duration // how long nothing happens while CPU is counted
	length  time.Duration // how long agents become free
	rate    float64       // agents who become free, a second
	place   float64       // calls that are placed, a second, until all wait
	keep    bool          // the folder with logs and stores
}

// gate is longer than a store that may have lost data gives out no agents.
const gate = store.DefaultGate + time.Second

// waitingCase is so many calls in each of so many queues.
type waitingCase struct{ queues, calls int }

func readWaitingPlan(args []string) (waitingPlan, error) {
	p := waitingPlan{}
	flags := flag.NewFlagSet("loadtest "+waitingCommand, flag.ContinueOnError)
	cases := flags.String("calls", "250,1000,10x1000",
		"calls that wait, separated by commas; 10x1000: 1000 in each of 10 queues")
	stores := flags.String("stores", "disk,redis", "stores, separated by commas")
	flags.IntVar(&p.routers, "routers", 3, "routers on Redis; on disk there is one")
	flags.IntVar(&p.agents, "agents", 200, "agents of all queues")
	flags.DurationVar(&p.rest, "rest", 10*time.Second, "how long nothing happens while CPU is counted")
	flags.DurationVar(&p.length, "for", 30*time.Second, "how long agents become free")
	flags.Float64Var(&p.rate, "rate", 20, "agents who become free, a second")
	flags.Float64Var(&p.place, "place", 250, "calls placed a second, until all wait")
	flags.BoolVar(&p.keep, "keep", false, "keep the folder with logs and stores")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	for text := range strings.SplitSeq(*cases, ",") {
		c, err := readWaitingCase(text)
		if err != nil {
			return p, err
		}
		p.cases = append(p.cases, c)
	}
	var err error
	if p.stores, err = readStores(*stores); err != nil {
		return p, err
	}
	if p.routers < 1 || p.rate <= 0 || p.place <= 0 {
		return p, errors.New("-routers, -rate and -place must be more than 0")
	}
	for _, c := range p.cases {
		if c.queues > p.agents {
			return p, fmt.Errorf("-agents: %d are too few for %d queues", p.agents, c.queues)
		}
	}
	return p, nil
}

func readWaitingCase(text string) (waitingCase, error) {
	c := waitingCase{queues: 1}
	first, second, many := strings.Cut(strings.TrimSpace(text), "x")
	queues, calls := "1", first
	if many {
		queues, calls = first, second
	}
	var err1, err2 error
	c.queues, err1 = strconv.Atoi(queues)
	c.calls, err2 = strconv.Atoi(calls)
	if errors.Join(err1, err2) != nil || c.queues < 1 || c.calls < 1 {
		return c, fmt.Errorf("-calls: %q is neither a number of calls nor QUEUESxCALLS", text)
	}
	return c, nil
}

// measureWaiting prints a table with a line for each case and store.
func measureWaiting(ctx context.Context, args []string) error {
	p, err := readWaitingPlan(args)
	if err != nil {
		return err
	}
	dir, done, err := workFolder(p.keep)
	if err != nil {
		return err
	}
	defer done()
	program := filepath.Join(dir, "callrouter")
	if err := buildRouter(ctx, program); err != nil {
		return err
	}
	fmt.Println(waitingHead)
	for _, kind := range p.stores {
		for _, c := range p.cases {
			r, err := measureCase(ctx, p, dir, program, kind, c)
			if err != nil {
				return fmt.Errorf("%s, %d queues of %d calls: %w", kind, c.queues, c.calls, err)
			}
			fmt.Println(r.text(kind, c))
		}
	}
	return nil
}

func measureCase(ctx context.Context, p waitingPlan, dir, program, kind string, c waitingCase) (waitingResult, error) {
	dir, err := os.MkdirTemp(dir, "waiting-")
	if err != nil {
		return waitingResult{}, err
	}
	routers := p.routers
	if kind == "disk" {
		routers = 1
	}
	s, err := openSite(ctx, dir, program, kind, waitingRules(c.queues, p.agents), routers)
	if err != nil {
		return waitingResult{}, err
	}
	defer s.close()
	return (&crowd{site: s, plan: p, queues: c.queues}).run(ctx, c.calls)
}

// crowd is those who call and those who pick up.
type crowd struct {
	*site
	plan   waitingPlan
	queues int

	agents  []*agent
	work    sync.WaitGroup // of agents who become free
	calls   []placed
	lastOne int // number of the last caller
}

// placed is a call with its queue.
type placed struct {
	*fake.Call
	queue string
}

// run lets calls wait, and agents come and go.
func (c *crowd) run(ctx context.Context, waiting int) (r waitingResult, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer func() { stop(); c.work.Wait() }()
	for i := range c.plan.agents {
		a, err := hire(ctx, c.site, i, c.queues)
		if err != nil {
			return r, err
		}
		c.agents = append(c.agents, a)
		a.connect(ctx)
	}
	if err := c.occupy(ctx); err != nil {
		return r, err
	}
	if r.idle, err = c.rest(ctx); err != nil {
		return r, err
	}
	if err := c.place(ctx, waiting*c.queues, c.plan.place); err != nil {
		return r, err
	}
	if r.resting, err = c.rest(ctx); err != nil {
		return r, err
	}
	cpu := c.cpu(ctx)
	c.comeAndGo(ctx)
	r.handing = cpu()
	if err := c.hangUpAll(ctx); err != nil {
		return r, err
	}
	err = c.judge(ctx, &r)
	return r, err
}

// occupy gives every agent a call, one after the other.
func (c *crowd) occupy(ctx context.Context) error {
	if c.redis != nil { // a new one gives out no agents for a while
		if err := pause(ctx, gate); err != nil {
			return err
		}
	}
	free := len(c.agents)
	for try := 0; try < 5 && free > 0; try++ { // on a busy machine a call may fail
		if err := c.place(ctx, free, c.plan.rate); err != nil {
			return err
		}
		err := until(ctx, 5*time.Second, "every agent talks", func() bool {
			free = 0
			for _, a := range c.agents {
				if !a.busy() {
					free++
				}
			}
			return free == 0
		})
		if ctx.Err() != nil {
			return err
		}
	}
	if free > 0 {
		return fmt.Errorf("%d agents get no call", free)
	}
	return nil
}

// place places calls, at each queue in turn, and waits until the routers have them.
func (c *crowd) place(ctx context.Context, n int, rate float64) error {
	began := time.Now()
	for i := range n {
		if err := pause(ctx, time.Until(began.Add(time.Duration(float64(i)/rate*float64(time.Second))))); err != nil {
			return err
		}
		if err := c.call(); err != nil {
			return err
		}
	}
	return c.delivered(ctx)
}

// call places one call.
func (c *crowd) call() error {
	queue := queueName(c.lastOne % c.queues)
	c.lastOne++
	call, err := c.fake.Call(fake.Phone{
		Number: fmt.Sprintf("55119%08d", 80_000_000+c.lastOne), CTAPayload: queue, Window: time.Hour,
	})
	if err == nil {
		c.calls = append(c.calls, placed{call, queue})
	}
	return err
}

// delivered waits until each webhook was posted.
func (c *crowd) delivered(ctx context.Context) error {
	return until(ctx, time.Minute, "all webhooks are posted", func() bool {
		n := 0
		for _, d := range c.fake.Deliveries() {
			if d.Event == "connect" {
				n++
			}
		}
		return n == len(c.calls)
	})
}

// rest counts CPU while nothing happens.
func (c *crowd) rest(ctx context.Context) (cpuLoad, error) {
	if c.plan.rest == 0 {
		return cpuLoad{}, nil
	}
	if err := pause(ctx, 2*time.Second); err != nil { // what has begun
		return cpuLoad{}, err
	}
	cpu := c.cpu(ctx)
	err := pause(ctx, c.plan.rest)
	return cpu(), err
}

// comeAndGo frees agents at an even pace, whether or not those before were rung, and places as many calls.
func (c *crowd) comeAndGo(ctx context.Context) {
	began := time.Now()
	for i := range int(c.plan.length.Seconds() * c.plan.rate) {
		if pause(ctx, time.Until(began.Add(time.Duration(float64(i)/c.plan.rate*float64(time.Second))))) != nil {
			return
		}
		how := hangsUp
		switch i % 10 {
		case 3, 6:
			how = callerLeaves
		case 8:
			how = wasAway
		case 9:
			how = reconnects
		}
		for range c.agents { // the next one who talks
			a := c.agents[0]
			c.agents = append(c.agents[1:], a)
			if a.busy() {
				c.work.Go(func() { a.free(ctx, how) })
				break
			}
		}
		if err := c.call(); err != nil {
			return
		}
	}
	c.work.Wait()
	_ = pause(ctx, 2*time.Second) // phones that ring too late ring, and are picked up
}

// hangUpAll ends all calls, and waits until the routers know. Those who wait go first, the last ones before the others:
// so nobody is rung any more.
func (c *crowd) hangUpAll(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, state := range []fake.State{fake.Ringing, fake.Accepted} {
		for _, call := range slices.Backward(c.calls) {
			if call.State() == state && call.HangUp() {
				<-tick.C
			}
		}
	}
	return until(ctx, time.Minute, "the routers were told that all callers are gone", func() bool {
		n := 0
		for _, d := range c.fake.Deliveries() {
			if d.Event == "terminate" {
				n++
			}
		}
		return n >= len(c.calls)
	})
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until waits for something to be so.
func until(ctx context.Context, limit time.Duration, what string, is func() bool) error {
	for giveUp := time.Now().Add(limit); !is(); {
		if time.Now().After(giveUp) {
			return fmt.Errorf("waited %s in vain until %s", limit, what)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
