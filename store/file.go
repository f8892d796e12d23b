package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Backer is a store that is a file, and can be copied while it is in use.
type Backer interface {
	// Backup writes the file as it is at one instant. It calls size with the number of bytes first.
	Backup(ctx context.Context, w io.Writer, size func(bytes int64)) error
}

// Backup is part of [Backer]. Meanwhile the store can be written to, but the file grows with each write.
func (s *embedded) Backup(ctx context.Context, w io.Writer, size func(bytes int64)) error {
	return s.view(ctx, func(tx *bolt.Tx) error {
		size(tx.Size())
		_, err := tx.WriteTo(w)
		return err
	})
}

// offline opens a file that no router may have open.
func offline(path string, readOnly bool) (*bolt.DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("there is no such file; give the path that --store has")
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file; give the path that --store has")
	case info.Size() == 0:
		return nil, errors.New("the file is empty; restore it from a copy")
	}
	var db *bolt.DB
	err = guard(func() (err error) {
		if db, err = openBolt(path, readOnly); err == nil {
			_, err = checkSchema(db)
		}
		return err
	})
	if errors.Is(err, errInUse) {
		err = errors.New("a callrouter is using it; stop that one first (\"callrouter db backup\" works while it runs)")
	}
	if err != nil && db != nil {
		_ = db.Close()
	}
	return db, err
}

// Checked is what [Check] found in a file.
type Checked struct {
	Calls    int
	Problems []string
}

// maxProblems is how many problems [Check] tells.
const maxProblems = 20

// Check reads a whole file that is not in use: its pages, every record, and whether every record is found by time. An
// error means that the file cannot be read at all.
func Check(path string) (c Checked, err error) {
	problem := func(format string, args ...any) {
		if len(c.Problems) < maxProblems {
			c.Problems = append(c.Problems, fmt.Sprintf(format, args...))
		}
	}
	db, err := offline(path, true)
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	defer db.Close()
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) error {
			for err := range tx.Check() {
				problem("%s", err)
			}
			if len(c.Problems) > 0 {
				return nil // what is below could loop
			}
			if err := tx.ForEach(walk); err != nil {
				problem("%s", err)
			}
			return tx.Bucket(bucketCalls).ForEach(func(k, v []byte) error {
				c.Calls++
				if call, err := decodeCall(string(k), 0, v[min(8, len(v)):]); err != nil {
					problem("%s", err)
				} else if _, there := find(tx, bucketReceived, timeKey(nil, call.ReceivedAt, string(k))); !there {
					problem("call %s is in no list", k)
				}
				return nil
			})
		})
	})
	if errors.Is(err, errDamaged) {
		problem("%s", err)
		err = nil
	}
	return c, err
}

// Compact rewrites a file that is not in use without the space of what was deleted, and returns its size before and
// after. If it fails, the file stays as it was.
func Compact(path string) (before, after int64, err error) {
	db, err := offline(path, false)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	defer db.Close() // only then another process can open the file
	tmp := path + ".compact"
	defer os.Remove(tmp)
	if err = guard(func() error { return compactInto(tmp, db) }); err == nil {
		before, after, err = sizes(path, tmp)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w; the file is as it was", path, explain(err))
	}
	return before, after, nil
}

// compactStep bounds one transaction of a compaction, in bytes.
const compactStep = 1 << 20

func compactInto(tmp string, db *bolt.DB) error {
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) { // of a compaction that was interrupted
		return err
	}
	to, err := openBolt(tmp, false)
	if err != nil {
		return err
	}
	return errors.Join(bolt.Compact(to, db, compactStep), to.Close())
}

func sizes(a, b string) (int64, int64, error) {
	ia, erra := os.Stat(a)
	ib, errb := os.Stat(b)
	if err := errors.Join(erra, errb); err != nil {
		return 0, 0, err
	}
	return ia.Size(), ib.Size(), nil
}

var _ Backer = (*embedded)(nil)
