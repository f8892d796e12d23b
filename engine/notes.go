package engine

import (
	"context"
	"time"
)

// AudioState is what an agent's page says about the audio of a call.
type AudioState struct {
	State     string    `json:"state"` // connected or lost
	At        time.Time `json:"at"`
	ClickToMS int       `json:"click_to_audio_ms,omitempty"` // from the agent's click to the first audio
	RTTMS     int       `json:"rtt_ms,omitempty"`            // round trip
	JitterMS  int       `json:"jitter_ms,omitempty"`
	Loss      float64   `json:"loss,omitempty"` // share of the caller's packets that were lost, 0 to 1
}

// SetAudio notes what an agent's page says about the audio of an own call.
//
// Errors: ErrNotFound, or the store's.
func (e *Engine) SetAudio(ctx context.Context, agent, callID string, a AudioState) error {
	if _, err := e.own(ctx, agent, callID); err != nil {
		return err
	}
	_, err := e.modify(ctx, Key(callID), func(c *Call) error {
		a.At = e.Now()
		if c.Audio != nil && a.ClickToMS == 0 { // said when it connected
			a.ClickToMS = c.Audio.ClickToMS
		}
		c.Audio = &a
		return nil
	})
	return err
}

// noteTime is how long after a call its agent may write about it.
const noteTime = 24 * time.Hour

// SetNote keeps what an agent writes about an own call, up to a day after its end.
//
// Errors: ErrNotFound, ErrEnded once that day is over, or the store's.
func (e *Engine) SetNote(ctx context.Context, agent, callID, note, disposition string) (*Call, error) {
	if _, err := e.own(ctx, agent, callID); err != nil {
		return nil, err
	}
	return e.modify(ctx, Key(callID), func(c *Call) error {
		if !c.EndedAt.IsZero() && e.Now().Sub(c.EndedAt) > noteTime {
			return ErrEnded
		}
		c.Note, c.Disposition = note, disposition
		return nil
	})
}
