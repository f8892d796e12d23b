package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"callrouter/cmd/callrouter/internal/metrics"
	"callrouter/engine"
	"callrouter/positus/fake"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"gopkg.in/yaml.v3"
)

// scrape reads /metrics as lines.
func (o *operated) scrape() []string {
	o.Helper()
	resp, err := http.Get(o.server() + "/metrics")
	o.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	o.must(err)
	return strings.Split(string(body), "\n")
}

// metrics waits until /metrics has all these lines. What a job reads is read now and then, so the jobs are told to.
func (o *operated) metrics(lines ...string) {
	o.Helper()
	o.must(o.router.RunJob("gauges"))
	o.must(o.router.RunJob("overdue"))
	var missing, all []string
	holds := func() bool {
		missing, all = nil, o.scrape()
		for _, line := range lines {
			if !slices.Contains(all, "callrouter_"+line) {
				missing = append(missing, line)
			}
		}
		return len(missing) == 0
	}
	if !soon(5*time.Second, holds) {
		o.Fatalf("/metrics lacks\n%s\nand has\n%s", strings.Join(missing, "\n"), strings.Join(all, "\n"))
	}
}

func TestMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	o.metrics(
		`store_up 1`,
		`agents{status="offline"} 2`,
		`agents{status="available"} 0`,
		`hours_open{hours="office"} 1`,
		`errors_total{kind="platform_alarm"} 0`,
		`calls_ended_total{outcome="reaped"} 0`,
		`slots_lost_total{kind="active"} 0`,
		`rules_last_reload_successful 1`,
		`calls_past_max_call 0`,
		`journal_calls 0`,
	)
	o.sits("bruno", true)
	o.ok([]string{"lists", "add", "vip", operatedVIP})
	o.metrics(
		`agents{status="offline"} 1`,
		`agents{status="available"} 1`,
		`slots{state="free"} 1`,
		`queue_slots_free{queue="sales"} 1`,
	)

	_, vip := o.call(fake.Phone{Number: operatedVIP}, engine.Active)
	o.call(fake.Phone{Number: operatedOther}, engine.Ended)
	waits, _ := o.call(fake.Phone{Number: operatedVIP}, engine.Waiting)
	o.metrics(
		`calls_received_total 3`,
		`calls_live 2`,
		`slots{state="active"} 1`,
		`slots{state="free"} 0`,
		`queue_agents_available{queue="sales"} 1`,
		`queue_slots_free{queue="sales"} 0`,
		`queue_calls_waiting{queue="sales"} 1`,
	)
	waits.HangUp()
	o.reaches(waits, engine.Ended)
	o.ok([]string{"calls", "hang-up", vip})
	o.metrics(
		`calls_live 0`,
		`slots{state="free"} 1`,
		`decisions_total{action="handoff",by="rule",rule="vip"} 2`,
		`decisions_total{action="reject",by="default",rule=""} 1`,
		`decision_seconds_count 3`,
		`action_seconds_count{action="handoff"} 1`,
		`action_seconds_count{action="reject"} 1`,
		`calls_ended_total{outcome="answered"} 1`,
		`calls_ended_total{outcome="rejected"} 1`,
		`calls_ended_total{outcome="abandoned"} 1`,
		`offers_total{queue="sales",result="answered"} 1`,
		`positus_seconds_count{operation="accept",result="ok"} 1`,
		`positus_seconds_count{operation="reject",result="ok"} 1`,
		`positus_seconds_count{operation="hang_up",result="ok"} 1`,
		`store_seconds_count{operation="insert",result="ok"} 3`,
	)

	_, err := o.fake.PostError(t.Context(), numberID, 131044)
	o.must(err)
	o.fake.SetWebhookURL("http://" + o.router.PublicAddr() + "/webhooks/positus/not-the-secret-it-is")
	_, err = o.fake.Post(t.Context(), []byte(`{}`))
	o.must(err)
	o.must(os.WriteFile(o.rules, []byte("version: 2\n"), 0o600))
	o.exits(exitFound, []string{"rules", "reload"})
	o.metrics(
		`errors_total{kind="platform_alarm"} 1`,
		`platform_alarm{code="131044"} 1`,
		`errors_total{kind="secret"} 1`,
		`webhooks_total{status="404"} 1`,
		`rules_last_reload_successful 0`,
		`errors_total{kind="rules_refused"} 1`,
	)
	for _, line := range o.scrape() {
		labels := line[:strings.LastIndex(line, " ")+1]
		if found := numbers.FindString(labels); found != "" || strings.Contains(labels, "wacid") {
			t.Errorf("/metrics tells of a caller: %s", line)
		}
	}
}

// goneStore is a store that cannot be reached.
type goneStore struct{ engine.Store }

func (goneStore) Snapshot(context.Context, engine.Query) (engine.Snapshot, error) {
	return engine.Snapshot{}, errors.New("connection refused")
}

func TestGaugesAreNotShownWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	m := metrics.New()
	names := func() []string {
		families, err := m.Gather()
		o.must(err)
		var all []string
		for _, f := range families {
			all = append(all, f.GetName())
		}
		return all
	}
	o.must(m.Refresh(t.Context(), o.router.Engine(), o.router.Store()))
	o.must(m.RefreshOverdue(t.Context(), o.router.Engine(), o.router.Store()))
	stored := []string{
		"callrouter_agents", "callrouter_slots", "callrouter_queue_agents_available", "callrouter_queue_slots_free",
		"callrouter_queue_calls_waiting", "callrouter_hours_open", "callrouter_calls_live", "callrouter_calls_past_max_call",
	}
	for _, name := range stored {
		if !slices.Contains(names(), name) {
			t.Errorf("%s is not shown", name)
		}
	}
	o.must(m.Refresh(t.Context(), o.router.Engine(), goneStore{o.router.Store()}))
	if up := gauge(t, m, "callrouter_store_up"); up != 0 {
		t.Errorf("store_up is %v", up)
	}
	for _, name := range stored {
		if slices.Contains(names(), name) {
			t.Errorf("%s is shown, and nobody knows it", name)
		}
	}
}

