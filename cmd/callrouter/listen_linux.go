package main

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// peerTimeout is how long a connection may leave what was sent to it unacknowledged. An agent is present as long as the
// stream of events is connected, and without a limit TCP takes a peer whose network is gone for a slow one, for a quarter of
// an hour (tcp(7), TCP_USER_TIMEOUT).
const peerTimeout = 10 * time.Second

// listen listens for connections that end when the other side is gone without a word.
func listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var set error
		err := conn.Control(func(fd uintptr) {
			set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(peerTimeout.Milliseconds()))
		})
		return errors.Join(err, set)
	}}
	return config.Listen(ctx, "tcp", address)
}
