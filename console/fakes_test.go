package console

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// positus takes what it is told to do, or refuses it.
type positus struct {
	mu      sync.Mutex
	did     []string // "accept ID SDP", "reject ID", "hang-up ID"
	refuses map[string]error
	delays  map[string]time.Duration
}

// delay makes an action take that long.
func (p *positus) delay(what string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delays = map[string]time.Duration{what: d}
}

func (p *positus) do(what, id, more string) error {
	p.mu.Lock()
	delay := p.delays[what]
	p.mu.Unlock()
	<-time.After(delay)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refuses[what]; err != nil {
		return err
	}
	p.did = append(p.did, strings.TrimSpace(what+" "+id+" "+more))
	return nil
}

func (p *positus) refuse(what string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses[what] = err
}

func (p *positus) count(action string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, d := range p.did {
		if d == strings.TrimSpace(action) {
			n++
		}
	}
	return n
}

func (p *positus) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.did)
}

func (p *positus) Accept(_ context.Context, _, id, sdp string) error { return p.do("accept", id, sdp) }
func (p *positus) Reject(_ context.Context, _, id string) error      { return p.do("reject", id, "") }
func (p *positus) HangUp(_ context.Context, _, id string) error      { return p.do("hang-up", id, "") }
func (p *positus) SendText(_ context.Context, _, _, _ string) error  { return nil }

// media finds every SDP usable that begins as one does.
type media struct{}

func (media) CheckAnswer(_, answer string) error {
	if !strings.HasPrefix(answer, "v=0\r\n") {
		return errors.New("it does not begin with v=0")
	}
	return nil
}

func (media) Answer(context.Context, string, string) (engine.Playback, error) {
	return nil, errors.New("there is no audio in these tests")
}

// bot is an outside answerer that always answers.
type bot struct{}

func (bot) Answer(context.Context, string, engine.AnswerRequest) (string, error) {
	return answerSDP, nil
}

type nobody struct{}

func (nobody) Decided(*engine.Call, time.Duration) {}
func (nobody) Acted(*engine.Call, time.Duration)   {}
func (nobody) Ended(*engine.Call)                  {}
func (nobody) Error(string)                        {}

// control keeps the rules file as a process does.
type control struct {
	mu     sync.Mutex
	engine *engine.Engine
	path   string
	status RulesStatus
}

func (c *control) Status() RulesStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *control) Reload(context.Context) (RulesStatus, rules.Problems, error) {
	f, ps := rules.Load(c.path)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f == nil {
		c.status.LastRefusal = &Refusal{At: time.Now(), Problems: ps}
		return c.status, ps, nil
	}
	c.engine.SetRules(f)
	c.status = RulesStatus{Version: f.Version(), LoadedAt: time.Now()}
	return c.status, ps, nil
}
