//go:build race

package engine_test

// wholeMonth is shorter where every step is watched for races, which takes ten times as long.
const wholeMonth = 9
