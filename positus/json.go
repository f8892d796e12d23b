package positus

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object from outside. Its methods return the zero value for whatever is missing or of another type.
type object map[string]any

// decodeObject reads a body that must be one JSON object and nothing else. Numbers keep their digits. The error is
// [errNoObject] if the body is JSON of another kind.
func decodeObject(body []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the JSON object")
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errNoObject
	}
	return o, nil
}

var errNoObject = errors.New("not a JSON object")

// encode writes JSON as it is sent: "<" and "&" of an SDP stay as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (o object) has(key string) bool {
	v, ok := o[key]
	return ok && v != nil
}

func (o object) object(key string) object {
	m, _ := o[key].(map[string]any)
	return m
}

// objects returns a list of objects. An object without a list counts as a list of one, and an element that is no object
// as an empty one.
func (o object) objects(key string) []object {
	switch v := o[key].(type) {
	case map[string]any:
		return []object{v}
	case []any:
		list := make([]object, 0, len(v))
		for _, e := range v {
			m, _ := e.(map[string]any)
			list = append(list, m)
		}
		return list
	}
	return nil
}

// text returns a string, or a number as it would be written in one.
func (o object) text(key string) string { return textOf(o[key]) }

// trimmed is text without the spaces around it.
func (o object) trimmed(key string) string { return strings.TrimSpace(o.text(key)) }

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return v.String()
		}
		if f, err := v.Float64(); err == nil && math.Abs(f) < 1e15 {
			return strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return ""
}

// integer returns a number, or a string that holds one, without its fraction.
func (o object) integer(key string) int64 {
	s := o.trimmed(key)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1e15 {
		return int64(f)
	}
	return 0
}

// flag returns a boolean, or a string that holds one.
func (o object) flag(key string) bool {
	switch v := o[key].(type) {
	case bool:
		return v
	case string:
		return strings.EqualFold(strings.TrimSpace(v), "true")
	}
	return false
}

// milliseconds is the least number that must be milliseconds: as seconds it would be the year 5138.
const milliseconds = 100_000_000_000

// instant returns a Unix time, given in seconds or in milliseconds.
func (o object) instant(key string) time.Time {
	n := o.integer(key)
	switch {
	case n <= 0:
		return time.Time{}
	case n >= milliseconds:
		return time.UnixMilli(n).UTC()
	}
	return time.Unix(n, 0).UTC()
}

// digits returns a phone number as digits, or "" for what is not a phone number, such as "anonymous".
func (o object) digits(key string) string { return digitsOf(o.text(key)) }

func digitsOf(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune("+ -().", r):
		default:
			return ""
		}
	}
	return b.String()
}
