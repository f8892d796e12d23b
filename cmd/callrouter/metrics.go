package main

import (
	"net/http"
	"time"

	"callrouter/engine"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics implements [engine.Observer] for Prometheus. No label holds anything of a caller.
type metrics struct {
	registry  *prometheus.Registry
	decisions *prometheus.CounterVec
	outcomes  *prometheus.CounterVec
	offers    *prometheus.CounterVec
	errors    *prometheus.CounterVec
	decided   prometheus.Histogram
	acted     *prometheus.HistogramVec
	rules     *prometheus.GaugeVec
	loadedAt  prometheus.Gauge
	reloadOK  prometheus.Gauge
}

func newMetrics() *metrics {
	const ns = "callrouter"
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Name: name, Help: help}, labels)
	}
	buckets := []float64{.1, .25, .5, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30}
	m := &metrics{
		registry:  prometheus.NewRegistry(),
		decisions: counter("decisions_total", "Steps decided, by action, rule and what decided it.", "action", "rule", "by"),
		outcomes:  counter("calls_ended_total", "Calls that ended, by outcome.", "outcome"),
		offers:    counter("offers_total", "Offers to agents, by what became of them.", "queue", "result"),
		errors:    counter("errors_total", "What went wrong or was ignored, by kind.", "kind"),
		decided: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: ns, Name: "decision_seconds",
			Help: "Time from a call's own timestamp to a decision.", Buckets: buckets}),
		acted: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: ns, Name: "action_seconds",
			Help: "Time from a call's own timestamp until Positus took its action.", Buckets: buckets}, []string{"action"}),
		rules: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: ns, Name: "rules_info",
			Help: "1 for the version of the rules that is loaded."}, []string{"version"}),
		loadedAt: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Name: "rules_loaded_timestamp_seconds",
			Help: "When the rules were loaded."}),
		reloadOK: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: ns, Name: "rules_last_reload_successful",
			Help: "0 if the rules file was refused when it was last read."}),
	}
	m.registry.MustRegister(m.decisions, m.outcomes, m.offers, m.errors, m.decided, m.acted, m.rules, m.loadedAt, m.reloadOK,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Decided implements [engine.Observer].
func (m *metrics) Decided(c *engine.Call, since time.Duration) {
	m.decisions.WithLabelValues(string(c.Action), c.Rule, string(c.By)).Inc()
	m.decided.Observe(since.Seconds())
}

// Acted implements [engine.Observer].
func (m *metrics) Acted(c *engine.Call, since time.Duration) {
	m.acted.WithLabelValues(string(c.Action)).Observe(since.Seconds())
}

// Ended implements [engine.Observer].
func (m *metrics) Ended(c *engine.Call) { m.outcomes.WithLabelValues(string(c.Outcome)).Inc() }

// OfferSettled implements [engine.Observer].
func (m *metrics) OfferSettled(queue string, r engine.OfferResult) {
	m.offers.WithLabelValues(queue, string(r)).Inc()
}

// Error implements [engine.Observer].
func (m *metrics) Error(kind string) { m.errors.WithLabelValues(kind).Inc() }

// rulesLoaded notes which version decides now.
func (m *metrics) rulesLoaded(version string, at time.Time) {
	m.rules.Reset()
	m.rules.WithLabelValues(version).Set(1)
	m.loadedAt.Set(float64(at.UnixNano()) / 1e9)
	m.reloadOK.Set(1)
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
