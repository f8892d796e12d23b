//go:build race

package main

// raceDetector says whether the tests run with it; the program is then built with it too.
const raceDetector = true
