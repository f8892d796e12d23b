// Package web has the pages of the console as they are sent to browsers: plain modules and one style sheet, built into
// the program. There is no build step. The pages are the only users of what [Pages] serves.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assets embed.FS

// policy lets pages load only what this program sends, and turns text into HTML nowhere. The one Trusted Types policy
// is for the address of the service worker.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"media-src 'self' blob:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types callrouter"

const permissions = "microphone=(self), autoplay=(self), screen-wake-lock=(self), speaker-selection=(self), camera=(), " +
	"geolocation=()"

// file is one file as it is sent.
type file struct {
	data []byte
	etag string
	kind string
}

// Pages serves what is below /console. All files are in memory.
func Pages() *http.ServeMux {
	files := read()
	mux := http.NewServeMux()
	for pattern, name := range map[string]string{
		"GET /console/{$}": "signin.html", "GET /console/agent": "agent.html", "GET /console/sw.js": "sw.js",
	} {
		mux.Handle(pattern, files[name])
	}
	for name, f := range files {
		if path.Ext(name) != ".html" {
			mux.Handle("GET /console/assets/"+name, f)
		}
	}
	mux.Handle("GET /console", http.RedirectHandler("/console/", http.StatusSeeOther))
	return mux
}

// kinds are the types of files by the end of the name; a test checks that each file has one.
var kinds = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8",
	".svg": "image/svg+xml", ".webmanifest": "application/manifest+json",
}

// read reads the files that were built in. That cannot fail: they are part of the program.
func read() map[string]*file {
	entries, err := assets.ReadDir("assets")
	if err != nil {
		panic(err)
	}
	files := map[string]*file{}
	for _, e := range entries {
		data, err := assets.ReadFile(path.Join("assets", e.Name()))
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		files[e.Name()] = &file{data: data, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, kind: kinds[path.Ext(e.Name())]}
	}
	return files
}

func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache") // asked for again each time, and sent only if it has changed
	Secure(h)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
}

// Secure sets the headers that keep a page to what this program sends.
func Secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", permissions)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
}
