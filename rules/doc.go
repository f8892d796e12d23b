// Package rules is the rules file as a compiled, tested, explainable program.
//
// [Load] reads a file, checks all of it, compiles every condition once and runs the file's own tests. What comes out is a
// [File] that never changes. [File.Decide] is a pure function of a call, an instant and a set of facts: it does no I/O, takes
// no lock and does not allocate. [File.Explain] is the same evaluation and tells why; [File.Simulate] loops over it.
// There is no second implementation of the rules anywhere.
//
// The package imports nothing of this module, and is the only place that knows YAML, the expression language, public
// holidays and how phone numbers are written.
package rules
