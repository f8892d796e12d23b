package report

import (
	"testing"

	"callrouter/rules"
)

// What is worth knowing fails no check, also with --strict.
func TestInformationIsNotCounted(t *testing.T) {
	problems := rules.Problems{{Severity: rules.Info}, {Severity: rules.Warning}, {Severity: rules.Error}}
	if errors, warnings := CountProblems(problems); errors != 1 || warnings != 1 {
		t.Errorf("%d errors, %d warnings, want one of each", errors, warnings)
	}
}
