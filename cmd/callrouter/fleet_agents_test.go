package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"callrouter/console"

	"github.com/tmaxmax/go-sse"
)

// Answers are numbered, and the number says whose they are, so that the SDP that Positus took tells who talks.
const (
	answersPerAgent = 1_000_000
	nobodysAnswer   = 900 * answersPerAgent // of the outside answerer
)

var answerNumber = regexp.MustCompile(`(?m)^o=- 77(\d+)`)

// whoAnswers is the agent whose SDP a call was accepted with; false if it was no agent's.
func whoAnswers(sdp string) (int, bool) {
	m := answerNumber.FindStringSubmatch(sdp)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	i := n/answersPerAgent - 1
	return i, err == nil && i < agentsN
}

// fleetAgent works at whichever router is there.
type fleetAgent struct {
	f     *fleet
	i     int
	mu    sync.Mutex
	token string
	given int64
	rnd   *mathrand.Rand
	here  chan struct{}
	once  sync.Once
}

// crew lets the agents come to work, and the slots be watched.
func (f *fleet) crew() {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f.t.Cleanup(func() { cancel(); f.work.Wait() })
	var all []*fleetAgent
	for i := range agentsN {
		a := &fleetAgent{
			f:    f,
			i:    i,
			rnd:  mathrand.New(mathrand.NewPCG(f.seed, uint64(100+i))),
			here: make(chan struct{}),
		}
		all = append(all, a)
		f.work.Go(func() { a.work(ctx) })
	}
	f.work.Go(func() { f.slots.watch(ctx, f) })
	for _, a := range all {
		select {
		case <-a.here:
		case <-time.After(15 * time.Second):
			f.t.Fatalf("agent %d cannot connect\n%s", a.i, excerpt(&f.logs))
		}
	}
}

// draw is a random number from 0 to n-1.
func (a *fleetAgent) draw(n int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rnd.IntN(n)
}

// work keeps a stream of events open at one router, and goes to the next when that one is gone.
func (a *fleetAgent) work(ctx context.Context) {
	for at := a.i; ctx.Err() == nil; at++ {
		status := a.listen(ctx, a.f.members[at%instances].run.Load().internal)
		if status == http.StatusUnauthorized || a.current() == "" {
			a.renew(ctx)
			at-- // it was not the router's fault
		}
		a.pause(ctx, 50*time.Millisecond)
	}
}

func (a *fleetAgent) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (a *fleetAgent) current() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token
}

// renew gets a token, as after a loss of the store.
func (a *fleetAgent) renew(ctx context.Context) {
	status, body := a.post(ctx, http.MethodPost, "/api/v1/agents/"+agentName(a.i)+"/token", a.f.admin, nil, 1)
	var reply struct{ Token string }
	if status != http.StatusOK || json.Unmarshal(body, &reply) != nil {
		return
	}
	a.f.renewedTokens.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = reply.Token
}

// listen reads one stream of events to its end. One that is silent for long is given up, as its comments come every 5
// s.
func (a *fleetAgent) listen(ctx context.Context, host string) (status int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(8*time.Second, cancel)
	defer silence.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/api/v1/me/events", nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+a.current())
	stream := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := stream.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode
	}
	heard := readerFunc(func(b []byte) (int, error) {
		n, err := resp.Body.Read(b)
		silence.Reset(8 * time.Second)
		return n, err
	})
	for ev, err := range sse.Read(heard, &sse.ReadConfig{MaxEventSize: 1 << 20}) {
		if err != nil {
			return resp.StatusCode
		}
		a.event(context.WithoutCancel(ctx), ev)
	}
	return resp.StatusCode
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func (a *fleetAgent) event(ctx context.Context, ev sse.Event) {
	event, err := console.ParseEvent(ev.Type, ev.Data)
	if err != nil {
		return
	}
	switch e := event.(type) {
	case console.OfferEvent:
		a.f.work.Go(func() { a.offered(ctx, e) })
	case console.StatusEvent:
		if e.Status != console.StatusAway {
			a.once.Do(func() { close(a.here) })
			return
		}
		a.f.asides.Add(1) // after offers that it let ring out
		a.f.work.Go(func() {
			a.pause(ctx, 300*time.Millisecond)
			a.post(ctx, http.MethodPut, "/api/v1/me", a.current(), console.StatusRequest{Status: console.StatusAvailable}, 10)
		})
	}
}

