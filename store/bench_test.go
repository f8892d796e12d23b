package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"callrouter/engine"
	"callrouter/store"
)

// Many small writes at once must share what a sync of the disk costs.
func BenchmarkEmbeddedUpdate(b *testing.B) {
	benchUpdate(b, func(b *testing.B) engine.Store {
		return openFile(b, filepath.Join(b.TempDir(), "callrouter.db"), store.Config{})
	})
}

// benchUpdate changes records of some 3 KB, each from a writer of its own.
func benchUpdate(b *testing.B, open func(b *testing.B) engine.Store) {
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprint(writers, " writers"), func(b *testing.B) {
			s, ctx := open(b), b.Context()
			work := make(chan int)
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					c := newCall(fmt.Sprint(b.Name(), b.N, " ", w))
					c.Offer = strings.Repeat("a=candidate\r\n", 200)
					_, err := s.Insert(ctx, c)
					for c.Rev = 1; err == nil; c, err = s.Update(ctx, c, c.Clone()) {
						if _, more := <-work; !more {
							return
						}
					}
					b.Error(err)
				})
			}
			b.ResetTimer()
			for i := range b.N {
				work <- i
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}
