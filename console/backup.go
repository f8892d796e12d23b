package console

import (
	"net/http"
	"strconv"
	"time"
)

// backupPause is how long a client may take for one part of a backup. While it is written, the store's file grows with
// each write, so a client that reads nothing must not keep it open.
const backupPause = 10 * time.Second

// backup writes a copy of the store's file. If it ends early, the client sees fewer bytes than Content-Length says.
func (a *api) backup(w http.ResponseWriter, r *http.Request, _ identity) error {
	if a.Backup == nil {
		return problem(http.StatusConflict, "no_file",
			"the store of this router is Redis, not a file; back up Redis itself: its RDB or append-only file")
	}
	out := &patient{w: w, control: http.NewResponseController(w)}
	err := a.Backup(r.Context(), out, func(bytes int64) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(bytes, 10))
	})
	if err != nil && out.began {
		a.Logger.Warn("a backup of the store was not finished; the client can try again", "error", err)
		return nil
	}
	return err
}

// patient gives a client time for each part, however long the whole takes.
type patient struct {
	w       http.ResponseWriter
	control *http.ResponseController
	began   bool
}

// Write is part of [io.Writer].
func (p *patient) Write(b []byte) (int, error) {
	p.began = true
	_ = p.control.SetWriteDeadline(time.Now().Add(backupPause)) // a writer without deadlines has none to extend
	return p.w.Write(b)
}
