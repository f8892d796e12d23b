package fake

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Kind is what a request asks for: the last part of its path.
type Kind string

// The kinds of request that Positus documents; KindOther is any other path.
const (
	KindAccept      Kind = "accept"
	KindReject      Kind = "reject"
	KindHangUp      Kind = "hang-up"
	KindMake        Kind = "make"
	KindPermissions Kind = "call-permissions"
	KindMessage     Kind = "messages"
	KindOther       Kind = "other"
)

// Effect is what a request did, whatever its reply said.
type Effect string

// A request was carried out; or refused for a reason; or spoiled by a Fault, and did nothing.
const (
	Applied Effect = "applied"
	Refused Effect = "refused"
	Spoiled Effect = "spoiled"
)

// Request is one request to the API, as the log keeps it.
type Request struct {
	Seq      int       // position in the log, from 0
	Time     time.Time // when it arrived
	Kind     Kind
	CallID   string // of the body, or of the call that make started
	NumberID string // Positus number id of the path
	Body     []byte
	Status   int    // of the reply, 0 when none was sent
	Effect   Effect // the truth
	Reason   string // why it was refused or spoiled
	Code     int    // WhatsApp code of the refusal, 0 if none
	Lost     bool   // the reply was withheld: reset, or never sent
}

// Applied reports whether the request was carried out.
func (r Request) Applied() bool { return r.Effect == Applied }

// Requests returns every request so far, in order of completion.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ActionsFor returns the requests about one call (accept, reject, hang-up, make), whatever came of them.
func (s *Server) ActionsFor(callID string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Request
	for _, r := range s.requests {
		if r.CallID == callID {
			found = append(found, r)
		}
	}
	return found
}

// AppliedTo returns the kinds of the requests that took effect on one call, in order: the verdict in most tests.
func (s *Server) AppliedTo(callID string) []Kind {
	var kinds []Kind
	for _, r := range s.ActionsFor(callID) {
		if r.Applied() {
			kinds = append(kinds, r.Kind)
		}
	}
	return kinds
}

// WaitRequest returns the first request, past or to come, that match accepts. It is logged before its reply is sent.
func (s *Server) WaitRequest(ctx context.Context, match func(Request) bool) (Request, error) {
	return waitIn(ctx, s, &s.requests, &s.requested, "request", match)
}

func (s *Server) record(r Request) {
	s.mu.Lock()
	r.Seq = len(s.requests)
	s.requests = append(s.requests, r)
	s.requested.fire()
	s.mu.Unlock()
	s.log.Info("request", "kind", r.Kind, "call", r.CallID, "status", r.Status, "effect", r.Effect, "code", r.Code,
		"lost", r.Lost)
}

// waitIn looks through a growing list, guarded by s.mu, for the first entry that match accepts.
func waitIn[T any](ctx context.Context, s *Server, list *[]T, grown *signal, what string,
	match func(T) bool) (T, error) {
	var none T
	for seen := 0; ; {
		s.mu.Lock()
		fresh, more := (*list)[seen:], grown.wait()
		s.mu.Unlock()
		for _, entry := range fresh {
			if match(entry) {
				return entry, nil
			}
		}
		seen += len(fresh)
		select {
		case <-more:
		case <-s.ctx.Done():
			return none, fmt.Errorf("fake: server closed with no such %s among %d", what, seen)
		case <-ctx.Done():
			return none, fmt.Errorf("fake: no such %s among %d: %w", what, seen, ctx.Err())
		}
	}
}
