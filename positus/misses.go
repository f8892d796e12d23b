package positus

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"

	"callrouter/engine"
)

// missesAlarm is how many requests in a row must not be found before [Client.NotFound] reports it. One alone may be an
// odd response to a call that just ended.
const missesAlarm = 2

// misses counts for each number the latest requests in a row whose address Positus did not know.
type misses struct {
	mu       sync.Mutex
	byNumber map[string]int
}

// note counts the result of a request about a call. Whatever else Positus responded shows that it knows the number.
func (m *misses) note(numberID string, err error) {
	var pe *engine.ProviderError
	known := err == nil
	if errors.As(err, &pe) {
		known = pe.Status != 0 && pe.Status < http.StatusInternalServerError && pe.Status != http.StatusNotFound
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case known:
		delete(m.byNumber, numberID)
	case pe != nil && pe.Kind == engine.NotFound:
		if m.byNumber == nil {
			m.byNumber = map[string]int{}
		}
		m.byNumber[numberID]++
	}
}

// NotFound returns the ids of numbers that Positus does not find: it answered 404 to several accepts and rejects in a
// row. Their positus_id, or the URL of the API, is wrong.
func (c *Client) NotFound() []string {
	c.missed.mu.Lock()
	defer c.missed.mu.Unlock()
	missing := maps.Clone(c.missed.byNumber)
	maps.DeleteFunc(missing, func(_ string, n int) bool { return n < missesAlarm })
	return slices.Sorted(maps.Keys(missing))
}
