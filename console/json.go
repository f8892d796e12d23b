package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"callrouter/engine"
)

const (
	bodyLimit = 64 << 10 // bytes of a request
	sdpLimit  = 1 << 20  // bytes of a request with an SDP answer in it
)

// apiError is an error as a client reads it: a stable code, and a text that says what to do.
type apiError struct {
	status  int
	code    string
	message string
	more    map[string]any // further fields of the response
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func problem(status int, code, message string) error {
	return &apiError{status: status, code: code, message: message}
}

// invalid is a request that is wrong in itself.
func invalid(code, format string, args ...any) error {
	return problem(http.StatusBadRequest, code, fmt.Sprintf(format, args...))
}

// fail writes an error.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *apiError
	if errors.Is(context.Cause(r.Context()), engine.ErrStopping) || errors.Is(err, engine.ErrStopping) {
		err = stopping()
	}
	if errors.Is(err, engine.ErrDamaged) { // the store has logged it
		err = problem(http.StatusInternalServerError, "damaged_record", "the record of this call is damaged, so it "+
			"cannot be shown; other calls are not affected; restore the store from a copy to have it back")
	}
	if !errors.As(err, &e) {
		e = a.unrecognised(r, err)
	}
	switch e.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="callrouter"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	body := map[string]any{"error": e.code, "message": e.message}
	for k, v := range e.more {
		body[k] = v
	}
	if err := reply(w, e.status, body); err != nil {
		a.Logger.Error("could not write an error response", "route", r.Pattern, "error", err)
	}
}

// unrecognised returns the response to an error that no handler knows. It is the store's, or a fault of this program.
func (a *api) unrecognised(r *http.Request, err error) *apiError {
	_, store := errors.AsType[*engine.StoreError](err)
	left := r.Context().Err() != nil // whoever asked, so nobody reads the response
	if store || left || errors.Is(err, context.DeadlineExceeded) {
		if !left {
			a.Logger.Error("a request failed because the store is unreachable", "route", r.Pattern, "error", err)
		}
		return &apiError{status: http.StatusServiceUnavailable, code: "store_unavailable",
			message: "the store cannot be reached; try again in a moment"}
	}
	a.Logger.Error("a request failed because of a fault in this program; please report it", "route", r.Pattern, "error", err)
	return &apiError{status: http.StatusInternalServerError, code: "internal",
		message: "the router failed on this request; the log of this process says why"}
}

// reply writes v as JSON. An error means that nothing was written; a client that has gone is not an error.
func reply(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return problem(http.StatusInternalServerError, "internal", "cannot encode the response as JSON: "+err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}

// read decodes the JSON object of a request into v. takes names the fields it may have, for messages.
func read(w http.ResponseWriter, r *http.Request, limit int64, v any, takes string) error {
	found, err := readOptional(w, r, limit, v, takes)
	if err == nil && !found {
		return invalid("invalid_json", "the request has no body; send a JSON object with %s", takes)
	}
	return err
}

// readOptional is read for a body that may be missing; found reports whether there was one.
func readOptional(w http.ResponseWriter, r *http.Request, limit int64, v any, takes string) (found bool, err error) {
	if err := checkContentType(r.Header.Get("Content-Type")); err != nil {
		return false, err
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	dec.DisallowUnknownFields()
	err = dec.Decode(v)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = preferTooLarge(more, errors.New("unexpected data after the JSON object"))
		}
	}
	return true, explainJSON(err, limit, takes)
}

// preferTooLarge returns err if it says that the body is too large, and the other error if not.
func preferTooLarge(err, otherwise error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return otherwise
}

func explainJSON(err error, limit int64, takes string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem(http.StatusRequestEntityTooLarge, "too_large",
			fmt.Sprintf("the request is larger than %d KiB", limit>>10))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return problem(http.StatusRequestTimeout, "request_timeout",
			"the request's body did not arrive in time; send the whole request at once")
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		what := "a value"
		if e.Field != "" {
			what = e.Field
		}
		return invalid("invalid_json", "%s has the wrong type (%s); send a JSON object with %s", what, e.Value, takes)
	}
	return invalid("invalid_json", "%s; send a JSON object with %s", strings.TrimPrefix(err.Error(), "json: "), takes)
}

// checkContentType refuses what is plainly not JSON. It accepts the types that curl (a form) and browsers (text) send
// with any body, because the body itself is checked strictly.
func checkContentType(header string) error {
	if header == "" {
		return nil
	}
	kind, _, err := mime.ParseMediaType(header)
	accepted := strings.HasSuffix(kind, "json") || kind == "application/x-www-form-urlencoded" || kind == "text/plain"
	if err == nil && accepted {
		return nil
	}
	return problem(http.StatusUnsupportedMediaType, "unsupported_media_type",
		"send JSON, with the header Content-Type: application/json")
}

// Optional is a field of a request that is left out, null, or a value. The zero value is left out, under `omitzero`.
type Optional[T any] struct {
	Set   bool
	Value *T // nil: null
}

// UnmarshalJSON is called for null as well.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Set = true
	return json.Unmarshal(b, &o.Value)
}

// MarshalJSON writes the value, or null.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.Value) }
