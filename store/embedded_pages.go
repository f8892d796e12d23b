package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
)

// The layout of a page of bbolt (its file internal/common/page.go), in bytes, in the order of this machine: a head of id (8),
// flags (2), count (2) and overflow (4), then count elements. That of a branch is position (4), size of the key (4) and
// page (8); that of a leaf is flags (4), position (4), and the sizes of key (4) and value (4). The value of a bucket begins
// with its root page (8) and a sequence (8); a root page of 0 means that the bucket's page follows in the value.
const (
	pageHead    = 16
	pageElement = 16
	branchPage  = 0x01
	leafPage    = 0x02
	bucketEntry = 0x01
	bucketHead  = 16
)

// checkPages follows every page of the tree in the file itself. bbolt reads pages where they are mapped and believes what
// they say: one that is damaged can lead it in a circle without end, or behind the file into whatever is there.
func checkPages(tx *bolt.Tx, file io.ReaderAt) error {
	size := tx.DB().Info().PageSize
	high := uint64(tx.Size()) / uint64(size)
	seen := map[uint64]bool{}
	todo := []uint64{uint64(tx.Cursor().Bucket().RootPage())}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if id < 2 || id >= high || seen[id] {
			return damaged(fmt.Errorf("page %d is outside of the file, or is reached twice", id))
		}
		seen[id] = true
		page, err := readPage(file, id, size, high)
		if err != nil {
			return damaged(err)
		}
		next, err := pagesBelow(page)
		if err != nil {
			return damaged(fmt.Errorf("page %d: %w", id, err))
		}
		todo = append(todo, next...)
	}
	return nil
}

// readPage reads a page with what overflows from it into the pages behind it.
func readPage(file io.ReaderAt, id uint64, size int, high uint64) ([]byte, error) {
	head := make([]byte, pageHead)
	if _, err := file.ReadAt(head, int64(id)*int64(size)); err != nil {
		return nil, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	overflow := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || id+overflow >= high {
		return nil, fmt.Errorf("page %d is not what it should be", id)
	}
	page := make([]byte, (1+int(overflow))*size)
	_, err := file.ReadAt(page, int64(id)*int64(size))
	return page, err
}

var errElement = errors.New("an element leads out of it")

// pagesBelow returns the pages that a page leads to.
func pagesBelow(page []byte) (next []uint64, err error) {
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if flags != branchPage && flags != leafPage || flags == branchPage && count == 0 {
		return nil, errors.New("it is of no known kind")
	}
	if pageHead+count*pageElement > len(page) {
		return nil, errElement
	}
	for i := range count {
		at := pageHead + i*pageElement
		element := page[at : at+pageElement]
		if flags == branchPage {
			end := at + int(binary.NativeEndian.Uint32(element)) + int(binary.NativeEndian.Uint32(element[4:]))
			if end > len(page) {
				return nil, errElement
			}
			next = append(next, binary.NativeEndian.Uint64(element[8:]))
			continue
		}
		value := at + int(binary.NativeEndian.Uint32(element[4:])) + int(binary.NativeEndian.Uint32(element[8:]))
		end := value + int(binary.NativeEndian.Uint32(element[12:]))
		if end > len(page) {
			return nil, errElement
		}
		if binary.NativeEndian.Uint32(element)&bucketEntry == 0 {
			continue
		}
		below, err := pagesOfBucket(page[value:end])
		if err != nil {
			return nil, err
		}
		next = append(next, below...)
	}
	return next, nil
}

// pagesOfBucket returns the root page of a bucket. A small bucket has its only page in the value itself, a leaf.
func pagesOfBucket(value []byte) ([]uint64, error) {
	if len(value) < bucketHead {
		return nil, errElement
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return []uint64{root}, nil
	}
	inline := value[bucketHead:]
	if len(inline) < pageHead || binary.NativeEndian.Uint16(inline[8:]) != leafPage {
		return nil, errors.New("a bucket in it is of no known kind")
	}
	return pagesBelow(inline)
}
