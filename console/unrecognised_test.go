package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"callrouter/engine"
)

// TestOnlyTheStoresErrorsAreTheStores: an error that nobody expected is not shown as an outage of the store, and its text
// stays in the log.
func TestOnlyTheStoresErrorsAreTheStores(t *testing.T) {
	r := newEngine(t)
	defer r.close()
	for _, tc := range []struct {
		err    error
		status int
		code   string
	}{
		{errors.New("CANARY"), http.StatusInternalServerError, "internal"},
		{fmt.Errorf("reading: %w", &engine.StoreError{Err: errors.New("CANARY")}), http.StatusServiceUnavailable, "store_unavailable"},
		{fmt.Errorf("answering: %w", engine.ErrStopping), http.StatusServiceUnavailable, "stopping"},
	} {
		w := httptest.NewRecorder()
		r.api.fail(w, httptest.NewRequest(http.MethodGet, "/", nil), tc.err)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.code) || strings.Contains(w.Body.String(), "CANARY") {
			t.Errorf("%v: %d %s, want %d %s", tc.err, w.Code, w.Body, tc.status, tc.code)
		}
	}
	if !strings.Contains(r.log.String(), "CANARY") {
		t.Error("the log does not have the error")
	}
}
