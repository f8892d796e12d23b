//go:build !linux

package router

import (
	"context"
	"net"
)

// listen listens. How soon the end of a connection is noticed whose other side is gone without a word is up to the
// system.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", address)
}
