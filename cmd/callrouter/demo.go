package main

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"callrouter/cmd/callrouter/internal/router"
	"callrouter/console/client"
	"callrouter/engine"
	"callrouter/positus/fake"
	"callrouter/rules"
)

// The demo's files: a test keeps them equal to rules.example.yaml and examples/audio.
//
//go:embed all:demo
var demoFiles embed.FS

// The people of the demo, as rules.example.yaml knows them.
const (
	demoVIP      = "5511988887777"
	demoBlocked  = "5511977770000"
	demoStranger = "5521977776666"
)

type demoCmd struct {
	Once bool `help:"End after the handful of calls."`
	JSON bool `name:"json" help:"Print a JSON object for each call, and one with the addresses."`
}

// Run places a few calls against a simulated Positus, and prints a line for each.
func (c *demoCmd) Run(env *environment) error {
	ctx, cancel := context.WithCancel(env.ctx)
	defer cancel()
	audio := "127.0.0.1"
	if !c.Once {
		audio = lanAddress()
	}
	d, err := startDemo(ctx, env, c.JSON, audio)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.play(ctx); err != nil {
		return err
	}
	if c.Once {
		return nil
	}
	return d.stay(ctx)
}

// demo is a router, a simulated Positus, and simulated people.
type demo struct {
	env        *environment
	json       bool
	audio      string // address of the phones' audio
	folder     string
	fake       *fake.Server
	router     *router.Router
	secret     string // of webhooks
	adminToken string
	api        *client.Client // of the administrator
	agents     []*demoAgent
	mu         sync.Mutex // one line at a time
	placed     int
	failed     error // of a call that was not placed, or not decided
}

