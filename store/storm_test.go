//go:build unix

package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sync/errgroup"

	"callrouter/engine/testrun"
	"callrouter/store"
	"callrouter/store/storetest"
)

const stormProcesses, stormWorkers = 3, 24

// Three processes fight for the same slots on one Redis. They share the judge in mapped memory, so it counts what all
// of them hold.
func TestRedisStormOfProcesses(t *testing.T) {
	url := storetest.StartRedis(t)
	s := openURL(t, url)
	d := testrun.Pick(150*time.Millisecond, 500*time.Millisecond, 10*time.Second)
	for _, capacity := range []int{1, 2, 5} {
		t.Run(fmt.Sprint("capacity ", capacity), func(t *testing.T) {
			if err := storetest.Prepare(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "judge")
			if err := os.WriteFile(path, make([]byte, unsafe.Sizeof(storetest.Judge{})), 0o600); err != nil {
				t.Fatal(err)
			}
			j, unmap, err := mapJudge(path)
			if err != nil {
				t.Fatal(err)
			}
			defer unmap()
			var all errgroup.Group
			for i := range stormProcesses {
				cmd := child("storm", url, path, fmt.Sprint(t.Name(), i), fmt.Sprint(capacity), d.String())
				var out strings.Builder
				cmd.Stdout = &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				all.Go(func() error {
					if err := cmd.Wait(); err != nil || strings.TrimSpace(out.String()) != "fine" {
						return fmt.Errorf("process %d: %v: %s", i, err, out.String())
					}
					return nil
				})
			}
			if err := all.Wait(); err != nil {
				t.Error(err)
			}
			j.Verdict(t, capacity)
		})
	}
}

// mapJudge maps a file that holds a judge.
func mapJudge(path string) (j *storetest.Judge, unmap func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	size := int(unsafe.Sizeof(storetest.Judge{}))
	data, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return (*storetest.Judge)(unsafe.Pointer(&data[0])), func() { _ = syscall.Munmap(data) }, nil
}

// joinStorm is one process of a storm. Its arguments: the address of the store, the file of the judge, the name of the
// process, the capacity, how long it lasts.
func joinStorm(args []string) {
	err := func() error {
		capacity, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		d, err := time.ParseDuration(args[4])
		if err != nil {
			return err
		}
		j, unmap, err := mapJudge(args[1])
		if err != nil {
			return err
		}
		defer unmap()
		s, err := store.Open(context.Background(), args[0], store.Config{Timeout: 5 * time.Second})
		if err != nil {
			return err
		}
		err = storetest.Join(context.Background(), j, s, storetest.RealClock(), args[2], stormWorkers, capacity, d)
		return errors.Join(err, s.Close())
	}()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("fine")
}
