package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/tmaxmax/go-sse"
)

// screen is a stream of events as an agent's browser has it.
type screen struct {
	r      *rig
	events chan sse.Event // closed when the stream ends
	header http.Header
	close  context.CancelFunc
}

// connect opens a stream and reads the status with which it begins.
func (r *rig) connect(token string, query ...string) *screen {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	r.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", r.url+"/api/v1/me/events"+strings.Join(query, ""), nil)
	r.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := r.client.Do(req)
	r.must(err)
	if res.StatusCode != 200 {
		r.Fatalf("the stream of events was answered with %s", res.Status)
	}
	s := &screen{r: r, events: make(chan sse.Event, 100), header: res.Header, close: cancel}
	go func() {
		defer close(s.events)
		defer res.Body.Close()
		for ev, err := range sse.Read(res.Body, nil) {
			if err != nil {
				return
			}
			s.events <- ev
		}
	}()
	return s
}

// next reads the next event, which must be of a kind.
func (s *screen) next(kind string) map[string]any {
	s.r.Helper()
	select {
	case ev, ok := <-s.events:
		if !ok {
			s.r.Fatalf("the stream ended, and %s was expected", kind)
		}
		if ev.Type != kind {
			s.r.Fatalf("the event is %s %s, and %s was expected", ev.Type, ev.Data, kind)
		}
		var data map[string]any
		s.r.must(json.Unmarshal([]byte(ev.Data), &data))
		return data
	case <-time.After(5 * time.Second):
		s.r.Fatalf("no event came, and %s was expected", kind)
	}
	return nil
}

// any reads the next event, of whatever kind.
func (s *screen) any() sse.Event {
	s.r.Helper()
	select {
	case ev, ok := <-s.events:
		if ok {
			return ev
		}
	case <-time.After(5 * time.Second):
	}
	s.r.Fatal("no event came")
	return sse.Event{}
}

func decode(r *rig, data string) (v map[string]any) {
	r.Helper()
	r.must(json.Unmarshal([]byte(data), &v))
	return v
}

// is reads the next event, which must be of a kind and have these fields.
func (s *screen) is(kind string, fields map[string]any) {
	s.r.Helper()
	got := s.next(kind)
	for name, want := range fields {
		if got[name] != want {
			s.r.Fatalf("%s: %s is %v, want %v (%v)", kind, name, got[name], want, got)
		}
	}
}

// ends waits for the end of the stream.
func (s *screen) ends() {
	s.r.Helper()
	select {
	case ev, ok := <-s.events:
		if ok {
			s.r.Fatalf("another event came: %s %s", ev.Type, ev.Data)
		}
	case <-time.After(5 * time.Second):
		s.r.Fatal("the stream did not end")
	}
}

// online opens a stream for an agent and reads its first status.
func (r *rig) online(agent string) (token string, s *screen) {
	r.Helper()
	token = r.token(agent)
	s = r.connect(token)
	s.is("status", map[string]any{"status": "available", "reason": ""})
	return token, s
}

// untilCall reads the changes of a call's state up to one; nothing else may come.
func (s *screen) untilCall(id, state string) {
	s.r.Helper()
	for {
		ev := s.next("call")
		if ev["id"] != id {
			s.r.Fatalf("the event is of another call: %v", ev)
		}
		if ev["state"] == state {
			return
		}
	}
}