// offered answers, declines or misses an offer.
func (a *fleetAgent) offered(ctx context.Context, e console.OfferEvent) {
	a.f.offers.Add(1)
	if a.f.silent.Load() {
		return
	}
	does := a.draw(100)
	if e.Queue != "race" || a.draw(3) == 0 { // where all ring, most answer in the same moment
		a.pause(ctx, time.Duration(a.draw(400))*time.Millisecond)
	}
	path := "/api/v1/offers/" + url.PathEscape(e.Offer)
	switch {
	case does < 8:
		a.f.missed.Add(1)
	case does < 14: // just as it ends
		a.pause(ctx, time.Until(e.RingsUntil.Add(time.Duration(a.draw(40)-20)*time.Millisecond)))
		a.answer(ctx, path, e)
	case does < 24:
		a.f.declines.Add(1)
		a.post(ctx, http.MethodPost, path+"/decline", a.current(), nil, 3)
	default:
		if does < 32 { // as the caller gives up
			a.f.work.Go(func() { a.f.fake.Find(e.Call.ID).HangUp() })
		}
		a.answer(ctx, path, e)
	}
}

// answer answers an offer, and talks if it has the call.
func (a *fleetAgent) answer(ctx context.Context, path string, e console.OfferEvent) {
	a.mu.Lock()
	a.given++
	sdp := anotherAnswer(e.SDP, int64(a.i+1)*answersPerAgent+a.given)
	a.mu.Unlock()
	status, body := a.post(ctx, http.MethodPost, path+"/answer", a.current(), map[string]string{"sdp": sdp}, 6)
	switch {
	case status == http.StatusOK:
		a.f.answers.Add(1)
		a.f.callsMu.Lock()
		a.f.told[e.Call.ID] = append(a.f.told[e.Call.ID], a.i)
		a.f.callsMu.Unlock()
		a.talks(ctx, e.Call.ID)
	case status == http.StatusConflict && errorCode(body) == "taken":
		a.f.taken409.Add(1)
	case status == http.StatusConflict:
		a.f.other409.Add(1)
	}
}

// talks for a while; then the caller or the agent hangs up.
func (a *fleetAgent) talks(ctx context.Context, call string) {
	least, most := a.f.talk[0], a.f.talk[1]
	a.pause(ctx, least+time.Duration(a.draw(int((most-least)/time.Millisecond)))*time.Millisecond)
	if a.draw(2) == 0 {
		a.f.fake.Find(call).HangUp()
		return
	}
	a.post(ctx, http.MethodPost, "/api/v1/calls/"+url.PathEscape(call)+"/hang-up", a.current(), nil, 3)
}

// post asks any router, and another one where there was no answer.
func (a *fleetAgent) post(ctx context.Context, method, path, token string, body any, tries int) (int, []byte) {
	first := a.draw(instances)
	status, reply := 0, []byte(nil)
	for i := range tries {
		in := ""
		if body != nil {
			doc, err := json.Marshal(body)
			if err != nil {
				panic(fmt.Sprint("a body that is no JSON: ", err))
			}
			in = string(doc)
		}
		host := a.f.members[(first+i)%instances].run.Load().internal
		req, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, strings.NewReader(in))
		if err != nil {
			return 0, nil
		}
		req.Header.Set("Authorization", "Bearer "+token)
		if status, reply = a.exchange(req); status != 0 && status < 500 {
			return status, reply
		}
		a.pause(ctx, 100*time.Millisecond)
	}
	return status, reply
}

func (a *fleetAgent) exchange(req *http.Request) (int, []byte) {
	resp, err := a.f.client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, reply
}

// errorCode is the code in the body of an error.
func errorCode(body []byte) string {
	var e struct{ Error string }
	_ = json.Unmarshal(body, &e) // anything else has no code
	return e.Error
}
