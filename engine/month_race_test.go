//go:build race

package engine_test

// monthDays is shorter where every step is watched for races, which takes ten times as long.
const monthDays = 9
