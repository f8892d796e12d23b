package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync"

	"callrouter/console"
	"callrouter/console/client"
	"callrouter/media"
)

// demoAgent plays an agent of the demo. examples/agent is such a program by itself.
type demoAgent struct {
	api    *client.Client
	audio  *media.Media
	voice  string // the recording to play to callers
	picks  bool   // picks up what rings
	cancel context.CancelFunc
	work   sync.WaitGroup
	mu     sync.Mutex
	err    error // the first failure
}

// agent connects an agent. It returns once the router knows that the agent is connected.
func (d *demo) agent(ctx context.Context, name string, picks bool) (*demoAgent, error) {
	token, err := d.api.NewToken(ctx, name)
	if err != nil {
		return nil, err
	}
	api, err := client.New(client.Config{URL: d.apiURL(), Token: token})
	if err != nil {
		return nil, err
	}
	audio, err := media.New(media.Config{Loopback: d.loopback()})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &demoAgent{
		api: api, audio: audio, picks: picks, cancel: cancel,
		voice: filepath.Join(d.folder, "examples", "audio", "greeting.ogg"),
	}
	d.agents = append(d.agents, a)
	connected := make(chan struct{})
	a.work.Go(func() { a.listen(ctx, sync.OnceFunc(func() { close(connected) })) })
	select {
	case <-connected:
		return a, a.failed()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listen reads events until the agent leaves. It calls connected with the first one, or once it has failed.
func (a *demoAgent) listen(ctx context.Context, connected func()) {
	defer connected()
	for event, err := range a.api.Events(ctx) {
		if err != nil {
			a.fail(err)
			return
		}
		connected()
		if offer, ok := event.(console.OfferEvent); ok && a.picks {
			a.work.Go(func() { a.fail(a.talk(ctx, offer)) })
		}
	}
}

// talk picks up a call, and plays the recording.
func (a *demoAgent) talk(ctx context.Context, offer console.OfferEvent) error {
	playback, err := a.audio.Answer(ctx, offer.SDP, a.voice)
	if err != nil {
		return err
	}
	defer playback.Close()
	if err := a.api.Answer(ctx, offer.Offer, playback.SDP()); err != nil {
		return err
	}
	return playback.Run(ctx, func() {})
}

// fail keeps the first error that is not the agent's leaving.
func (a *demoAgent) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil && err != nil && !errors.Is(err, context.Canceled) {
		a.err = err
	}
}

func (a *demoAgent) failed() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

func (a *demoAgent) leave() {
	a.cancel()
	a.work.Wait()
}
