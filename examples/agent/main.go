// Command agent is a small agent's program: it picks up every call that the router offers, plays a recording to the
// caller, and hangs up. Replace the recording with a microphone, or with a program that speaks, and it is a real one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"callrouter/console"
	"callrouter/console/client"
	"callrouter/media"
)

// reconnectAfter is how long the agent waits for a router that restarts. The router stops offering calls at once.
const reconnectAfter = time.Second

// hangUpTime bounds the hang-ups that are left to do once the agent leaves.
const hangUpTime = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	server := flag.String("server", "http://127.0.0.1:8081", "`URL` of the router's internal side")
	tokenFile := flag.String("token-file", "", "`FILE` with the agent's token, made by: callrouter agents token NAME")
	play := flag.String("play", "examples/audio/greeting.ogg", "Ogg Opus `FILE` to play to the caller")
	decline := flag.Bool("decline", false, "decline every offer, so that the next agent rings")
	loopback := flag.Bool("loopback", false, "keep audio on 127.0.0.1, for a router with --audio-loopback")
	publicIP := flag.String("public-ip", "",
		"`ADDRESS` at which WhatsApp reaches this machine, if NAT gives it another one")
	flag.Parse()

	token, err := os.ReadFile(*tokenFile)
	if err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	api, err := client.New(client.Config{URL: *server, Token: strings.TrimSpace(string(token))})
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	audio, err := media.New(media.Config{Loopback: *loopback, PublicIP: *publicIP})
	if err != nil {
		return fmt.Errorf("--public-ip: %w", err)
	}
	a := &agent{api: api, audio: audio, play: *play, decline: *decline}
	defer a.work.Wait() // hang up before the program ends
	// Ready for calls, even if the router set the agent away after missed offers. They come once the stream is open.
	if _, err := api.SetMe(ctx, console.StatusRequest{Status: console.StatusAvailable}); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := a.listen(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(reconnectAfter):
		}
	}
	return nil
}

type agent struct {
	api     *client.Client
	audio   *media.Media
	play    string
	decline bool
	work    sync.WaitGroup
	talks   sync.Map // call id to the context.CancelFunc that ends its recording
}

// listen is connected until the stream of events ends. The error says why connecting again is of no use.
func (a *agent) listen(ctx context.Context) error {
	for event, err := range a.api.Events(ctx) {
		if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status < 500 {
			return err // the token is not valid (any more)
		}
		if err != nil {
			if ctx.Err() == nil {
				fmt.Println("disconnected:", err)
			}
			return nil
		}
		switch e := event.(type) {
		case console.StatusEvent:
			fmt.Println("connected, status", e.Status)
		case console.OfferEvent:
			fmt.Printf("call from %s %s rings until %s\n", e.Call.From, e.Call.Name,
				e.RingsUntil.Local().Format(time.TimeOnly))
			// Not in this goroutine: an agent who reads no events counts as gone.
			a.work.Go(func() { a.take(ctx, e) })
		case console.WithdrawnEvent:
			fmt.Printf("offer withdrawn: %s\n", e.Reason)
		case console.CallEvent:
			fmt.Printf("call is %s\n", e.State)
			if end, ok := a.talks.Load(e.ID); ok && e.State == "ended" {
				end.(context.CancelFunc)()
			}
		}
	}
	return nil
}

// take picks up a call, or declines it.
func (a *agent) take(ctx context.Context, offer console.OfferEvent) {
	var err error
	if a.decline {
		err = a.api.Decline(ctx, offer.Offer)
	} else {
		err = a.talk(ctx, offer)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Println("call failed:", err) // 409: another agent picked up first, or the caller hung up
	}
}

// talk picks up a call, plays the recording, and hangs up.
func (a *agent) talk(ctx context.Context, offer console.OfferEvent) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.talks.Store(offer.Call.ID, cancel)
	defer a.talks.Delete(offer.Call.ID)

	// The answer to the caller's SDP tells WhatsApp where this program sends and receives audio.
	playback, err := a.audio.Answer(ctx, offer.SDP, a.play)
	if err != nil {
		return err
	}
	defer playback.Close()
	// Once sent, the answer may have picked up the call: wait for what came of it even if the program is to end.
	if err := a.api.Answer(context.WithoutCancel(ctx), offer.Offer, playback.SDP()); err != nil {
		return err
	}
	err = playback.Run(ctx, func() { fmt.Println("the caller hears", a.play) })

	// After the recording, without audio, or when the program is to end: leave nobody in silence.
	last, done := context.WithTimeout(context.WithoutCancel(ctx), hangUpTime)
	defer done()
	_, hangUpErr := a.api.HangUp(last, offer.Call.ID)
	if refused, ok := errors.AsType[*client.Error](hangUpErr); ok && refused.Code == "not_active" {
		return nil // the caller hung up
	}
	return errors.Join(err, hangUpErr)
}
