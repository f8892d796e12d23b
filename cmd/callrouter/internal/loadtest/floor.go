package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"
	bolt "go.etcd.io/bbolt"
)

// floorCommand starts this program as the floor.
const floorCommand = "floor"

// serveFloor is the least that a router can do: read the webhook, write it down once, answer 200, ask Positus to
// reject. Its arguments are the address to listen on, the store and the URL of Positus.
func serveFloor(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want ADDRESS STORE URL, got %q", args)
	}
	put, err := openFloorStore(args[1])
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}, Timeout: 10 * time.Second}
	server := &http.Server{
		ReadTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			var hook struct {
				Calls []struct {
					ID string `json:"id"`
				} `json:"calls"`
			}
			if err := json.Unmarshal(body, &hook); err != nil || len(hook.Calls) == 0 {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			id := hook.Calls[0].ID
			if err := put(r.Context(), id, body); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.WriteHeader(http.StatusOK)
			go func() {
				resp, err := client.Post(args[2]+"/whatsapp/numbers/n/calls/reject", "application/json",
					bytes.NewReader(fmt.Appendf(nil, `{"call_id":%q}`, id)))
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
		}),
	}
	return server.Serve(listener)
}

// openFloorStore returns what writes one value durably: a Redis by its URL, or a file, where writes that come together
// share a commit.
func openFloorStore(store string) (put func(ctx context.Context, key string, value []byte) error, err error) {
	if options, err := redis.ParseURL(store); err == nil {
		client := redis.NewClient(options)
		return func(ctx context.Context, key string, value []byte) error {
			return client.Set(ctx, key, value, time.Minute).Err()
		}, nil
	}
	db, err := bolt.Open(store, 0o600, nil)
	if err != nil {
		return nil, err
	}
	writes := make(chan floorWrite)
	go commitFloor(db, writes)
	return func(_ context.Context, key string, value []byte) error {
		w := floorWrite{key, value, make(chan error, 1)}
		writes <- w
		return <-w.done
	}, nil
}

type floorWrite struct {
	key   string
	value []byte
	done  chan error
}

func commitFloor(db *bolt.DB, writes <-chan floorWrite) {
	for w := range writes {
		batch := []floorWrite{w}
		for gathering := true; gathering && len(batch) < 256; {
			select {
			case w := <-writes:
				batch = append(batch, w)
			default:
				gathering = false
			}
		}
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("calls"))
			for _, w := range batch {
				if err == nil {
					err = b.Put([]byte(w.key), w.value)
				}
			}
			return err
		})
		for _, w := range batch {
			w.done <- err
		}
	}
}
