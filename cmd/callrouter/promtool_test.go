package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callrouter/store/storetest"

	"gopkg.in/yaml.v3"
)

// promtool runs Prometheus' own judge of rules and metrics.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.Command(storetest.Need(t, "promtool", "Prometheus' promtool (apt-get install prometheus)"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Prometheus takes the alerts, and each fires at what it is for, and at nothing else.
func TestPrometheusTakesTheAlerts(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(repository, "examples", "monitoring")
	promtool(t, "", "check", "rules", filepath.Join(folder, "alerts.yaml"))
	promtool(t, "", "test", "rules", filepath.Join(folder, "alerts_test.yaml"))
	tested := string(monitoringFile(t, "alerts_test.yaml"))
	for line := range strings.Lines(string(monitoringFile(t, "alerts.yaml"))) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- alert: "); ok &&
			!strings.Contains(tested, `alertname="`+name+`"`) {
			t.Errorf("nothing shows what %s fires at", name)
		}
	}
}

// Prometheus takes every query of the dashboard, here as recording rules.
func TestPrometheusTakesTheDashboard(t *testing.T) {
	t.Parallel()
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(monitoringFile(t, "dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	type rule struct{ Record, Expr string }
	type group struct {
		Name  string
		Rules []rule
	}
	queries := group{Name: "dashboard"}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			queries.Rules = append(
				queries.Rules,
				rule{"a_query", strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")},
			)
		}
	}
	text, err := yaml.Marshal(map[string][]group{"groups": {queries}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", "--lint=none", file)
}

// Prometheus has nothing to say against the names and texts of the metrics.
func TestPrometheusTakesTheMetrics(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	o.metrics("store_up 1")
	var ours []string
	for _, line := range o.scrape() {
		// promtool takes opening hours for a unit of time.
		if strings.Contains(line, "callrouter_") && !strings.Contains(line, "callrouter_hours_open") {
			ours = append(ours, line)
		}
	}
	promtool(t, strings.Join(ours, "\n")+"\n", "check", "metrics")
}
