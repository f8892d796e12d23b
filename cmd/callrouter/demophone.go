package main

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"callrouter/console/web"
	"callrouter/media/ogg"
	"callrouter/positus/fake"
	phones "callrouter/rules/phone"
)

// The page of the simulated caller.
//
//go:embed phone
var phoneFiles embed.FS

// phoneDesk lets a browser be the phone of a caller. The browser speaks WebRTC with the simulated phone, which has a
// second connection, of WhatsApp's kind, with whoever answers.
type phoneDesk struct {
	demo  *demo
	ctx   context.Context // of the demo: calls outlive the request that placed them
	voice [][]byte        // what a caller without a microphone says
}

func phonePages(mux *http.ServeMux, p *phoneDesk) {
	for path, file := range map[string]string{"/phone": "phone/phone.html", "/phone/phone.js": "phone/phone.js"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			web.Secure(w.Header())
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, phoneFiles, file)
		})
	}
	mux.Handle("GET /console/assets/", web.Pages())
	mux.HandleFunc("POST /phone/calls", p.call)
	mux.HandleFunc("GET /phone/calls/{id}/events", p.events)
	mux.HandleFunc("POST /phone/calls/{id}/hang-up", func(w http.ResponseWriter, r *http.Request) {
		if c := p.find(w, r); c != nil {
			c.HangUp()
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("POST /phone/calls/{id}/keys", p.keys)
}

// phoneRefused writes an error as the API of the router does.
func phoneRefused(w http.ResponseWriter, status int, code string, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "message": err.Error()})
}

func (p *phoneDesk) call(w http.ResponseWriter, r *http.Request) {
	var body struct{ From, Name, Number, SDP, Source string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&body); err != nil {
		phoneRefused(w, http.StatusBadRequest, "invalid_json", err)
		return
	}
	number, err := phones.Normalize(body.From)
	if err != nil {
		phoneRefused(w, http.StatusBadRequest, "invalid_number", err)
		return
	}
	c, answer, err := p.place(fake.Phone{Number: number[1:], Name: body.Name, Media: true}, number, body.SDP)
	if err != nil {
		phoneRefused(w, http.StatusUnprocessableEntity, "unusable_sdp", err)
		return
	}
	if body.Source != "mic" {
		go p.speak(c)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"call": c.ID, "sdp": answer})
}

// place places a call, and prints its line once it is decided.
func (p *phoneDesk) place(phone fake.Phone, number, sdp string) (*fake.Call, string, error) {
	start := time.Now()
	c, err := p.demo.fake.Call(phone)
	if err != nil {
		return nil, "", err
	}
	answer, err := c.Handset(sdp)
	if err != nil {
		c.HangUp()
		return nil, "", err
	}
	go p.demo.follow(p.ctx, "a call from the phone page, "+shown(number), c, start)
	return c, answer, nil
}

// follow prints the line of a call once it is decided.
func (d *demo) follow(ctx context.Context, what string, call *fake.Call, start time.Time) {
	c, err := d.decided(ctx, call.ID)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.placed++
	line := demoLine{Call: d.placed, What: what}
	if err != nil {
		line.Error = err.Error()
	} else {
		line.Action, line.By = happened(c)
		line.TookMS = d.took(call.ID, c, start).Milliseconds()
	}
	d.tell(line)
}

// speak says the greeting again and again, for a caller who has no microphone.
func (p *phoneDesk) speak(c *fake.Call) {
	if c.WaitConnected(p.ctx) != nil {
		return
	}
	frame := time.NewTicker(20 * time.Millisecond)
	defer frame.Stop()
	for i := 0; ; i++ {
		select {
		case <-frame.C:
		case <-p.ctx.Done():
			return
		}
		if c.SendAudio(p.voice[i%len(p.voice)]) != nil {
			return
		}
	}
}

// find returns the call that a path names.
func (p *phoneDesk) find(w http.ResponseWriter, r *http.Request) *fake.Call {
	c := p.demo.fake.Find(r.PathValue("id"))
	if c == nil {
		phoneRefused(w, http.StatusNotFound, "unknown_call", errors.New("no such call"))
	}
	return c
}

// events tells the page how far its call has come.
func (p *phoneDesk) events(w http.ResponseWriter, r *http.Request) {
	c := p.find(w, r)
	if c == nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	tell := func(kind string, data any) {
		doc, _ := json.Marshal(data) // it cannot fail for what is sent here
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, doc)
		_ = http.NewResponseController(w).Flush()
	}
	tell("state", map[string]string{"state": "calling"})
	if c.Wait(r.Context(), fake.Accepted) == nil {
		tell("state", map[string]string{"state": "in-call"})
	}
	if c.Wait(r.Context(), fake.Ended) != nil {
		return
	}
	end, _ := c.End()
	tell("end", map[string]any{"by": end.By, "code": end.Code})
}

func (p *phoneDesk) keys(w http.ResponseWriter, r *http.Request) {
	c := p.find(w, r)
	if c == nil {
		return
	}
	var body struct{ Keys string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&body)
	if err == nil {
		err = c.SendDTMF(r.Context(), body.Keys)
	}
	if err != nil {
		phoneRefused(w, http.StatusBadRequest, "invalid_keys", err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// opusPackets reads the packets of an Ogg Opus file, each of 20 ms in the demo's.
func opusPackets(path string) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pages := ogg.NewReader(bufio.NewReader(f))
	var packets [][]byte
	var open []byte
	for {
		page, err := pages.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		ended, rest := page.Split()
		for _, p := range ended {
			packets = append(packets, append(open, p...))
			open = nil
		}
		open = append(open, rest...)
	}
	const heads = 2 // what kind of stream it is, and its tags
	if len(packets) <= heads {
		return nil, errNoGreeting
	}
	return packets[heads:], nil
}
