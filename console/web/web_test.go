package web

import (
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// keys are the names of the texts of a language, in order.
func keys(t *testing.T, language string) []string {
	t.Helper()
	file := string(read()[language+".js"].data)
	var all []string
	for _, m := range regexp.MustCompile(`(?m)(?:^|, )\s*(\w+): '`).FindAllStringSubmatch(file, -1) {
		all = append(all, m[1])
	}
	if len(all) < 100 {
		t.Fatalf("%s has %d texts", language, len(all))
	}
	slices.Sort(all)
	return all
}

// Check 18: both languages have the same texts with the same gaps, each text is used, and no page has texts of its own.
func TestTexts(t *testing.T) {
	t.Parallel()
	pt, en := keys(t, "pt"), keys(t, "en")
	if !slices.Equal(pt, en) {
		t.Errorf("pt and en have other keys:\n%v\n%v", pt, en)
	}
	if n := len(slices.Compact(slices.Clone(pt))); n != len(pt) {
		t.Error("a key is there twice")
	}
	gap := regexp.MustCompile(`\{\w+\}`)
	used := ""
	for name, f := range read() {
		switch {
		case name == "pt.js" || name == "en.js":
		case strings.HasSuffix(name, ".html"):
			used += string(f.data)
			body := regexp.MustCompile(`(?s)<title>.*?</title>`).ReplaceAllString(string(f.data), "")
			for _, m := range regexp.MustCompile(`>([^<]+)<`).FindAllStringSubmatch(body, -1) {
				if text := strings.TrimSpace(m[1]); text != "" && text != "callrouter" {
					t.Errorf("%s has a text of its own: %q", name, text)
				}
			}
		case strings.HasSuffix(name, ".js"):
			used += string(f.data)
		}
	}
	text := func(language, key string) string {
		file := string(read()[language+".js"].data)
		m := regexp.MustCompile(`\b` + key + `: '((?:[^'\\]|\\.)*)'`).FindStringSubmatch(file)
		if m == nil {
			t.Fatalf("%s: no text %s", language, key)
		}
		return m[1]
	}
	for _, key := range pt {
		a, b := gap.FindAllString(text("pt", key), -1), gap.FindAllString(text("en", key), -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s has other gaps in pt (%v) than in en (%v)", key, a, b)
		}
		if !regexp.MustCompile(`['"]` + key + `['"]`).MatchString(used) {
			t.Errorf("the text %s is used nowhere", key)
		}
	}
	for _, m := range regexp.MustCompile(`\bt\('(\w+)'|data-t(?:-\w+)?="(\w+)"`).FindAllStringSubmatch(used, -1) {
		if key := m[1] + m[2]; !slices.Contains(pt, key) {
			t.Errorf("the text %s is used, and not there", key)
		}
	}
}

func TestFilesAreSentSafely(t *testing.T) {
	t.Parallel()
	pages := Pages()
	for _, c := range []struct{ path, kind string }{
		{"/console/", "text/html; charset=utf-8"}, {"/console/agent", "text/html; charset=utf-8"},
		{"/console/sw.js", "text/javascript; charset=utf-8"}, {"/console/assets/app.css", "text/css; charset=utf-8"},
		{"/console/assets/icon.svg", "image/svg+xml"}, {"/console/assets/manifest.webmanifest", "application/manifest+json"},
	} {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		h := w.Header()
		if w.Code != 200 || h.Get("Content-Type") != c.kind || h.Get("Cache-Control") != "no-cache" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") ||
			!strings.Contains(h.Get("Permissions-Policy"), "microphone=(self)") || h.Get("Referrer-Policy") != "no-referrer" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%s: %d %v", c.path, w.Code, h)
		}
		again := httptest.NewRequest("GET", c.path, nil)
		again.Header.Set("If-None-Match", h.Get("ETag"))
		w = httptest.NewRecorder()
		if pages.ServeHTTP(w, again); w.Code != 304 {
			t.Errorf("%s: %d for one that is known", c.path, w.Code)
		}
	}
	for _, p := range []string{"/console/assets/agent.html", "/console/assets/", "/console/assets/../web.go", "/console/nothing"} {
		if _, pattern := pages.Handler(httptest.NewRequest("GET", p, nil)); pattern != "" && !strings.Contains(p, "..") {
			t.Errorf("%s is served by %s", p, pattern)
		}
	}
	for name := range read() {
		if kinds[path.Ext(name)] == "" {
			t.Errorf("%s has no type", name)
		}
	}
}

// Scripts may neither write HTML nor styles as text: the policy would stop them in the browser.
func TestScriptsKeepThePolicy(t *testing.T) {
	t.Parallel()
	for name, f := range read() {
		for _, no := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "cssText", " style=", "onclick=\""} {
			if strings.Contains(string(f.data), no) && path.Ext(name) != ".css" && path.Ext(name) != ".svg" {
				t.Errorf("%s has %s", name, no)
			}
		}
	}
}
