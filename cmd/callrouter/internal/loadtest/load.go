package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sdp makes a webhook as large as those of Positus, some 4 KB.
var sdp = string(bytes.Repeat([]byte("a=candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host\\r\\n"), 60))

// webhook is the connect webhook of one call.
func webhook(id string) []byte {
	return fmt.Appendf(
		nil,
		`{"calls":[{"id":%q,"from":"5521977776666","to":"551122361741","event":"connect","timestamp":"%d",`+
			`"session":{"sdp_type":"offer","sdp":"v=0\r\n%s"}}]}`,
		id,
		time.Now().Unix(),
		sdp,
	)
}

// sent is one call under way.
type sent struct {
	due  time.Time
	took atomic.Int64 // ns from due until Positus was asked; 0: not yet
}

// load sends webhooks and takes the time until the sink gets the request of each.
type load struct {
	client *http.Client
	calls  sync.Map // id to *sent
	round  atomic.Int64
}

func newLoad() *load {
	return &load{client: &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
	}}
}

// arrived is called by the sink for each request about a call.
func (l *load) arrived(id string) {
	if c, ok := l.calls.Load(id); ok {
		s := c.(*sent)
		s.took.CompareAndSwap(0, int64(time.Since(s.due)))
	}
}

// result is what came of one run. Latencies are counted from when a call was due.
type result struct {
	calls, lost int // lost: the webhook was refused, or Positus was not asked within the patience
	refused     int
	latencies   []time.Duration // sorted
	use         usage
}

func (r result) quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(q*float64(len(r.latencies))), len(r.latencies)-1)]
}

// patience is how long a run waits for the last requests.
const patience = 5 * time.Second

// run sends rate calls a second to a URL for some time.
func (l *load) run(ctx context.Context, url string, rate int, length time.Duration) (result, error) {
	round := l.round.Add(1)
	n := int(length.Seconds() * float64(rate))
	all := make([]*sent, n)
	var posts sync.WaitGroup
	var refused atomic.Int64
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return result{}, ctx.Err()
			}
		}
		id := fmt.Sprintf("wacid.%d-%d", round, i)
		all[i] = &sent{due: due}
		l.calls.Store(id, all[i])
		posts.Go(func() {
			if !l.post(url, webhook(id)) {
				refused.Add(1)
			}
		})
	}
	posts.Wait()
	giveUp := time.Now().Add(patience)
	for missing(all) > int(refused.Load()) && time.Now().Before(giveUp) {
		<-time.After(20 * time.Millisecond)
	}
	r := result{calls: n, lost: missing(all), refused: int(refused.Load())}
	for _, s := range all {
		if took := s.took.Load(); took > 0 {
			r.latencies = append(r.latencies, time.Duration(took))
		}
	}
	slices.Sort(r.latencies)
	l.calls.Clear()
	return r, nil
}

func missing(all []*sent) int {
	n := 0
	for _, s := range all {
		if s.took.Load() == 0 {
			n++
		}
	}
	return n
}

func (l *load) post(url string, body []byte) bool {
	resp, err := l.client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}
