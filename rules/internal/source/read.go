package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxFile is the size of the largest file that is read, in bytes.
const maxFile = 4 << 20

// FileError says why a file cannot be read, in the parts of a problem.
type FileError struct {
	Code   string // of the problem: [CodeUnreadable] or "too-large"
	Reason string
	hint   string
}

// ReadFile reads the file of the document. It returns false, with a problem, if it cannot be read.
func (d *Document) ReadFile() (data []byte, ok bool) {
	data, err := ReadFile(d.Path)
	if err != nil {
		d.ErrorAt(Span{File: d.Path}, err.Code, err.Reason, err.hint)
		return nil, false
	}
	return data, true
}

// ReadFile reads a file of at most 4 MiB. The error is nil if it was read.
func ReadFile(path string) ([]byte, *FileError) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, unreadable(err)
	case !info.Mode().IsRegular():
		return nil, &FileError{Code: CodeUnreadable, Reason: "it is not a file"}
	case info.Size() > maxFile:
		return nil, tooLarge()
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(data) > maxFile {
		return nil, tooLarge()
	}
	return data, nil
}

func tooLarge() *FileError {
	return &FileError{
		Code:   "too-large",
		Reason: fmt.Sprintf("it is larger than %d MiB", maxFile>>20),
		hint:   "keep long lists in files of their own: `vip: {file: lists/vip.txt}`",
	}
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
