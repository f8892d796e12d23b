package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is, for each package of this module, what it may import of this module. docs/architecture.md has the same.
var mayImport = map[string][]string{
	"rules/phone":              {},
	"rules/hours":              {},
	"rules/internal/source":    {},
	"rules/internal/schema":    {"rules/hours", "rules/internal/source"},
	"rules/internal/condition": {"rules/phone", "rules/hours", "rules/internal/source"},
	"rules": {
		"rules/phone", "rules/hours", "rules/internal/source", "rules/internal/schema", "rules/internal/condition", "media/ogg",
	},
	"rules/internal/rulestest": {}, // tests only
	"rules/week":               {"rules", "rules/hours", "rules/internal/condition"},
	"rules/ruletest":           {"rules", "rules/internal/source", "rules/internal/schema", "rules/internal/condition"},

	"engine":          {"rules"},
	"positus":         {"engine"},
	"positus/fake":    {"positus"},
	"store":           {"engine", "rules"},
	"store/storetest": {"engine", "rules", "store"},
	"media":           {"engine", "media/ogg"},
	"media/ogg":       {},
	"console":         {"console/web", "engine", "rules", "rules/hours"},
	"console/web":     {},
	"console/client":  {"console"},
	"examples/agent":  {"console", "console/client", "media"},
	"cmd/callrouter": {
		"rules", "rules/phone", "rules/hours", "rules/week", "rules/ruletest", "engine", "positus", "positus/fake",
		"store", "media", "media/ogg", "console", "console/client", "console/web", "cmd/callrouter/internal/report", "cmd/callrouter/internal/router",
	},

	"cmd/callrouter/internal/report":  {"rules", "rules/week", "rules/ruletest", "engine", "console"},
	"cmd/callrouter/internal/metrics": {"engine", "positus", "rules"},
	"cmd/callrouter/internal/router": {
		"rules",
		"engine",
		"positus",
		"store",
		"media",
		"console",
		"cmd/callrouter/internal/metrics",
	},
	"cmd/callrouter/internal/loadtest": {
		"engine", "store", "rules", "console", "console/client", "positus/fake", "cmd/callrouter/internal/router",
	},

	"engine/testrun": {}, // tests only
}

// homes are the packages that alone may import a package, or what is below it.
var homes = map[string][]string{
	"github.com/expr-lang/expr":       {"rules/internal/condition"},
	"gopkg.in/yaml.v3":                {"rules/internal/source"},
	"github.com/rickar/cal":           {"rules/hours"},
	"github.com/arran4/golang-ical":   {"rules/hours"},
	"github.com/teambition/rrule-go":  {"rules/hours"},
	"github.com/nyaruka/phonenumbers": {"rules/phone"},
	"github.com/failsafe-go":          {"positus"},
	"github.com/redis":                {"store", "store/storetest", "cmd/callrouter/internal/loadtest"},
	"go.etcd.io/bbolt":                {"store", "cmd/callrouter/internal/loadtest"},
	"github.com/pion":                 {"media", "positus/fake"},
	"github.com/go-co-op/gocron":      {"cmd/callrouter/internal/router"},
	"github.com/tmaxmax/go-sse":       {"console", "console/client"},
	"github.com/alecthomas/kong":      {"cmd/callrouter"},
	"github.com/prometheus":           {"cmd/callrouter/internal/metrics"},
	"github.com/fsnotify":             {"cmd/callrouter/internal/router"},
	"net/http": {
		"positus", "positus/fake", "media", "console", "console/client", "console/web", "cmd/callrouter", "cmd/callrouter/internal/router",
		"cmd/callrouter/internal/metrics", "cmd/callrouter/internal/loadtest",
	},
	"testing":                         {"store/storetest", "engine/testrun"},
	"pgregory.net/rapid":              {"store/storetest"},
	"go.uber.org/goleak":              nil, // tests only
	"github.com/rogpeppe/go-internal": nil,
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = repository
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestImports keeps the table of docs/architecture.md true. Imports are those of the code itself, not of its tests.
func TestImports(t *testing.T) {
	t.Parallel()
	all := packages(t)
	if len(all) < len(mayImport) {
		t.Errorf("go list knows %d packages, the table %d", len(all), len(mayImport))
	}
	for _, p := range all {
		name := strings.TrimPrefix(p.ImportPath, "callrouter/")
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %s is not in the table: say what it may import", name)
		}
		for _, i := range p.Imports {
			if own, ok := strings.CutPrefix(i, "callrouter/"); ok && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s, which it may not", name, own)
			}
			for prefix, home := range homes {
				if (i == prefix || strings.HasPrefix(i, prefix+"/")) && !slices.Contains(home, name) {
					t.Errorf("%s imports %s, whose only home is %v", name, i, home)
				}
			}
		}
	}
}
