// Package metrics is what a router shows Prometheus: counters and histograms that its parts feed, gauges that are read
// from the store now and then.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"callrouter/engine"
	"callrouter/positus"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// Metrics is what /metrics shows. Names and labels are a contract for dashboards: they are added to, not changed.
// Labels hold words of this program and names of the rules file, and nothing of a caller.
//
// It implements [engine.Observer].
type Metrics struct {
	registry *prometheus.Registry

	decisions *prometheus.CounterVec
	outcomes  *prometheus.CounterVec
	offers    *prometheus.CounterVec
	errors    *prometheus.CounterVec
	webhooks  *prometheus.CounterVec
	lost      *prometheus.CounterVec
	received  prometheus.Counter

	decided  prometheus.Histogram
	acted    *prometheus.HistogramVec
	answered prometheus.Histogram // webhooks
	store    *prometheus.HistogramVec
	positus  *prometheus.HistogramVec

	rules    *prometheus.GaugeVec
	loadedAt prometheus.Gauge
	reloadOK prometheus.Gauge
	gauges   gauges
}

// The buckets, in seconds. A call lives by the answer window, the store by milliseconds, Positus by attempts of 2 s.
var (
	callBuckets    = []float64{.1, .25, .5, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30}
	storeBuckets   = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}
	requestBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2, 4, 8, 16}
)

// ErrorKinds returns the kinds of error that are there from the start, at 0: Prometheus sees no increase from nothing.
func ErrorKinds() []string {
	return []string{
		"clock", "damaged_record", "duplicate_differs", "evaluation", "facts", "gate", "hang_up", "job_panic", "message", "not_found", "overrides", "panic",
		"platform_alarm", "positus", "presence", "rules_refused", "store", "store_lost", "too_many_calls", "unauthorized",
		"unknown_event", "unknown_number", "versions",
		positus.ReasonNotJSON, positus.ReasonNotTaken, positus.ReasonSecret, positus.ReasonSlow, positus.ReasonSource,
		positus.ReasonTooLarge,
	}
}

// New makes the metrics of one router, with a registry of their own.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	f := factory{m.registry}
	m.makeCounters(f)
	m.makeHistograms(f)
	m.rules = f.gauges("rules_info", "1 for the version of the rules that is in force.", "version")
	m.loadedAt = f.gauge("rules_loaded_timestamp_seconds", "When the rules in force were loaded, as Unix time.")
	m.reloadOK = f.gauge(
		"rules_last_reload_successful",
		"0 if the rules file was refused when it was last read, so that an older one is in force.",
	)
	m.gauges = newGauges(f)

	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.begin()
	return m
}

func (m *Metrics) makeCounters(f factory) {
	m.decisions = f.counters(
		"decisions_total",
		"Decisions about calls, by action (accept, reject, handoff), rule, and what decided (by: rule, default, "+
			"on_error; rule is empty but for rule). A call that is passed on from one rule to the next counts for "+
			"each.",
		"action",
		"rule",
		"by",
	)
	m.outcomes = f.counters("calls_ended_total",
		"Calls that ended, by their one outcome: answered, rejected, abandoned, timed_out, failed, reaped.", "outcome")
	m.received = f.counter(
		"calls_received_total",
		"Calls that rang and were stored. Those that come while the store is away are not in it, but are in "+
			"decisions and outcomes.",
	)
	m.offers = f.counters(
		"offers_total",
		"Offers of a call to an agent, by queue and result: answered, declined, missed, taken (by another "+
			"agent), unreachable (the agent's connection was gone), ended (the caller left).",
		"queue",
		"result",
	)
	m.errors = f.counters(
		"errors_total",
		"What went wrong or was ignored, by kind. platform_alarm: WhatsApp reported an error that belongs to no "+
			"call, such as 131044. gate: nobody was rung for some seconds, since the store may have lost what it "+
			"knew. clock: this machine's clock and the store's differ. unauthorized: Positus does not take the "+
			"token. not_found: Positus does not know the number or the URL (HTTP 404), so positus_id or "+
			"--positus-url is wrong. damaged_record: a stored record makes no sense; lists leave it out.",
		"kind",
	)
	m.webhooks = f.counters("webhooks_total", "Webhooks that were answered, by HTTP status.", "status")
	m.lost = f.counters(
		"slots_lost_total",
		"Agents' slots whose lease ended by itself, by kind (ringing, active), since nobody was left to give "+
			"them back in time. Wrap-up always ends so and is not in it.",
		"kind",
	)
}

