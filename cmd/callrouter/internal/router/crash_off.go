//go:build !crashpoints

package router

import (
	"net/http"

	"callrouter/engine"
)

// crashPoints does nothing in a normal build; see crash_on.go for the build with the tag crashpoints.
type crashPoints struct{}

func newCrashPoints() *crashPoints { return nil }

func (*crashPoints) store(s engine.Store) engine.Store { return s }

func (*crashPoints) provider(p engine.Provider) engine.Provider { return p }

func (*crashPoints) reload(take func()) { take() }

func (*crashPoints) webhooks(h http.Handler) http.Handler { return h }
