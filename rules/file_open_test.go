package rules

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestHoursAreOpenByPlanOrSwitch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	err := os.WriteFile(path, []byte(`version: 1
timezone: America/Sao_Paulo
numbers: {main: {phone: "+55 11 2236-1741", positus_id: 5dbbbf01-2f92-4389-b512-45de86c4a66f}}
hours: {office: {weekly: {mon-fri: 09:00-18:00}}}
rules: [{name: closed, when: not open("office"), then: reject}]
default: reject
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f, problems := Load(path)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, f.Location())
	night := time.Date(2026, 11, 24, 22, 0, 0, 0, f.Location())
	switched := func(open bool) *Runtime {
		return &Runtime{Switches: map[string]Switch{"office": {Open: open, Until: noon.Add(time.Hour)}}}
	}
	for _, c := range []struct {
		hours       string
		at          time.Time
		rt          *Runtime
		open, known bool
	}{
		{"office", noon, nil, true, true},
		{"office", night, nil, false, true},
		{"office", noon, switched(false), false, true},
		{"office", night, switched(true), false, true}, // the switch has ended by then
		{"office", noon, &Runtime{}, true, true},
		{"offise", noon, nil, false, false},
	} {
		if open, known := f.Open(c.hours, c.at, c.rt); open != c.open || known != c.known {
			t.Errorf("%s at %s with %v: open %v, known %v", c.hours, c.at, c.rt, open, known)
		}
	}
}
