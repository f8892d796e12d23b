//go:build !race

package engine_test

// wholeMonth is how many days the month has.
const wholeMonth = 30
