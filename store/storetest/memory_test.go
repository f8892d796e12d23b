package storetest_test

import (
	"testing"

	"callrouter/engine"
	"callrouter/store/storetest"
)

func TestMemory(t *testing.T) {
	clock := storetest.ManualClock()
	storetest.Run(t, func(*testing.T) engine.Store { return storetest.NewMemory(clock.Now) }, clock)
}
