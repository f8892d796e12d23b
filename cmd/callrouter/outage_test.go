package main

import (
	"bufio"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/positus/fake"
	"callrouter/store/storetest"
)

// outageRules have rules that need no store, one that reads it, and an on_error that is seen nowhere else.
const outageRules = `version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: ` + numberID + `}
lists:
  partners: {store: true}
answers:
  bot: {url: "ANSWERER", timeout: 2s}
limits: {answer_within: 25s, max_call: 1h}
rules:
  - {name: refused, when: payload == "reject", then: reject}
  - {name: robot, when: payload == "bot", then: {accept: bot}}
  - {name: partners, when: payload == "store" && listed("partners"), then: {accept: bot}}
  - {name: others, when: payload == "store" && !listed("partners"), then: {accept: bot}}
default: reject
on_error: reject
`

// answeredWithin is the two seconds in which a webhook is answered, and half a second for a machine that is shared.
const answeredWithin = 2500 * time.Millisecond

// outage is what happens to one router's Redis.
type outage struct {
	trouble storetest.Trouble
	begin   func(*storetest.Redis)
	end     func(*testing.T, *storetest.Redis)
	partial bool // some requests get through, so nothing is said of what is decided without the store
	writes  bool // what is read is right; only writes fail
}

// outages is every way in which a Redis can fail one router.
func outages() map[string]outage {
	return map[string]outage{
		"refused":    {trouble: storetest.Trouble{Refuse: true}},
		"black hole": {trouble: storetest.Trouble{Hole: true}},
		"no replies": {trouble: storetest.Trouble{NoReplies: true}},
		"slow":       {trouble: storetest.Trouble{Delay: 2 * time.Second}},
		"jitter":     {trouble: storetest.Trouble{Jitter: 400 * time.Millisecond}, partial: true},
		"half cut":   {trouble: storetest.Trouble{Cut: 0.5}, partial: true},
		"trickle":    {trouble: storetest.Trouble{Trickle: time.Second}},
		"killed": {
			begin: (*storetest.Redis).Kill,
			end: func(t *testing.T, r *storetest.Redis) {
				if err := r.Start(); err != nil {
					t.Fatal(err)
				}
			},
		},
		"replica": {
			begin:  func(r *storetest.Redis) { r.Do("REPLICAOF", "127.0.0.1", "1") },
			end:    func(_ *testing.T, r *storetest.Redis) { r.Do("REPLICAOF", "NO", "ONE") },
			writes: true,
		},
		"master down": {
			begin: func(r *storetest.Redis) {
				r.Do("CONFIG", "SET", "replica-serve-stale-data", "no")
				r.Do("REPLICAOF", "127.0.0.1", "1")
			},
			end: func(_ *testing.T, r *storetest.Redis) { r.Do("REPLICAOF", "NO", "ONE") },
		},
		"out of memory": {
			begin:  func(r *storetest.Redis) { r.Do("CONFIG", "SET", "maxmemory", "1kb") },
			end:    func(_ *testing.T, r *storetest.Redis) { r.Do("CONFIG", "SET", "maxmemory", "0") },
			writes: true,
		},
		"asleep": {
			begin: func(r *storetest.Redis) { r.Do("CLIENT", "PAUSE", 6000, "ALL") },
		},
	}
}

// Whatever happens to Redis, and with either policy: each webhook is answered in time, calls get what the policy says,
// records tell the truth afterwards, and the router heals by itself and keeps nothing.
func TestStoreOutage(t *testing.T) {
	testrun.OnlyFull(t, "twelve outages with two policies take minutes")
	for _, policy := range []engine.StoreDown{engine.DecideInMemory, engine.Refuse} {
		for _, name := range slices.Sorted(maps.Keys(outages())) {
			t.Run(string(policy)+"/"+name, func(t *testing.T) {
				t.Parallel()
				outages()[name].test(t, policy)
			})
		}
	}
}

// outageRun is one outage as it went.
type outageRun struct {
	outage
	*world
	policy       engine.StoreDown
	mu           sync.Mutex
	placed       map[string]time.Time
	began, ended time.Time
}

func (o outage) test(t *testing.T, policy engine.StoreDown) {
	redis := storetest.NewRedis(t)
	redis.OpenGate()
	proxy := storetest.NewProxy(t, redis.Addr, nil)
	w := start(t, plan{
		store: strings.Replace(redis.URL, redis.Addr, proxy.Addr, 1), rules: outageRules,
		env: map[string]string{"CALLROUTER_STORE_DOWN": string(policy)},
		fake: func(c *fake.Config) { // connections that stay open would count as goroutines of the router
			c.WebhookClient = &http.Client{
				Timeout:   20 * time.Second,
				Transport: &http.Transport{DisableKeepAlives: true},
			}
		},
		dials: fake.Dials{Delivery: fake.DeliveryDials{Retries: 100, RetryEvery: 600 * time.Millisecond}},
	})
	run := &outageRun{outage: o, world: w, policy: policy, placed: map[string]time.Time{}}
	var load sync.WaitGroup
	load.Go(func() { run.load(12 * time.Second) })
	wait(2 * time.Second)
	before := w.gauge("go_goroutines")
	run.began = time.Now()
	if o.begin != nil {
		o.begin(redis)
	}
	proxy.Set(o.trouble)
	wait(6 * time.Second)
	proxy.Set(storetest.Trouble{})
	if o.end != nil {
		o.end(t, redis)
	}
	run.ended = time.Now()
	load.Wait()
	run.judge()
	var after float64 // connections to Positus stay for a minute; whatever is kept of each call or webhook is more
	if !soon(10*time.Second, func() bool { after = w.gauge("go_goroutines"); return after < before+100 }) {
		t.Errorf("goroutines: %v before the outage, %v after it", before, after)
	}
}

