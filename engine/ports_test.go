package engine_test

import (
	"testing"

	"callrouter/engine"
)

// An error whose message comes from a record has all of the earlier error in it, and must not say things twice.
func TestProviderErrorSaysThingsOnce(t *testing.T) {
	first := &engine.ProviderError{
		Kind:    engine.Refused,
		Status:  400,
		Code:    100,
		Message: "accept: the SDP is not valid",
	}
	const want = "positus: refused (HTTP 400, code 100): accept: the SDP is not valid"
	again := &engine.ProviderError{Kind: engine.Refused, Message: first.Error()}
	for _, err := range []error{first, again} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}
