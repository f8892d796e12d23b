package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// MaxFile and MaxList are the sizes, in bytes, of the largest rules or other file, and of the largest list file.
const (
	MaxFile = 4 << 20
	MaxList = 64 << 20
)

// FileError says why a file cannot be read, in the parts of a problem.
type FileError struct {
	Code   string // of the problem: [CodeUnreadable] or "too-large"
	Reason string
	hint   string
}

// ReadFile reads the file of the document. It returns false, with a problem, if it cannot be read.
func (d *Document) ReadFile() (data []byte, ok bool) {
	data, err := ReadFile(d.Path, MaxFile)
	if err != nil {
		d.ErrorAt(Span{File: d.Path}, err.Code, err.Reason, err.hint)
		return nil, false
	}
	return data, true
}

// ReadFile reads a file of at most so many bytes. The error is nil if it was read.
func ReadFile(path string, most int64) ([]byte, *FileError) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, unreadable(err)
	case !info.Mode().IsRegular():
		return nil, &FileError{Code: CodeUnreadable, Reason: "it is not a file"}
	case info.Size() > most:
		return nil, tooLarge(most)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if int64(len(data)) > most {
		return nil, tooLarge(most)
	}
	return data, nil
}

func tooLarge(most int64) *FileError {
	hint := "keep long lists in files of their own: `vip: {file: lists/vip.txt}`"
	if most == MaxList {
		hint = "split the list into several files and lists"
	}
	return &FileError{Code: "too-large", Reason: fmt.Sprintf("it is larger than %d MiB", most>>20), hint: hint}
}

func unreadable(err error) *FileError {
	reason := err.Error()
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		reason = path.Err.Error()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			reason = "there is no such file"
		case errors.Is(err, fs.ErrPermission):
			reason = "reading it is not permitted"
		}
	}
	return &FileError{Code: CodeUnreadable, Reason: reason}
}
