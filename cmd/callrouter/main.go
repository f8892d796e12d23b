// Command callrouter routes WhatsApp calls by rules: it is the router itself, and the tools of those who write the
// rules.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // rules name time zones, and machines may have none

	"github.com/alecthomas/kong"
)

// The exit codes of every command.
const (
	exitFound    = 1 // the check, test or comparison found something
	exitUsage    = 2 // could not run: usage, an unreadable file, an unknown name in a flag
	exitInternal = 3
)

// exitError ends the program with a code. One without a text has said all there is to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func found() error { return &exitError{code: exitFound} }
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// cli is the command line.
type cli struct {
	Serve    serveCmd    `cmd:"" help:"Run the router."`
	Demo     demoCmd     `cmd:"" help:"Run the router against a stand-in of Positus, with a handful of calls. Needs no account and no network."`
	Check    checkCmd    `cmd:"" help:"Check rules files and run their own tests."`
	Simulate simulateCmd `cmd:"" help:"Decide one made-up call and say why."`
	Test     testCmd     `cmd:"" help:"Run the tests of rules files and of test files."`
	Week     weekCmd     `cmd:"" help:"Show the decision for each hour of a week."`
	Next     nextCmd     `cmd:"" help:"Show what changes, for one caller, in the next 14 days."`
	Schema   schemaCmd   `cmd:"" help:"Print the JSON Schema of the rules file, for editors."`
	Agents   agentsCmd   `cmd:"" help:"Agents of a running router: who is there, status, capacity, tokens."`
	Calls    callsCmd    `cmd:"" help:"Calls of a running router: list, explain, export, hang up."`
	Lists    listsCmd    `cmd:"" help:"Lists of a running router: who is on them at run time."`
	Hours    hoursCmd    `cmd:"" help:"Hours of a running router: open or close them until a time."`
	Rules    rulesCmd    `cmd:"" help:"Rules of a running router: which are in force, reload."`
	DB       dbCmd       `cmd:"" name:"db" help:"The file of the embedded store: back it up while the router runs, check it, make it smaller."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// environment is what a command uses of the outside world.
type environment struct {
	ctx    context.Context
	getenv func(string) string
	stdout io.Writer
	stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() { // a second signal ends the program at once
		<-ctx.Done()
		stop()
	}()
	forgetEmpty()
	os.Exit(run(os.Args[1:], &environment{ctx: ctx, getenv: os.Getenv, stdout: os.Stdout, stderr: os.Stderr}))
}

// forgetEmpty unsets empty variables of callrouter, so that they count as not set. Containers often set them.
func forgetEmpty() {
	for _, v := range os.Environ() {
		if name, ok := strings.CutSuffix(v, "="); ok && strings.HasPrefix(name, "CALLROUTER_") {
			_ = os.Unsetenv(name) // fails for names that cannot be set either
		}
	}
}

// run is the program without its process.
func run(args []string, env *environment) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(
				env.stderr,
				"callrouter: internal error: %v\nThis is a bug; please report it with the command that led to it.\n",
				p,
			)
			code = exitInternal
		}
	}()
	var c cli
	exited := -1
	parser := kong.Must(&c,
		kong.Name("callrouter"),
		kong.Description("Routes WhatsApp calls that come through Positus by rules in one YAML file."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(env.stdout, env.stderr),
		kong.Exit(func(code int) { exited = code; panic(helpShown{}) }),
		kong.Bind(env),
	)
	k, err := parse(parser, args, &exited)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(
			env.stderr,
			"callrouter: %s\nRun \"callrouter --help\" for the list of commands.\n",
			usageText(parser, args, err),
		)
		return exitUsage
	}
	return ended(k.Run(env), env)
}

// helpShown unwinds out of the parser once help has been printed.
type helpShown struct{}

func parse(parser *kong.Kong, args []string, exited *int) (k *kong.Context, err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(helpShown); !ok {
				panic(p)
			}
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	return parser.Parse(args)
}

// usageText explains a wrong command line. The parser treats an unknown command as an argument.
func usageText(parser *kong.Kong, args []string, err error) string {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return err.Error()
	}
	var known []string
	for _, c := range parser.Model.Children {
		if c.Name == args[0] {
			return err.Error()
		}
		known = append(known, c.Name)
	}
	return fmt.Sprintf("unknown command %q; commands are %s", args[0], strings.Join(known, ", "))
}

// ended prints an error and returns the exit code for it.
func ended(err error, env *environment) int {
	if err == nil {
		return 0
	}
	code := exitInternal
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(env.stderr, "callrouter:", text)
	}
	return code
}
