package rules

import "callrouter/rules/internal/source"

// Problem is a mistake in a rules file or a test file, at its place.
type Problem = source.Problem

// Problems are all the mistakes that were found in files, sorted by file, line and column.
type Problems = source.Problems

// Severity is error, which keeps a file from being loaded, warning, or info.
type Severity = source.Severity

// The severities. A file with warnings alone is loaded.
const (
	Error   = source.Error
	Warning = source.Warning
	Info    = source.Info
)

// ErrUnreadable is what [Problems.Err] wraps when a file could not be read, as opposed to being wrong. Such a problem
// has the code "unreadable-file".
var ErrUnreadable = source.ErrUnreadable
