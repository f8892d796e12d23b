package client

import "errors"

var (
	// ErrUnreachable is wrapped if a router cannot be reached, or its response breaks off. The request may have been
	// carried out.
	ErrUnreachable = errors.New("cannot reach a router")
	// ErrNotAPI is wrapped if what responds is not the internal side of a router.
	ErrNotAPI = errors.New("does not look like a callrouter API")
)

// Error is what the router refused a request with.
type Error struct {
	Status  int    // of HTTP
	Code    string // stable, for programs
	Message string // for people
	Body    []byte // the whole response, which is JSON
}

func (e *Error) Error() string { return e.Message }
