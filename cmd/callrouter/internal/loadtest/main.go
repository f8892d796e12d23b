// Command loadtest measures callrouter under load, beside a floor or an empty store in the same run, since only ratios
// say something on a shared machine. Load is open: what is due is due at its time, however late all before it is.
//
//	go run ./cmd/callrouter/internal/loadtest            the way of a call, beside the same chain with one write
//	go run ./cmd/callrouter/internal/loadtest waiting    calls that wait while agents come and go
//	go run ./cmd/callrouter/internal/loadtest records    a store with a million records, beside an empty one
//
// With -h each lists its flags. Redis is measured if redis-server is on the PATH.
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
	if ours, err := runChild(os.Args[1:]); ours {
		if err != nil {
			fmt.Fprintln(os.Stderr, "loadtest:", err)
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

// runChild runs what this program starts itself as, and reports whether the arguments ask for that.
func runChild(args []string) (ours bool, err error) {
	switch {
	case len(args) > 0 && args[0] == floorCommand:
		return true, serveFloor(args[1:])
	case len(args) > 0 && args[0] == purgerCommand:
		return true, servePurger(args[1:])
	}
	return false, nil
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
	var err error
	p.stores, err = readStores(*stores)
	return p, err
}

// readStores reads names of stores. It leaves out Redis where that is not installed.
func readStores(names string) (stores []string, err error) {
	for name := range strings.SplitSeq(names, ",") {
		switch _, err := exec.LookPath("redis-server"); {
		case name == "redis" && err != nil:
			fmt.Println("Redis is left out: redis-server is not on the PATH")
		case name == "disk", name == "redis":
			stores = append(stores, name)
		default:
			return nil, fmt.Errorf("-stores: %q is neither disk nor redis", name)
		}
	}
	return stores, nil
}

// run measures what the first argument names.
func run(ctx context.Context, args []string) error {
	measure := measureWay
	switch {
	case len(args) > 0 && args[0] == waitingCommand:
		measure, args = measureWaiting, args[1:]
	case len(args) > 0 && args[0] == recordsCommand:
		measure, args = measureRecords, args[1:]
	}
	err := measure(ctx, args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

// measureWay prints the table of the way of a call.
func measureWay(ctx context.Context, args []string) error {
	p, err := readPlan(args)
	if err != nil {
		return err
	}
	dir, done, err := workFolder(false)
	if err != nil {
		return err
	}
	defer done()
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
