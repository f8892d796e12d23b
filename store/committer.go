package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
)

// maxBatch bounds how many writes share one commit.
const maxBatch = 256

var errClosed = errors.New("the store is closed")

// write is one step that waits to be committed.
type write struct {
	ctx    context.Context
	do     func(tx *bolt.Tx) error
	topics func() []string // called after the commit; may be nil
	err    error
	done   chan struct{}
}

// committer commits writes. While one commit is on its way to the disk, more writes gather and share the next commit: a
// single write does not wait, and many at once cost few syncs. [bolt.DB.Batch] would make a single write wait for
// others.
type committer struct {
	db     *bolt.DB
	wake   func(topic string)
	writes chan *write
	stop   chan struct{}
	once   sync.Once
	done   chan struct{}
	broken error // the file turned out to be damaged: nothing is written after that
	stuck  bool  // not even a rollback worked, so the database cannot be closed
}

func newCommitter(db *bolt.DB, wake func(string)) *committer {
	c := &committer{db: db, wake: wake, writes: make(chan *write), stop: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c
}

// close finishes the writes that have begun and refuses later ones. It reports whether the database can be closed.
func (c *committer) close() bool {
	c.once.Do(func() { close(c.stop) })
	<-c.done
	return !c.stuck
}

// commit runs do in a transaction and returns once it is on the disk. do may run more than once, and may return one of
// the engine's errors only before it has written anything. If ctx ends first, the write may or may not happen.
func (c *committer) commit(ctx context.Context, do func(tx *bolt.Tx) error, topics func() []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{ctx: ctx, do: do, topics: topics, done: make(chan struct{})}
	select {
	case c.writes <- w:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.stop:
		return errClosed
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return fmt.Errorf("the disk did not confirm the write in time, so it may or may not be stored: %w", ctx.Err())
	}
}

func (c *committer) run() {
	defer close(c.done)
	for {
		select {
		case w := <-c.writes:
			c.commitAll(c.gather(w))
		case <-c.stop:
			return
		}
	}
}

// gather adds the writes that are waiting now, up to [maxBatch].
func (c *committer) gather(first *write) []*write {
	batch := []*write{first}
	for len(batch) < maxBatch {
		select {
		case w := <-c.writes:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// commitAll commits a batch. If that fails, it commits each write alone, so that one that fails harms no other.
func (c *committer) commitAll(batch []*write) {
	if err := c.try(batch); err != nil {
		if len(batch) > 1 {
			for _, w := range batch {
				c.commitAll([]*write{w})
			}
			return
		}
		batch[0].err = err
	}
	for _, w := range batch {
		if w.err == nil && w.topics != nil {
			for _, t := range w.topics() {
				c.wake(t)
			}
		}
		close(w.done)
	}
}

// try runs a batch in one transaction. A refusal is noted with its write. On any other error it returns that, and
// nothing was written.
func (c *committer) try(batch []*write) error {
	if c.broken != nil {
		return c.broken
	}
	tx, err := c.db.Begin(true)
	if err != nil {
		return err
	}
	err = guard(func() error { return commitOne(tx, batch) })
	if errors.Is(err, errDamaged) {
		c.broken = err
	}
	if end := guard(tx.Rollback); errors.Is(end, errDamaged) { // after a commit it does nothing
		c.broken, c.stuck = end, true
	}
	return err
}

func commitOne(tx *bolt.Tx, batch []*write) error {
	wrote := false
	for _, w := range batch {
		if w.err = w.ctx.Err(); w.err != nil {
			continue
		}
		if w.err = w.do(tx); w.err == nil {
			wrote = true
		} else if !isRefusal(w.err) {
			return w.err
		}
	}
	if !wrote {
		return nil
	}
	return tx.Commit()
}

// isRefusal reports whether a step was refused, with an error of the engine, while the store itself works.
func isRefusal(err error) bool {
	return errors.Is(err, engine.ErrConflict) || errors.Is(err, engine.ErrExists) ||
		errors.Is(err, engine.ErrNotFound) || errors.Is(err, engine.ErrBusy)
}
