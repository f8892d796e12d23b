package report

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrouter/rules"
	"callrouter/rules/ruletest"
)

// Whatever a test is called and whatever a caller is named, the report is XML, and only the report is left behind.
func TestAJUnitReportIsXMLWhateverIsInIt(t *testing.T) {
	nasty := "a & b <c> \"d\" ]]> \x01 \xff é 🎉\nnext"
	folder := t.TempDir()
	path := filepath.Join(folder, "report.xml")
	r := &Tests{
		Failed: 1,
		Cases: []ruletest.CaseResult{
			{File: nasty, Line: 3, Name: nasty, Call: nasty, Expected: &nasty, Got: &nasty, Why: &nasty},
		},
		Problems: rules.Problems{{File: nasty, Line: 1, Column: 2, Code: "x", Message: nasty, Source: nasty}},
	}
	if err := r.WriteJUnit(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var read junitReport
	if err := xml.Unmarshal(data, &read); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	want := strings.NewReplacer("\x01", "\ufffd", "\xff", "\ufffd").Replace(nasty) // XML has no way to write these
	if c := read.Suites[0].Cases[1]; c.Name != want || c.Failure.Message != "expected "+want+", got "+want ||
		!strings.HasSuffix(c.Failure.Text, want) {
		t.Errorf("%+v %+v", c, c.Failure)
	}
	if read.Tests != 2 || read.Failures != 1 || read.Errors != 1 {
		t.Errorf("%+v", read)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}
