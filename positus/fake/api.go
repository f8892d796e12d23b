package fake

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const maxBody = 1 << 20 // bytes

// ServeHTTP is the API: /v2/whatsapp/numbers/{id}/…, with or without the version in front. A reply that a Fault loses
// resets the connection where there is one, and else panics with http.ErrAbortHandler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	s.work.Add(1)
	s.mu.Unlock()
	defer s.work.Done()

	x := &exchange{server: s, r: r, log: Request{Time: s.now()}}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		x.refuse(invalid("the body could not be read: " + err.Error()))
	} else {
		x.log.Body = body
		x.run()
	}
	s.record(x.log)
	x.reply(w)
}

// exchange is one request and the reply to it.
type exchange struct {
	server *Server
	r      *http.Request
	body   requestBody
	log    Request

	fault       Fault
	contentType string
	payload     []byte
}

// requestBody has the fields of every documented body.
type requestBody struct {
	CallID     string `json:"call_id"`
	SDP        string `json:"sdp"`
	To         string `json:"to"`
	Type       string `json:"type"`
	Connection struct {
		WebRTC struct {
			SDP string `json:"sdp"`
		} `json:"webrtc"`
	} `json:"connection"`
	Session struct {
		SDP string `json:"sdp"`
	} `json:"session"`
	Text struct {
		Body string `json:"body"`
	} `json:"text"`
}

// run carries the request out, unless a fault or a refusal prevents it, and prepares the reply.
func (x *exchange) run() {
	s := x.server
	var ref *refusal
	if x.log.Kind, x.log.NumberID, ref = route(x.r); ref != nil {
		x.refuse(ref)
		return
	}
	want := []byte("Bearer " + s.cfg.Token)
	if s.cfg.Token == "" || subtle.ConstantTimeCompare([]byte(x.r.Header.Get("Authorization")), want) != 1 {
		x.refuse(&refusal{http.StatusUnauthorized, 0, "Unauthenticated", "Unauthenticated."})
		return
	}
	jsonErr := x.decode()
	if !x.wait(x.latency()) {
		x.log.Effect, x.log.Reason, x.log.Lost = Spoiled, "the client gave up first", true
		return
	}
	x.fault = x.takeFault()
	if !x.fault.processes() {
		x.log.Effect, x.log.Reason = Spoiled, "a fault was set for it"
		x.spoilReply()
		return
	}
	if jsonErr != nil {
		x.refuse(invalid("not JSON: " + jsonErr.Error()))
	} else if reply, ref := x.apply(); ref != nil {
		x.refuse(ref)
	} else {
		x.log.Effect, x.log.Status = Applied, http.StatusOK
		x.contentType, x.payload = jsonBody(reply)
	}
	if x.fault.Status != 0 || x.fault.LoseReply {
		x.spoilReply()
	}
}

func route(r *http.Request) (Kind, string, *refusal) {
	parts := strings.Split(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), "v2/"), "/")
	kind, numberID := KindOther, ""
	if len(parts) >= 4 && parts[0] == "whatsapp" && parts[1] == "numbers" {
		numberID = parts[2]
		switch rest := strings.Join(parts[3:], "/"); rest {
		case "messages":
			kind = KindMessage
		case "calls/accept", "calls/reject", "calls/hang-up", "calls/make", "calls/call-permissions":
			kind = Kind(parts[4])
		}
	}
	method := http.MethodPost
	if kind == KindPermissions {
		method = http.MethodGet
	}
	switch {
	case kind == KindOther:
		return kind, numberID, notFound("The route " + r.URL.Path + " could not be found.")
	case r.Method != method:
		return kind, numberID, &refusal{http.StatusMethodNotAllowed, 0,
			"Method not allowed", "The " + r.Method + " method is not supported for this route."}
	}
	return kind, numberID, nil
}

func (x *exchange) decode() error {
	if x.log.Kind == KindPermissions {
		return nil
	}
	err := json.Unmarshal(x.log.Body, &x.body)
	x.log.CallID = x.body.CallID
	return err
}

// wait reports whether the client was still there after d.
func (x *exchange) wait(d time.Duration) bool { return x.server.pause(d, x.r.Context().Done()) }

func (x *exchange) latency() time.Duration {
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	return x.server.dials.Latency[x.log.Kind]
}

func (x *exchange) takeFault() Fault {
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	if c := x.server.calls[x.log.CallID]; c != nil {
		if f, ok := c.faults.take(x.log.Kind); ok {
			return f
		}
	}
	f, _ := x.server.faults.take(x.log.Kind)
	return f
}

// apply carries the request out and returns the body of a success.
func (x *exchange) apply() (any, *refusal) {
	s := x.server
	if _, known := s.cfg.Numbers[x.log.NumberID]; !known {
		return nil, notFound("No number with this id.")
	}
	switch x.log.Kind {
	case KindMake:
		return x.applyMake()
	case KindMessage:
		return x.applyMessage()
	case KindPermissions:
		return x.permissions()
	}
	c := s.Find(x.log.CallID)
	if c == nil || c.NumberID != x.log.NumberID {
		return nil, unknownCall()
	}
	var ref *refusal
	switch x.log.Kind {
	case KindAccept:
		if ref = c.accept(x.body.SDP); ref == nil && c.phone.HangUpOnAccept {
			c.HangUp()
			c.awaitPosted(x.r.Context())
		}
	case KindReject:
		ref = c.reject()
	case KindHangUp:
		ref = c.hangUp()
	}
	return map[string]any{"success": true}, ref
}

