package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"

	"callrouter/media"

	"github.com/tmaxmax/go-sse"
)

// demoAgent is an agent's program: it listens to the agent's events, and answers offers with a recorded voice.
type demoAgent struct {
	base   string
	token  string
	voice  string
	picks  bool
	audio  *media.Media
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	err    error
}

// agent lets an agent come to work. It returns once the router knows that the agent is there.
func (d *demo) agent(ctx context.Context, name string, picks bool) (*demoAgent, error) {
	audio, err := media.New(media.Config{Loopback: true})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &demoAgent{
		base: "http://" + d.router.InternalAddr(), picks: picks, audio: audio, cancel: cancel,
		voice: filepath.Join(d.folder, "examples", "audio", "greeting.ogg"),
	}
	d.agents = append(d.agents, a)
	var reply struct{ Token string }
	if err := a.post(ctx, d.adminToken, "/api/v1/agents/"+name+"/token", nil, &reply); err != nil {
		return nil, fmt.Errorf("a token for %s: %w", name, err)
	}
	a.token = reply.Token
	there := make(chan struct{})
	a.done.Go(func() { a.listen(ctx, there) })
	select {
	case <-there:
		return a, a.failed()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listen reads the agent's events until the agent leaves.
func (a *demoAgent) listen(ctx context.Context, there chan<- struct{}) {
	var once sync.Once
	arrived := func() { once.Do(func() { close(there) }) }
	defer arrived()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/api/v1/me/events", nil)
	if err != nil {
		a.fail(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.fail(err)
		return
	}
	defer resp.Body.Close()
	for ev, err := range sse.Read(resp.Body, &sse.ReadConfig{MaxEventSize: 1 << 20}) {
		if err != nil {
			a.fail(err)
			return
		}
		arrived()
		if ev.Type == "offer" && a.picks {
			a.done.Go(func() { a.fail(a.answer(ctx, []byte(ev.Data))) })
		}
	}
}

// answer picks up, and speaks.
func (a *demoAgent) answer(ctx context.Context, event []byte) error {
	var offer struct{ Offer, SDP string }
	if err := json.Unmarshal(event, &offer); err != nil {
		return err
	}
	p, err := a.audio.Answer(ctx, offer.SDP, a.voice)
	if err != nil {
		return err
	}
	defer p.Close()
	body, err := json.Marshal(map[string]string{"sdp": p.SDP()})
	if err != nil {
		return err
	}
	if err := a.post(ctx, a.token, "/api/v1/offers/"+offer.Offer+"/answer", body, nil); err != nil {
		return err
	}
	return p.Run(ctx, func() {})
}

func (a *demoAgent) post(ctx context.Context, token, path string, body []byte, reply any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, resp.Status, data)
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(data, reply)
}

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
	a.done.Wait()
}