func (m *Metrics) makeHistograms(f factory) {
	m.decided = f.histogram(
		"decision_seconds",
		"Time from a call's own timestamp to each decision about it.",
		callBuckets,
	)
	m.acted = f.histograms(
		"action_seconds",
		"Time from a call's own timestamp until Positus took its action, by action.",
		callBuckets,
		"action",
	)
	m.answered = f.histogram(
		"webhook_seconds",
		"Time to answer a webhook, the storing of its event included.",
		storeBuckets,
	)
	m.store = f.histograms(
		"store_seconds",
		"Time of store operations, by operation and result: ok, refused (there is none, it is there already, it "+
			"has changed, no slot is free), canceled (nobody waited for it), error (the store could not be reached).",
		storeBuckets,
		"operation",
		"result",
	)
	m.positus = f.histograms(
		"positus_seconds",
		"Time of requests to Positus with all their repeats, by operation (accept, reject, hang_up, send_text) "+
			"and result: ok, refused, gone, not_found, in_progress, unauthorized, unavailable.",
		requestBuckets,
		"operation",
		"result",
	)
}

// begin shows counters that may stay at 0 for long, so that Prometheus sees their first increase.
func (m *Metrics) begin() {
	for _, kind := range ErrorKinds() {
		m.errors.WithLabelValues(kind)
	}
	for _, o := range []engine.Outcome{engine.Answered, engine.Rejected, engine.Abandoned, engine.TimedOut, engine.Failed, engine.Reaped} {
		m.outcomes.WithLabelValues(string(o))
	}
	for _, kind := range []engine.HoldKind{engine.HoldRinging, engine.HoldActive} {
		m.lost.WithLabelValues(string(kind))
	}
	for _, operation := range []string{"accept", "reject", "hang_up", "send_text"} {
		m.positus.WithLabelValues(operation, string(engine.Unauthorized))
	}
	m.webhooks.WithLabelValues(strconv.Itoa(http.StatusOK))
}

// Decided implements [engine.Observer].
func (m *Metrics) Decided(c *engine.Call, since time.Duration) {
	m.decisions.WithLabelValues(string(c.Action), c.Rule, string(c.By)).Inc()
	m.decided.Observe(since.Seconds())
}

// Acted implements [engine.Observer].
func (m *Metrics) Acted(c *engine.Call, since time.Duration) {
	m.acted.WithLabelValues(string(c.Action)).Observe(since.Seconds())
}

// Ended implements [engine.Observer].
func (m *Metrics) Ended(c *engine.Call) { m.outcomes.WithLabelValues(string(c.Outcome)).Inc() }

// Error implements [engine.Observer].
func (m *Metrics) Error(kind string) { m.errors.WithLabelValues(kind).Inc() }

// RulesLoaded notes that a version of the rules is in force since an instant.
func (m *Metrics) RulesLoaded(version string, at time.Time) {
	m.rules.Reset()
	m.rules.WithLabelValues(version).Set(1)
	m.loadedAt.Set(float64(at.UnixNano()) / 1e9)
	m.reloadOK.Set(1)
}

// RulesConfirmed notes that the file was read again and is the version in force.
func (m *Metrics) RulesConfirmed() { m.reloadOK.Set(1) }

// RulesRefused notes that the file is refused, so that an older version stays in force.
func (m *Metrics) RulesRefused() { m.reloadOK.Set(0) }

// Handler serves the metrics in the format of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Gather returns all metrics as they are now, as [prometheus.Gatherer] does.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) { return m.registry.Gather() }

// Describe sends the description of every metric, as [prometheus.Collector] does.
func (m *Metrics) Describe(all chan<- *prometheus.Desc) { m.registry.Describe(all) }

// factory makes metrics of this program and registers them.
type factory struct{ registry prometheus.Registerer }

const namespace = "callrouter"

func registered[T prometheus.Collector](f factory, c T) T {
	f.registry.MustRegister(c)
	return c
}

func (f factory) counter(name, help string) prometheus.Counter {
	return registered(f, prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}))
}

func (f factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return registered(
		f,
		prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels),
	)
}

func (f factory) gauge(name, help string) prometheus.Gauge {
	return registered(f, prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}))
}

func (f factory) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return registered(
		f,
		prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels),
	)
}

func (f factory) histogram(name, help string, buckets []float64) prometheus.Histogram {
	return registered(
		f,
		prometheus.NewHistogram(
			prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets},
		),
	)
}

func (f factory) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return registered(f, prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels))
}
