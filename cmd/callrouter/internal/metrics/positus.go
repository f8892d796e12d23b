package metrics

import (
	"context"
	"errors"
	"time"

	"callrouter/engine"
)

// Provider returns a provider whose requests are timed.
func (m *Metrics) Provider(p engine.Provider) engine.Provider { return &timedProvider{p, m} }

// timedProvider is a provider whose requests are timed, with all their repeats.
type timedProvider struct {
	engine.Provider
	m *Metrics
}

func (p *timedProvider) timed(operation string, request func() error) error {
	start := time.Now()
	err := request()
	result := "ok"
	if pe := (*engine.ProviderError)(nil); errors.As(err, &pe) {
		result = string(pe.Kind)
	} else if err != nil {
		result = string(engine.Unavailable)
	}
	p.m.positus.WithLabelValues(operation, result).Observe(time.Since(start).Seconds())
	return err
}

// Accept is part of [engine.Provider].
func (p *timedProvider) Accept(ctx context.Context, numberID, callID, sdp string) error {
	return p.timed("accept", func() error { return p.Provider.Accept(ctx, numberID, callID, sdp) })
}

// Reject is part of [engine.Provider].
func (p *timedProvider) Reject(ctx context.Context, numberID, callID string) error {
	return p.timed("reject", func() error { return p.Provider.Reject(ctx, numberID, callID) })
}

// HangUp is part of [engine.Provider].
func (p *timedProvider) HangUp(ctx context.Context, numberID, callID string) error {
	return p.timed("hang_up", func() error { return p.Provider.HangUp(ctx, numberID, callID) })
}

// SendText is part of [engine.Provider].
func (p *timedProvider) SendText(ctx context.Context, numberID, to, text string) error {
	return p.timed("send_text", func() error { return p.Provider.SendText(ctx, numberID, to, text) })
}