// load places twenty calls a second.
func (r *outageRun) load(d time.Duration) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	ways := []string{"reject", "bot", "store"}
	for i, end := 0, time.Now().Add(d); time.Now().Before(end); i++ {
		p := phone(ways[i%len(ways)])
		p.TalkFor = 300 * time.Millisecond
		at := time.Now()
		c, err := r.fake.Call(p)
		if err != nil {
			r.t.Errorf("placing a call: %v", err)
			return
		}
		r.mu.Lock()
		r.placed[c.ID] = at
		r.mu.Unlock()
		<-tick.C
	}
}

func (r *outageRun) judge() {
	r.t.Helper()
	live := func(c *fake.Call) bool { return c.State() != fake.Ended }
	if !soon(30*time.Second, func() bool { return !slices.ContainsFunc(r.fake.Calls(), live) }) {
		for _, c := range r.fake.Calls() {
			if live(c) {
				rec, _ := r.record(c.ID)
				r.t.Errorf(
					"call %s is %s; record %s %s, %v; %s; %s\n%s",
					engine.Key(c.ID),
					c.State(),
					rec.State,
					rec.Outcome,
					rec.path(),
					requests(r.fake.ActionsFor(c.ID)),
					r.webhooks(c.ID),
					r.loggedOf(c.ID),
				)
			}
		}
	}
	var meanwhile, onError, late int
	healed := time.Duration(-1)
	for _, c := range r.fake.Calls() {
		rec := r.recorded(c.ID, 15*time.Second, func(rec record) bool { return rec.State == engine.Ended })
		r.judgeRecord(c, rec)
		decided, at := decidedAt(c), r.placed[c.ID]
		switch {
		case at.Before(r.began):
		case at.Before(r.ended):
			if !decided.IsZero() && decided.Before(r.ended) {
				meanwhile++
			}
			if rec.By == "on_error" {
				onError++
			}
		case rec.By == "rule" && rec.Rule == "others" && healed < 0:
			healed = at.Sub(r.ended)
		}
		if rec.Outcome == engine.TimedOut {
			late++
		}
	}
	answered := r.answers()
	r.t.Logf(
		"%s/%s: %d calls; in the outage of %s: %d decided meanwhile, %d by on_error; webhooks: %d, of them 503 %d, median %s, slowest %s; too late %d; as the rules say again %s after its end",
		r.policy,
		path.Base(r.t.Name()),
		len(r.placed),
		r.ended.Sub(r.began).Round(time.Millisecond),
		meanwhile,
		onError,
		answered.n,
		answered.refused,
		answered.median.Round(
			time.Millisecond,
		),
		answered.slowest.Round(time.Millisecond),
		late,
		healed.Round(time.Millisecond),
	)
	if answered.slowest > answeredWithin {
		r.t.Errorf("a webhook was answered after %s", answered.slowest)
	}
	if late > 0 {
		r.t.Errorf("%d calls got no action in time", late)
	}
	if healed < 0 || healed > 5*time.Second {
		r.t.Errorf("calls are decided as the rules say %s after the end of the outage (negative: never)", healed)
	}
	switch {
	case r.partial:
	case r.policy == engine.Refuse && (answered.refused == 0 || meanwhile > 10): // those whose webhooks came just before
		r.t.Errorf("%d webhooks refused, %d calls decided meanwhile", answered.refused, meanwhile)
	case r.policy == engine.DecideInMemory && (answered.refused > 0 || meanwhile < 60):
		r.t.Errorf("%d webhooks refused, %d calls decided meanwhile", answered.refused, meanwhile)
	case r.policy == engine.DecideInMemory && onError == 0:
		r.t.Error("no call took on_error, though the store could not be asked")
	}
}

// judgeRecord compares a record with what happened to the call.
func (r *outageRun) judgeRecord(c *fake.Call, rec record) {
	r.t.Helper()
	was, _ := endedAs(c)
	want := map[fake.State]engine.Outcome{fake.Accepted: engine.Answered, fake.Rejected: engine.Rejected}[was]
	if n := len(r.fake.AppliedTo(c.ID)); want == "" || rec.Outcome != want || n == 0 {
		r.t.Errorf(
			"call %s: Positus saw %s, record %s (%s); %s",
			engine.Key(c.ID),
			was,
			rec.Outcome,
			rec.Why,
			requests(r.fake.ActionsFor(c.ID)),
		)
	}
}

// webhookAnswers is what became of all webhooks.
type webhookAnswers struct {
	n, refused      int
	median, slowest time.Duration
}

func (w *world) answers() webhookAnswers {
	w.t.Helper()
	var a webhookAnswers
	var took []time.Duration
	for _, d := range w.fake.Deliveries() {
		a.n++
		took = append(took, d.Latency)
		switch {
		case d.Status == http.StatusServiceUnavailable:
			a.refused++
		case !d.Delivered():
			w.t.Errorf("a webhook got %d %s after %s", d.Status, d.Err, d.Latency)
		}
	}
	if slices.Sort(took); a.n > 0 {
		a.median, a.slowest = took[a.n/2], took[a.n-1]
	}
	return a
}

// gauge reads a metric, by its name and labels.
func (w *world) gauge(name string) float64 {
	w.t.Helper()
	status, body := w.ask(http.MethodGet, "/metrics", "", nil)
	if status != http.StatusOK {
		w.t.Fatalf("/metrics: %d", status)
	}
	for s := bufio.NewScanner(strings.NewReader(string(body))); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil {
				w.t.Fatal(err)
			}
			return n
		}
	}
	w.t.Fatalf("there is no metric %s", name)
	return 0
}
