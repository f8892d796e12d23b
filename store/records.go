package store

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"callrouter/engine"
)

// records decodes what a store has read, and reports what is damaged.
type records struct {
	log      *slog.Logger
	onError  func(kind string)
	decoded  atomic.Int64 // how many records, for tests
	reported sync.Map     // keys of damaged records
}

func newRecords(cfg Config) *records { return &records{log: cfg.Logger, onError: cfg.OnError} }

// decode reads a stored record. The error is an [engine.ErrDamaged], and is reported.
func (r *records) decode(key string, rev int64, doc []byte) (*engine.Call, error) {
	r.decoded.Add(1)
	c, err := decodeCall(key, rev, doc)
	if err != nil {
		r.damaged(key, err)
	}
	return c, err
}

// damaged reports a damaged record, once while the store is open: what lists meet it again and again.
func (r *records) damaged(key string, err error) {
	if _, known := r.reported.LoadOrStore(key, true); known {
		return
	}
	r.log.Error("a stored record is damaged; lists leave it out, and it is deleted after its retention; "+
		"restore the store from a copy to have it back", "call", key, "error", err)
	if r.onError != nil {
		r.onError("damaged_record")
	}
}

// decodeCall reads a stored record.
func decodeCall(key string, rev int64, doc []byte) (*engine.Call, error) {
	var c engine.Call
	if err := json.Unmarshal(doc, &c); err != nil {
		return nil, fmt.Errorf("%w: call %s: %w", engine.ErrDamaged, key, err)
	}
	if c.Key() != key {
		return nil, fmt.Errorf("%w: call %s: it is the record of call %s", engine.ErrDamaged, key, c.Key())
	}
	c.Rev = rev
	return &c, nil
}
