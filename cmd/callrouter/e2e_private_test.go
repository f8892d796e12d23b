package main

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
)

// keep notes what must be in no log and no metric.
func (w *world) keep(values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.private = append(w.private, values...)
}

// seeMetrics keeps what /metrics says now, for the check at the end.
func (w *world) seeMetrics() string {
	status, body, err := w.try(http.MethodGet, "/metrics", "", nil)
	if err != nil || status != http.StatusOK {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.metrics = append(w.metrics, string(body))
	return string(body)
}

// sdpSecrets are the lines of an SDP that nobody may read: keys, names, addresses.
var sdpSecrets = regexp.MustCompile(`a=(?:ice-pwd|fingerprint|ice-ufrag|candidate):([^\r\n]+)`)

// secrets are all the private values of a world.
func (w *world) secrets() []string {
	w.mu.Lock()
	values := append([]string{"Canária"}, w.private...)
	w.mu.Unlock()
	for _, c := range w.fake.Calls() {
		values = append(values, c.ID)
		if id, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.ID, "wacid.")); err == nil {
			values = append(values, string(id))
		}
		for _, sdp := range []string{c.Offer, c.Answer()} {
			for _, m := range sdpSecrets.FindAllStringSubmatch(sdp, -1) {
				values = append(values, m[1])
			}
		}
	}
	return values
}

// numbers are phone numbers of callers, in any form that begins with their area code.
var numbers = regexp.MustCompile(`119[876]\d{7}|11 ?9[876]\d{3}-\d{4}`)

// hashes are what logs call calls (24) and rules files (16) by: with thousands of them, one has digits like those of a
// number.
var hashes = regexp.MustCompile(`\b(?:[0-9a-f]{16}|[0-9a-f]{24})\b`)

// fractions are times in seconds: 0.011979999999 has a number's digits, and is none.
var fractions = regexp.MustCompile(`\d\.\d+`)

// leaks are the private values that a text has in it.
func leaks(text string, private []string) []string {
	text = hashes.ReplaceAllString(text, "HASH")
	found := numbers.FindAllString(fractions.ReplaceAllString(text, "FRACTION"), -1)
	for _, v := range private {
		if len(v) >= 4 && strings.Contains(text, v) {
			found = append(found, v)
		}
	}
	return found
}

// checkPrivate fails the test if anything private was logged or shown as a metric, or if the race detector has spoken.
func (w *world) checkPrivate() {
	if w.proc() != nil {
		w.seeMetrics()
		w.proc().kill()
	}
	private := w.secrets()
	text := w.logs.String()
	for _, line := range strings.Split(text, "\n") {
		if found := leaks(line, private); len(found) > 0 {
			w.t.Errorf("a log line has %q in it: %s", found, line)
		}
	}
	for _, m := range w.metrics {
		if found := leaks(m, private); len(found) > 0 {
			w.t.Errorf("/metrics has %q in it", found)
		}
	}
	for _, word := range []string{"DATA RACE", "panic:", "goroutine 1 ["} {
		if strings.Contains(text, word) {
			w.t.Errorf("the router says %q:\n%s", word, text)
		}
	}
	if w.t.Failed() {
		w.t.Logf("the router's log:\n%s", excerpt(&w.logs))
	}
}
