package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
	"callrouter/store"
	"callrouter/store/storetest"
)

// counted notes the kinds of errors that a store reports.
type counted struct {
	mu    sync.Mutex
	kinds []string
}

func (c *counted) add(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kinds = append(c.kinds, kind)
}

// endedCalls stores calls that ended, an hour ago and a second apart.
func endedCalls(t testing.TB, s engine.Store, n int) (keys []string) {
	t.Helper()
	for i := range n {
		c := newCall(fmt.Sprint("ended ", i))
		c.ReceivedAt = time.Now().Add(-time.Hour).Add(time.Duration(i) * time.Second)
		c.State, c.Outcome, c.EndedAt, c.Due = engine.Ended, engine.Rejected, c.ReceivedAt, time.Time{}
		if _, err := s.Insert(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, c.Key())
	}
	return keys
}

func isDamaged(err error) bool { return errors.Is(err, engine.ErrDamaged) }

// checkDamaged expects a store with three ended calls, the second and third of them damaged.
func checkDamaged(t *testing.T, s engine.Store, keys []string, errs *counted) {
	t.Helper()
	ctx := context.Background()
	for range 2 {
		for _, f := range []engine.Filter{{}, {Oldest: true}, {State: engine.Ended}, {Outcome: engine.Rejected}, {Caller: "+1"}} {
			calls, err := s.List(ctx, f)
			if err != nil || len(calls) != 1 || calls[0].Key() != keys[0] {
				t.Errorf("%+v: %d calls, %v, want the one that is not damaged", f, len(calls), err)
			}
		}
	}
	if _, err := s.Get(ctx, keys[1]); !isDamaged(err) {
		t.Errorf("get: %v, want that the record is damaged", err)
	}
	if n, err := s.Purge(ctx, time.Now().Add(-time.Minute)); n != 3 || err != nil {
		t.Errorf("purged %d, %v, want 3", n, err)
	}
	if _, err := s.Get(ctx, keys[1]); isDamaged(err) || err == nil {
		t.Errorf("after the purge: %v, want that there is no such call", err)
	}
	if n, err := s.Purge(ctx, time.Now()); n != 0 || err != nil {
		t.Errorf("a second purge: %d, %v", n, err)
	}
	if want := []string{"damaged_record", "damaged_record"}; !slices.Equal(errs.kinds, want) {
		t.Errorf("reported %v, want %v", errs.kinds, want)
	}
}

func TestEmbeddedDamagedRecords(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "callrouter.db")
	s, err := store.Open(t.Context(), path, store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	keys := endedCalls(t, s, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("calls"))
		if err := b.Put([]byte(keys[1]), []byte("\x00\x00\x00\x00\x00\x00\x00\x01{\"id\":")); err != nil {
			return err
		}
		return b.Put([]byte(keys[2]), []byte("short"))
	})
	errs := &counted{}
	checkDamaged(t, openFile(t, path, store.Config{OnError: errs.add}), keys, errs)
}

// edit changes a file that no store has open.
func edit(t *testing.T, path string, change func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err == nil {
		err = db.Update(change)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestRedisDamagedRecords(t *testing.T) {
	server := storetest.NewRedis(t)
	errs := &counted{}
	s, err := store.Open(t.Context(), server.URL, store.Config{Timeout: 2 * time.Second, OnError: errs.add})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	keys := endedCalls(t, s, 3)
	server.Do("HSET", "cr1:{callrouter}:call:"+keys[1], "doc", `{"id":`)
	server.Do("HSET", "cr1:{callrouter}:call:"+keys[2], "doc", `{}`)
	checkDamaged(t, s, keys, errs)
}