func (x *exchange) applyMake() (any, *refusal) {
	offer := x.body.Session.SDP
	setDefault(&offer, x.body.Connection.WebRTC.SDP)
	to := strings.TrimPrefix(x.body.To, "+")
	if to == "" || offer == "" {
		return nil, invalid("to and session.sdp are required")
	}
	c, ref := x.server.start(x.log.NumberID, to, offer)
	if ref != nil {
		return nil, ref
	}
	x.log.CallID = c.ID
	return map[string]any{"success": true}, nil
}

func (x *exchange) applyMessage() (any, *refusal) {
	if x.body.To == "" || x.body.Type != "text" || x.body.Text.Body == "" {
		return nil, invalid("to, type text and text.body are required")
	}
	x.server.mu.Lock()
	id := "wamid." + base64.StdEncoding.EncodeToString(randomBytes(x.server.rand, 30))
	x.server.mu.Unlock()
	return map[string]any{
		"messages": []any{map[string]any{"id": id}},
		"message":  "The message was successfully sent",
	}, nil
}

// permissions returns Meta's body about one user, as Positus wraps it (Meta: user call permissions).
func (x *exchange) permissions() (any, *refusal) {
	user := x.r.URL.Query().Get("user_wa_id")
	if user == "" {
		return nil, invalid("user_wa_id is required")
	}
	s := x.server
	s.mu.Lock()
	status := s.dials.Permission
	s.mu.Unlock()
	setDefault(&status, "temporary")
	permission := map[string]any{"status": status}
	if status == "temporary" {
		permission["expiration_time"] = s.now().Add(7 * 24 * time.Hour).Unix()
	}
	limit := func(period string, allowed int) any {
		return map[string]any{"time_period": period, "max_allowed": allowed, "current_usage": 0}
	}
	return map[string]any{
		"number": map[string]any{
			"uuid":       x.log.NumberID,
			"waba_id":    "3243505955080424",
			"user_wa_id": user,
			"to":         s.cfg.Numbers[x.log.NumberID],
		},
		"calling": map[string]any{
			"messaging_product": "whatsapp", "permission": permission,
			"actions": []any{
				map[string]any{
					"action_name":        "send_call_permission_request",
					"can_perform_action": status != "permanent",
					"limits":             []any{limit("PT24H", 1), limit("P7D", 2)},
				},
				map[string]any{
					"action_name":        "start_call",
					"can_perform_action": status != "no_permission",
					"limits":             []any{limit("PT24H", 5)},
				},
			},
		},
	}, nil
}

func (x *exchange) refuse(ref *refusal) {
	x.server.mu.Lock()
	shape := x.server.dials.Errors
	x.server.mu.Unlock()
	x.log.Effect, x.log.Status, x.log.Code = Refused, ref.status, ref.code
	x.log.Reason = fmt.Sprintf("%s: %s", ref.title, ref.details)
	x.contentType, x.payload = ref.body(shape)
}

// spoilReply puts the fault's reply, or none, in place of the true one.
func (x *exchange) spoilReply() {
	f := x.fault
	x.log.Status, x.log.Lost = f.Status, f.Hang || f.LoseReply
	x.contentType, x.payload = "", []byte(f.Body)
	if f.Code != 0 {
		x.server.mu.Lock()
		shape := x.server.dials.Errors
		x.server.mu.Unlock()
		x.contentType, x.payload = (&refusal{f.Status, f.Code, "Error", "A fault was set for this request"}).body(shape)
	}
	if x.log.Lost {
		x.log.Status = 0
	}
}

func (x *exchange) reply(w http.ResponseWriter) {
	if x.fault.Hang {
		select {
		case <-x.r.Context().Done():
		case <-x.server.ctx.Done():
		}
	}
	if !x.wait(x.fault.DelayReply) || x.log.Lost {
		reset(w)
		return
	}
	if x.contentType != "" {
		w.Header().Set("Content-Type", x.contentType)
	}
	if x.fault.RetryAfter != "" {
		w.Header().Set("Retry-After", x.fault.RetryAfter)
	}
	w.WriteHeader(x.log.Status)
	_, _ = w.Write(x.payload) // the client may have gone
}

// reset ends the connection without a reply.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset is wanted, a close will do
	}
	_ = conn.Close()
}

// awaitPosted waits until the call's latest webhook was posted, or ctx ended.
func (c *Call) awaitPosted(ctx context.Context) {
	c.server.mu.Lock()
	last := c.last
	c.server.mu.Unlock()
	if last == nil {
		return
	}
	select {
	case <-last:
	case <-ctx.Done():
	case <-c.server.ctx.Done():
	}
}
