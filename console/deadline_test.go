package console

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"callrouter/engine"
)

// TestARequestWithoutItsBodyEnds: a connection that announces a body and does not send it is closed, with or without a
// credential. Only the body has a deadline: a stream, and an answer that waits for Positus, outlive it.
func TestARequestWithoutItsBodyEnds(t *testing.T) {
	r := newRig(t)
	ana, screen := r.online("ana")
	for _, tc := range []struct {
		token, path string
		status      int
	}{
		{"nonsense", "/api/v1/offers/x/answer", http.StatusUnauthorized},
		{ana, "/api/v1/offers/x/answer", http.StatusRequestTimeout},
		{ana, "/api/v1/calls/x/hang-up", http.StatusRequestTimeout},
		{ana, "/api/v1/offers/x/decline", http.StatusNotFound},
		{"", "/api/v1/answerers/x/y/hang-up", http.StatusNotFound},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		r.must(err)
		defer conn.Close()
		r.must(conn.SetDeadline(time.Now().Add(10 * time.Second)))
		_, err = fmt.Fprintf(
			conn,
			"POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 9\r\n\r\n",
			tc.path,
			tc.token,
		)
		r.must(err)
		in := bufio.NewReader(conn)
		res, err := http.ReadResponse(in, nil)
		r.must(err)
		_, err = io.Copy(io.Discard, in)
		if err != nil || res.StatusCode != tc.status {
			t.Errorf("%s: %s, want %d and then the end of the connection: %v", tc.path, res.Status, tc.status, err)
		}
	}
	r.positus.delay("accept", time.Second) // the rig's read deadline is shorter
	r.call("c", caller)
	offer := screen.next("offer")["offer"].(string)
	r.want(200, "", ana, "POST", "/api/v1/offers/"+offer+"/answer", sdp(answerSDP))
	screen.untilCall("c", string(engine.Active))
}
