package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"callrouter/engine"
	"callrouter/positus/fake"
	phones "callrouter/rules/phone"
)

// demoRing is how long the phone of a newcomer rings, who has to find the button first.
const demoRing = "ring: 20s"

// stay keeps running, so that the reader can take a call in a browser and place more.
func (d *demo) stay(ctx context.Context) error {
	if err := d.changeCast(ctx); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	greeting, err := opusPackets(filepath.Join(d.folder, "examples", "audio", "greeting.ogg"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /call", d.curl)
	phonePages(mux, &phoneDesk{demo: d, ctx: ctx, voice: greeting})
	server := &http.Server{
		Handler:           http.NewCrossOriginProtection().Handler(mux),
		ReadHeaderTimeout: 2 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	defer server.Close()
	return d.links(ctx, "http://"+l.Addr().String())
}

// changeCast makes room for the reader: the office is open, the agents that the demo played are gone and free, and
// phones ring for longer.
func (d *demo) changeCast(ctx context.Context) error {
	for _, a := range d.agents {
		a.leave()
	}
	d.agents = nil
	if err := d.setOffice(ctx, true); err != nil {
		return err
	}
	path := filepath.Join(d.folder, "rules.example.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte("ring: 10s"), []byte(demoRing))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	if err := d.router.Reload(ctx); err != nil {
		return err
	}
	for _, a := range d.router.Engine().Rules().Agents() {
		if err := d.free(ctx, a.ID); err != nil {
			return err
		}
	}
	d.say("the agents leave; phones ring for 20 seconds from here on")
	return nil
}

// free waits until an agent has no call, and ends the wrap-up.
func (d *demo) free(ctx context.Context, agent string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := d.router.Engine().EndWrapUp(ctx, agent); err != nil {
			return err
		}
		s, err := d.router.Store().Snapshot(ctx, engine.Query{Agents: []string{agent}})
		if err != nil || len(s.Agents[agent].Slots) == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s still has a call of the demo: %w", agent, ctx.Err())
		}
	}
}

// curl places a call from a terminal.
func (d *demo) curl(w http.ResponseWriter, r *http.Request) {
	number, err := phones.Normalize(r.FormValue("from"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.place(r.Context(), "a call from "+number,
		fake.Phone{Number: number[1:], Name: "you", Media: true, TalkFor: time.Minute})
	fmt.Fprintln(w, "see the demo's window")
}

// links prints where everything is, and waits for the end.
func (d *demo) links(ctx context.Context, own string) error {
	agent, err := d.api.NewLink(ctx, "ana")
	if err != nil {
		return err
	}
	at := map[string]string{
		"agent": agent.URL, "phone": own + "/phone",
		"webhooks": d.webhookURL(), "api": d.apiURL(), "admin_token": d.adminToken,
		"positus": d.fake.URL(), "call": own + "/call",
	}
	if d.json {
		if err := json.NewEncoder(d.env.stdout).Encode(at); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	if d.loopback() {
		d.say("this machine has no private network address, so audio stays on 127.0.0.1, which only Chrome can reach")
	}
	fmt.Fprintf(d.env.stdout, `
Take a call yourself, in two tabs of one browser: start the shift in the first, and call from the second.
  agent      %s
  phone      %s
The agent's link works once, within 10 minutes. For another one:
  CALLROUTER_ADMIN_TOKEN=%s callrouter agents link ana --server %s

The router goes on running:
  webhooks   %s
  API        %s   (Authorization: Bearer %s)
  Positus    %s   (the stand-in)
Place a call from a terminal:
  curl -d from=+5521977776666 %s
Ctrl-C ends it.
`, at["agent"], at["phone"], at["admin_token"], at["api"], at["webhooks"], at["api"], at["admin_token"], at["positus"],
		at["call"])
	<-ctx.Done()
	return nil
}

// lanAddress returns an address of this machine that browsers may reach for audio: the first private IPv4 address of an
// interface that is up, or else 127.0.0.1.
func lanAddress() string {
	const none = "127.0.0.1"
	all, err := net.Interfaces()
	if err != nil {
		return none
	}
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Is4() && p.Addr().IsPrivate() {
				return p.Addr().String()
			}
		}
	}
	return none
}

var errNoGreeting = errors.New("the demo's greeting is no Ogg Opus file")

// shown is a number as people write it.
func shown(number string) string { return "+" + strings.TrimPrefix(number, "+") }
