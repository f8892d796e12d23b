package store_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"callrouter/engine"
	"callrouter/store"
	"callrouter/store/storetest"
)

// openFile opens an embedded store and closes it when the test ends.
func openFile(t testing.TB, path string, cfg store.Config) engine.Store {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	clock := storetest.ManualClock()
	storetest.Run(t, func(t *testing.T) engine.Store {
		return openFile(t, filepath.Join(t.TempDir(), "callrouter.db"), store.Config{Now: clock.Now})
	}, clock)
}
