// Package rules is the rules file as a compiled, tested, explainable program.
//
// [Load] reads a file, checks all of it, compiles every condition once and runs the file's own tests. It returns a
// [File] that never changes. [File.Decide] is a pure function of a call, an instant and a set of facts: it does no I/O,
// takes no lock and does not allocate. [File.Explain] is the same evaluation and says why; [File.Simulate] loops over
// it. There is no second implementation of the rules anywhere.
//
// Reading upwards: file.go and program.go are what a file is made of; input.go and decision.go what goes into an
// evaluation and comes out; functions.go and evaluate.go run conditions; index.go, guards.go and lookup.go find the
// rules that a call can meet; decide.go, explain.go, render.go and simulate.go are what callers use. loader.go,
// sections*.go, cases.go, reach.go and warn.go make a File of a document; load.go puts them together.
//
// What is not about deciding is in packages of its own: rules/phone, rules/hours, and below rules/internal the document
// (source), its shape (schema) and conditions. rules/week and rules/ruletest are built on this package.
package rules