func startDemo(ctx context.Context, env *environment, asJSON bool, audio string) (d *demo, err error) {
	d = &demo{env: env, json: asJSON, audio: audio}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.folder, err = os.MkdirTemp("", "callrouter-demo-"); err != nil {
		return d, err
	}
	files, err := fs.Sub(demoFiles, "demo")
	if err != nil {
		return d, err
	}
	if err = os.CopyFS(d.folder, files); err != nil {
		return d, err
	}
	path := filepath.Join(d.folder, "rules.example.yaml")
	file, err := loadRules(env, path, false)
	if err != nil {
		return d, err
	}
	if err = d.startFake(file); err != nil {
		return d, err
	}
	d.secret, d.adminToken = rand.Text(), rand.Text()
	d.router, err = router.Start(ctx, router.Config{
		Rules: file, Store: filepath.Join(d.folder, "callrouter.db"), Retention: 24 * time.Hour,
		Listen: "127.0.0.1:0", InternalListen: "127.0.0.1:0", AdminToken: d.adminToken, WebhookSecrets: []string{d.secret},
		PositusURL: d.fake.URL(), PositusToken: demoToken, AudioLoopback: d.loopback(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return d, err
	}
	d.fake.SetWebhookURL(d.webhookURL())
	d.api, err = client.New(client.Config{URL: d.apiURL(), Token: d.adminToken})
	return d, err
}

const demoToken = "demo-token"

func (d *demo) webhookURL() string {
	return "http://" + d.router.PublicAddr() + "/webhooks/positus/" + d.secret
}

func (d *demo) apiURL() string { return "http://" + d.router.InternalAddr() }

func (d *demo) startFake(f *rules.File) error {
	numbers := map[string]string{}
	for _, n := range f.Numbers() {
		numbers[n.PositusID] = n.Phone[1:]
	}
	d.fake = fake.New(fake.Config{
		Token: demoToken, Numbers: numbers, AudioAddr: d.audio,
		Dials: fake.Dials{Delivery: fake.DeliveryDials{Retries: 5}}, // as the platform does
	})
	return d.fake.Start()
}

func (d *demo) close() {
	for _, a := range d.agents {
		a.leave()
	}
	var errs []error
	if d.router != nil {
		errs = append(errs, d.router.Stop())
	}
	if d.fake != nil {
		errs = append(errs, d.fake.Close())
	}
	if d.folder != "" {
		errs = append(errs, os.RemoveAll(d.folder))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(d.env.stderr, "callrouter: ending the demo:", err)
	}
}

// play places the calls. It sets the hours with a switch, so that the demo prints the same at any hour.
func (d *demo) play(ctx context.Context) error {
	d.say("Nothing here is real: Positus and the phones are simulated on this machine.\n")
	if err := d.setOffice(ctx, true); err != nil {
		return err
	}
	ana, err := d.agent(ctx, "ana", true)
	if err != nil {
		return err
	}
	d.say("agent ana connects and picks up calls")
	d.place(ctx, "a blocked caller", fake.Phone{Number: demoBlocked})
	vip := d.place(ctx, "a VIP, ana is free", fake.Phone{Number: demoVIP, Name: "Vera", Media: true})
	d.place(ctx, "a VIP, ana is busy", fake.Phone{Number: "554399951234", Name: "Paulo", Media: true})
	twice := d.place(ctx, "a call whose webhook arrives twice at once",
		fake.Phone{Number: demoStranger, Media: true, ConnectRepeat: []time.Duration{0}})
	twiceAt := d.placed
	if _, err := d.agent(ctx, "bruno", false); err != nil {
		return err
	}
	d.say("agent bruno connects and never picks up")
	d.place(ctx, "a caller who hangs up while bruno's phone rings",
		fake.Phone{Number: demoStranger, HangUpAfter: 700 * time.Millisecond})
	if err := d.setOffice(ctx, false); err != nil {
		return err
	}
	d.place(ctx, "a caller after hours", fake.Phone{Number: demoStranger, Name: "Carlos"})
	d.say("Positus was asked to do something about call %d: %s", twiceAt, times(d.actions(twice)))
	if d.failed != nil {
		return d.failed
	}
	vip.HangUp()
	if err := vip.Wait(ctx, fake.Ended); err != nil {
		return err
	}
	if err := ana.failed(); err != nil {
		return err
	}
	return ctx.Err()
}

func (d *demo) setOffice(ctx context.Context, open bool) error {
	s := rules.Switch{Open: open, Until: time.Now().Add(24 * time.Hour), Reason: "the demo"}
	if err := d.router.Store().SetSwitch(ctx, "office", s); err != nil {
		return err
	}
	state := "closed"
	if open {
		state = "open"
	}
	d.say("the hours \"office\" are switched %s, whatever the clock shows", state)
	return d.router.Engine().RefreshOverrides(ctx)
}

func (d *demo) say(format string, args ...any) {
	if !d.json {
		fmt.Fprintf(d.env.stdout, "· "+format+"\n", args...)
	}
}

// demoLine is the line that is printed for a call.
type demoLine struct {
	Call   int    `json:"call"`
	What   string `json:"what"`
	Action string `json:"action"`
	By     string `json:"by"`
	TookMS int64  `json:"took_ms"`
	Error  string `json:"error,omitempty"`
}

func (d *demo) tell(l demoLine) {
	switch {
	case d.json:
		_ = json.NewEncoder(d.env.stdout).Encode(l) // whoever reads may be gone, as with every other line
	case l.Error != "":
		fmt.Fprintf(d.env.stdout, "%2d  %-50s %s\n", l.Call, l.What, l.Error)
	default:
		fmt.Fprintf(d.env.stdout, "%2d  %-50s %-18s %-22s  %d ms\n", l.Call, l.What, l.Action, l.By, l.TookMS)
	}
}

// place makes a call, waits until it is decided, and prints its line.
func (d *demo) place(ctx context.Context, what string, p fake.Phone) *fake.Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.placed++
	line := demoLine{Call: d.placed, What: what}
	defer func() { d.tell(line) }()
	start := time.Now()
	call, err := d.fake.Call(p)
	var c *engine.Call
	if err != nil {
		err = fmt.Errorf("could not be placed: %w", err)
	} else {
		c, err = d.decided(ctx, call.ID)
	}
	if err != nil {
		line.Error = err.Error()
		d.failed = errors.Join(d.failed, fmt.Errorf("call %d: %w", d.placed, err))
		return call
	}
	line.Action, line.By = happened(c)
	line.TookMS = d.took(call.ID, c, start).Milliseconds()
	return call
}

// loopback reports whether all audio stays on 127.0.0.1.
func (d *demo) loopback() bool { return d.audio == "127.0.0.1" }

// decided waits until the record of a call has a decision that was carried out, or an end.
func (d *demo) decided(ctx context.Context, callID string) (*engine.Call, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	wake, end := d.router.Engine().Subscribe(engine.TopicCall(engine.Key(callID)))
	defer end()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := d.router.Store().Get(ctx, engine.Key(callID))
		if err == nil && (c.State == engine.Active || c.State == engine.Ended) {
			return c, nil
		}
		select {
		case <-wake:
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.New("no decision within 30 s")
		}
	}
}

// actions counts the actions that were sent to Positus for a call.
func (d *demo) actions(call *fake.Call) int {
	if call == nil {
		return 0
	}
	return len(d.fake.ActionsFor(call.ID))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// took is the time from the call until Positus had its action, or the record its end.
func (d *demo) took(callID string, c *engine.Call, start time.Time) time.Duration {
	for _, r := range d.fake.ActionsFor(callID) {
		if r.Effect == fake.Applied {
			return r.Time.Sub(start)
		}
	}
	return c.Transitions[len(c.Transitions)-1].At.Sub(start)
}

// happened describes what was done with a call, and what decided it.
func happened(c *engine.Call) (action, by string) {
	action = string(c.Action)
	switch {
	case c.Outcome == engine.Abandoned:
		action = "abandoned"
	case c.Agent != "":
		action = "handoff → " + c.Agent
	case c.Action == rules.Accept:
		action = "accept → " + c.Answer
	case c.Message != nil:
		action = "reject + message"
	}
	by = string(c.By)
	if c.By == rules.ByRule {
		by = fmt.Sprintf("rule %q", c.Rule)
	}
	return action, by
}
