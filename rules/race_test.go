//go:build race

package rules

// raceDetector says that the test was built with it: pools then lose what is given back, at random.
const raceDetector = true
