package engine_test

import (
	"testing"

	"callrouter/engine"
)

// TestOneWriteThenTheAction: a call whose rules need no fact is stored with its decision, so there is one write before
// Positus is asked, and a reject needs no more than two in all. What needs the store, or somebody outside, is stored
// as received.
func TestOneWriteThenTheAction(t *testing.T) {
	const text = header + `
rules:
  - {name: free, when: 'payload == "free" and free("sales") == 0', then: reject}
  - {name: bot, when: 'payload == "bot"', then: {accept: bot}}
  - {name: greet, when: 'payload == "greet"', then: {accept: greeting}}
  - {name: text, when: 'payload == "text"', then: {reject: {message: sorry}}}
default: reject
`
	for payload, want := range map[string]struct {
		action        string
		before, total int64
		outcome       engine.Outcome
	}{
		"":      {"reject", 1, 2, engine.Rejected},
		"text":  {"reject", 1, 3, engine.Rejected}, // and what became of the message
		"greet": {"accept", 1, 5, engine.Answered}, // active, audio connected, hang-up wanted, ended
		"free":  {"reject", 2, 3, engine.Rejected}, // received first: a fact is asked for
		"bot":   {"accept", 2, 3, ""},
	} {
		t.Run(payload, func(t *testing.T) {
			inWorld(t, text, func(w *world) {
				var before int64
				w.platform.spoil(want.action, func() error { before = w.store.writes.Load(); return nil })
				w.platform.ring("call")
				w.must(w.e.Receive(w.t.Context(), []engine.Event{{Connect: &engine.Connect{
					CallID: "call", From: caller, To: "551122361741", Payload: payload, SDP: "offer",
				}}}))
				if want.outcome == engine.Answered {
					pass(w.media.length * 2)
				}
				if c := w.call("call"); c.Outcome != want.outcome {
					t.Errorf("it is %s %s (%s), want outcome %q", c.State, c.Outcome, c.Why, want.outcome)
				}
				if before != want.before || w.store.writes.Load() != want.total {
					t.Errorf(
						"%d writes before the %s, %d in all; want %d and %d",
						before,
						want.action,
						w.store.writes.Load(),
						want.before,
						want.total,
					)
				}
			})
		})
	}
}

// TestSameWebhookAgain is for a call that is stored with the audio it is accepted with: of two webhooks, the
// second leaves nothing behind, and Positus is asked once.
func TestSameWebhookAgain(t *testing.T) {
	inWorld(t, header+"default: {accept: greeting}\n", func(w *world) {
		w.connect("call", caller)
		w.connect("call", caller)
		pass(w.media.length * 2)
		w.want("call", engine.Ended, engine.Answered, "accept", "hang-up")
	})
}
