// Command loadtest measures the way of a call from the webhook to the request that Positus gets, beside its floor: the
// same chain in net/http with one write and nothing else. Both run in one go on one machine, since only their ratio
// says something. Load is open: a call is due at its time, however late the ones before it are.
//
//	go run ./cmd/callrouter/internal/loadtest                          the table, on disk and, with redis-server, on Redis
//	go run ./cmd/callrouter/internal/loadtest -rates 500 -for 30s -rules 10000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == floorCommand {
		if err := serveFloor(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "loadtest: the floor:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1)
	}
}

// plan is what is measured.
type plan struct {
	rates  []int         // calls a second
	length time.Duration // of each run
	rules  int           // rules in the file; the default decides
	stores []string      // "disk", "redis"
	most   bool          // look for the highest rate that is sustained
}

func readPlan(args []string) (plan, error) {
	p := plan{}
	flags := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	rates := flags.String("rates", "100,500,1000", "calls a second, separated by commas")
	stores := flags.String("stores", "disk,redis", "stores, separated by commas")
	flags.DurationVar(&p.length, "for", 10*time.Second, "length of each run")
	flags.IntVar(&p.rules, "rules", 100, "rules in the file; the default decides")
	flags.BoolVar(&p.most, "most", true, "look for the highest rate that is sustained")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	for text := range strings.SplitSeq(*rates, ",") {
		rate, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || rate < 1 || rate > 20_000 {
			return p, fmt.Errorf("-rates: %q is not a number of calls a second between 1 and 20000", text)
		}
		p.rates = append(p.rates, rate)
	}
	for name := range strings.SplitSeq(*stores, ",") {
		switch _, err := exec.LookPath("redis-server"); {
		case name == "redis" && err != nil:
			fmt.Println("Redis is left out: redis-server is not on the PATH")
		case name == "disk", name == "redis":
			p.stores = append(p.stores, name)
		default:
			return p, fmt.Errorf("-stores: %q is neither disk nor redis", name)
		}
	}
	return p, nil
}

func run(ctx context.Context, args []string) error {
	p, err := readPlan(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "callrouter-loadtest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := newBench(ctx, dir, p)
	if err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("%-6s %7s  %-8s %9s %9s %9s  %6s %9s %9s %9s\n",
		"store", "calls/s", "", "p50", "p99", "max", "lost", "CPU/call", "written", "commands")
	for _, store := range p.stores {
		for _, rate := range p.rates {
			if err := b.compare(ctx, store, rate); err != nil {
				return err
			}
		}
		if p.most {
			if err := b.compareMost(ctx, store); err != nil {
				return err
			}
		}
	}
	return nil
}
