package engine

import (
	"context"
	"errors"
	"time"

	"callrouter/rules"
)

func (r *runner) preparePlayback(ctx context.Context, a rules.Answer) (string, error) {
	r.closePlayback()
	p, err := r.e.Media.Answer(ctx, r.view().Offer, a.Play)
	if err != nil {
		return "", err
	}
	r.play = p
	return p.SDP(), nil
}

// renewAudio prepares the audio again if a process that is gone prepared it: its connection died with it.
func (r *runner) renewAudio() error {
	a, ok := r.f.Answer(r.c.Answer)
	if r.play != nil || r.c.Agent != "" || !ok || a.URL != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), actReserve)
	defer cancel()
	sdp, err := r.preparePlayback(ctx, a)
	if err != nil {
		return r.end(Failed, "the audio could not be prepared again after a restart: "+err.Error())
	}
	return r.write(func(n *Call) { n.AnswerSDP = sdp })
}

func (r *runner) closePlayback() {
	if r.play != nil {
		if err := r.play.Close(); err != nil {
			r.log.Warn("cannot close an audio connection; the call goes on to its end", "error", err)
		}
		r.play = nil
	}
}

// playOut plays the prepared audio and hangs up at its end.
func (r *runner) playOut() error {
	r.playing.Store(true)
	wake, cancel := r.e.hub.subscribe(TopicCall(r.c.Key()))
	defer cancel()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	up := make(chan struct{}, 1)
	go func() { done <- r.play.Run(ctx, func() { up <- struct{}{} }) }()
	stopping := r.e.ctx.Done()
	poll := time.NewTicker(r.e.Timing.Poll)
	defer poll.Stop()
	for {
		select {
		case err := <-done:
			return r.played(err)
		case <-up:
			if err := r.write(func(n *Call) { n.MediaUp = r.now() }); err != nil && !errors.Is(err, errChanged) {
				r.log.Warn("cannot record that audio is connected; it plays on", "error", err)
			}
		case <-stopping:
			stopping = nil
			go r.endAtStop(ctx, stop)
		case <-wake:
			_ = r.reread()
		case <-poll.C:
			_ = r.reread()
		}
		if r.c.State != Active || r.c.Owner != r.e.instance {
			stop()
			<-done
			r.closePlayback()
			return nil
		}
	}
}

// endAtStop gives audio a moment to finish when the engine stops.
func (r *runner) endAtStop(ctx context.Context, stop context.CancelFunc) {
	t := time.NewTimer(r.e.Timing.MediaWait / 2)
	defer t.Stop()
	select {
	case <-t.C:
		stop()
	case <-ctx.Done():
	}
}

// played ends a call whose audio is over.
func (r *runner) played(err error) error {
	r.closePlayback()
	why, outcome := "", Answered
	switch {
	case errors.Is(err, ErrNoMedia) && r.c.MediaUp.IsZero():
		why, outcome = err.Error(), Failed
	case errors.Is(err, context.Canceled):
		why = "the router was stopped while it played"
	case err != nil:
		why = err.Error()
	}
	return r.records.hangUp(r, why, outcome)
}
