package fake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// Delivery is one attempt to post a webhook.
type Delivery struct {
	Seq     int       // position in the record, from 0
	Time    time.Time // when it was sent
	Event   string    // connect, terminate, status, errors, or raw for Post
	CallIDs []string  // the calls in its body
	Attempt int       // 1, and more for retries of a webhook that was not accepted
	Body    []byte
	Status  int           // of the reply, 0 when there was none
	Latency time.Duration // until the reply, by Go's own clock
	Err     string        // why there was no reply
}

// Delivered reports whether the receiver accepted the webhook: any 2xx.
func (d Delivery) Delivered() bool { return d.Status >= 200 && d.Status < 300 }

// Deliveries returns every attempt to post a webhook so far, in order of completion.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// WaitDelivery returns the first attempt to post a webhook, past or to come, that match accepts.
func (s *Server) WaitDelivery(ctx context.Context, match func(Delivery) bool) (Delivery, error) {
	return waitIn(ctx, s, &s.deliveries, &s.delivered, "webhook", match)
}

// Post posts any body to the webhook URL, once and at once, and returns the result: for unknown events, rubbish, or
// a captured webhook. The error is nil whenever there was a reply.
func (s *Server) Post(ctx context.Context, body []byte) (Delivery, error) {
	s.mu.Lock()
	url, header := s.webhookURL, s.dials.Delivery.Header
	s.mu.Unlock()
	d := s.attempt(ctx, outgoing{event: "raw", body: body, url: url, header: header}, 1)
	if d.Err != "" {
		return d, errors.New(d.Err)
	}
	return d, nil
}

// PostError posts a webhook that carries an error and no call, about the business number of a Positus number id: 131044
// is what arrives instead of calls while the account has no payment method (Meta: troubleshooting).
func (s *Server) PostError(ctx context.Context, numberID string, code int) (Delivery, error) {
	s.mu.Lock()
	body := webhookBody(s.dials.Form,
		[]part{{business: s.cfg.Numbers[numberID], errors: []wireError{newWireError(code)}}})
	url, header := s.webhookURL, s.dials.Delivery.Header
	s.mu.Unlock()
	d := s.attempt(ctx, outgoing{event: "errors", body: body, url: url, header: header}, 1)
	if d.Err != "" {
		return d, errors.New(d.Err)
	}
	return d, nil
}

// outgoing is one webhook on its way, with the dials as they were when it was made.
type outgoing struct {
	event   string
	callIDs []string
	body    []byte
	url     string
	header  http.Header
	delay   time.Duration
	repeat  []time.Duration
	retries int
	every   time.Duration
}

// send posts a webhook in the background once all of after is done; s.mu is held. The returned channel is closed when
// its first attempt is over.
func (s *Server) send(event string, callIDs []string, body []byte, delay time.Duration, repeat []time.Duration,
	after []<-chan struct{}) <-chan struct{} {
	d := s.dials.Delivery
	o := outgoing{
		event: event, callIDs: callIDs, body: body, url: s.webhookURL, header: d.Header.Clone(),
		delay: d.Delay + delay, repeat: slices.Concat(d.Repeat, repeat), retries: d.Retries, every: d.RetryEvery,
	}
	setDefault(&o.every, time.Second)
	if d.Jitter > 0 {
		o.delay += time.Duration(s.rand.Int64N(int64(d.Jitter)))
		after = nil
	}
	done := make(chan struct{})
	started := s.spawn(func() {
		defer close(done)
		for _, earlier := range after {
			select {
			case <-earlier:
			case <-s.ctx.Done():
				return
			}
		}
		s.post(o)
	})
	if !started {
		close(done)
	}
	return done
}

// post makes the first attempt, and leaves repeats and retries to the background.
func (s *Server) post(o outgoing) {
	if !s.pause(o.delay, nil) {
		return
	}
	s.mu.Lock()
	for _, later := range o.repeat {
		s.spawn(func() {
			if s.pause(later, nil) {
				s.attempts(o, 1)
			}
		})
	}
	s.mu.Unlock()
	if s.attempt(s.ctx, o, 1).Delivered() || o.retries == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spawn(func() {
		if s.pause(o.every, nil) {
			s.attempts(o, 2)
		}
	})
}

// attempts posts until the receiver accepts the webhook or the retries are used up.
func (s *Server) attempts(o outgoing, from int) {
	for n := from; ; n++ {
		if s.attempt(s.ctx, o, n).Delivered() || n > o.retries || !s.pause(o.every, nil) {
			return
		}
	}
}

// attempt posts once and records it.
func (s *Server) attempt(ctx context.Context, o outgoing, n int) Delivery {
	d := Delivery{Time: s.now(), Event: o.event, CallIDs: o.callIDs, Attempt: n, Body: o.body}
	started := time.Now()
	var err error
	if d.Status, err = s.exchange(ctx, o); err != nil {
		d.Err = err.Error()
	}
	d.Latency = time.Since(started)
	s.mu.Lock()
	d.Seq = len(s.deliveries)
	s.deliveries = append(s.deliveries, d)
	s.delivered.fire()
	s.mu.Unlock()
	s.log.Info("webhook", "event", d.Event, "calls", d.CallIDs, "attempt", n, "status", d.Status, "latency", d.Latency,
		"failed", err != nil)
	return d
}

func (s *Server) exchange(ctx context.Context, o outgoing) (status int, err error) {
	if o.url == "" {
		return 0, errors.New("fake: no webhook URL: set Config.WebhookURL or call SetWebhookURL")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(o.body))
	if err != nil {
		return 0, fmt.Errorf("fake: webhook URL: %w", err)
	}
	req.Header = o.header.Clone()
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("fake: post the webhook: %w", err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)); err != nil {
		return res.StatusCode, fmt.Errorf("fake: read the webhook's reply: %w", err)
	}
	return res.StatusCode, nil
}
