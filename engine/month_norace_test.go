//go:build !race

package engine_test

// monthDays is how long the month is.
const monthDays = 30