func TestACallPastMaxCallIsSeen(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	now := time.Now()
	for id, since := range map[string]time.Duration{"long": 2 * time.Hour, "short": time.Minute} {
		_, err := o.router.Store().Insert(t.Context(), &engine.Call{
			ID: id, State: engine.Active, ReceivedAt: now.Add(-since), ActiveAt: now.Add(-since), MaxCall: time.Hour, Due: now.Add(time.Hour), Deadline: now,
		})
		o.must(err)
	}
	m := metrics.New()
	o.must(m.RefreshOverdue(t.Context(), o.router.Engine(), o.router.Store()))
	if n := gauge(t, m, "callrouter_calls_past_max_call"); n != 1 {
		t.Errorf("%v calls are past max_call, want 1", n)
	}
}

// gauge is the value of a gauge without labels.
func gauge(t *testing.T, m *metrics.Metrics, name string) float64 {
	t.Helper()
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == name })
	if at < 0 {
		t.Fatalf("no metric %s", name)
	}
	return families[at].GetMetric()[0].GetGauge().GetValue()
}

// metricLabels are the names of all metrics with their labels. A histogram has its series too.
func metricLabels(t *testing.T) map[string][]string {
	t.Helper()
	desc := regexp.MustCompile(`fqName: "(callrouter_\w+)".*variableLabels: \{([\w,]*)\}`)
	descs := make(chan *prometheus.Desc)
	go func() { metrics.New().Describe(descs); close(descs) }()
	all := map[string][]string{}
	for d := range descs {
		found := desc.FindStringSubmatch(d.String())
		if found == nil {
			continue // Go's own
		}
		labels := strings.Split(found[2], ",")
		all[found[1]] = labels
		if strings.HasSuffix(found[1], "_seconds") && found[1] != "callrouter_rules_loaded_timestamp_seconds" {
			all[found[1]+"_bucket"], all[found[1]+"_count"], all[found[1]+"_sum"] = append(
				slices.Clone(labels),
				"le",
			), labels, labels
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d metrics were found", len(all))
	}
	return all
}

// checkQuery fails if a query names a metric, a label or a kind of error that there is not. It answers its metrics.
func checkQuery(t *testing.T, where, query string) []string {
	t.Helper()
	known := metricLabels(t)
	var names []string
	if strings.Count(query, "(") != strings.Count(query, ")") || strings.Count(query, `"`)%2 != 0 {
		t.Errorf("%s: brackets or quotes do not match: %s", where, query)
	}
	matcher := regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"([^"]*)"`)
	for _, m := range regexp.MustCompile(`(callrouter_\w+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(query, -1) {
		labels, ok := known[m[1]]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, m[1])
			continue
		}
		names = append(names, m[1])
		for _, match := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(labels, match[1]) {
				t.Errorf("%s: %s has no label %s", where, m[1], match[1])
			}
			if match[1] == "kind" && m[1] == "callrouter_errors_total" {
				for _, kind := range strings.Split(match[2], "|") {
					if !slices.Contains(metrics.ErrorKinds(), kind) {
						t.Errorf("%s: there are no errors of the kind %q", where, kind)
					}
				}
			}
		}
	}
	for _, by := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(query, -1) {
		for _, label := range strings.Split(by[1], ",") {
			if label = strings.TrimSpace(label); !slices.ContainsFunc(
				names,
				func(n string) bool { return slices.Contains(known[n], label) },
			) {
				t.Errorf("%s: no metric of the query has the label %s", where, label)
			}
		}
	}
	return names
}

func monitoringFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "examples", "monitoring", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAlertsNameWhatThereIs(t *testing.T) {
	t.Parallel()
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	dec := yaml.NewDecoder(strings.NewReader(string(monitoringFile(t, "alerts.yaml"))))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range file.Groups[0].Rules {
		if seen[r.Alert] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" ||
			r.Annotations["description"] == "" {
			t.Errorf("%s is there twice, or lacks something", r.Alert)
		}
		seen[r.Alert] = true
		if len(checkQuery(t, r.Alert, r.Expr)) == 0 && r.Alert != "CallrouterDown" {
			t.Errorf("%s is about nothing of ours", r.Alert)
		}
	}
	for _, alert := range []string{
		"CallrouterNoDecisions", "CallrouterErrors", "CallrouterSlowToAct", "CallrouterStoreUnreachable", "CallrouterRulesRefused",
		"CallrouterPositusRefuses", "CallrouterNoAgents", "CallrouterPlatformAlarm", "CallrouterCallPastMaxCall",
	} {
		if !seen[alert] {
			t.Errorf("there is no alert %s", alert)
		}
	}
}

func TestDashboardNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	var file struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(monitoringFile(t, "dashboard.json"), &file); err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, p := range file.Panels {
		if (len(p.Targets) == 0) != (p.Type == "row") {
			t.Errorf("the panel %q has %d queries", p.Title, len(p.Targets))
		}
		for _, target := range p.Targets {
			for _, name := range checkQuery(t, p.Title, target.Expr) {
				shown[strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")] = true
			}
		}
	}
	for name := range metricLabels(t) {
		base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
		if !shown[base] && base != "callrouter_platform_alarm" { // its errors are shown
			t.Errorf("%s is not on the dashboard", base)
		}
	}
}
