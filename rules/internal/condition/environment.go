package condition

import (
	"time"
)

// Environment is all that a condition can read. It is given to the expression language by value and boxed once for each
// [Input]: so it is read without allocating. Its types have no methods, for every exported method could be called in a
// condition; of the methods of now, the readingMethods are allowed.
type Environment struct {
	Caller  Caller    `expr:"caller"`
	Number  string    `expr:"number"`
	Payload string    `expr:"payload"`
	Now     time.Time `expr:"now"`
	Today   string    `expr:"today"`
	Clock   string    `expr:"clock"`
	Weekday string    `expr:"weekday"`

	Open    func(string) bool   `expr:"open"`
	Opens   func(string) string `expr:"opens"`
	Closes  func(string) string `expr:"closes"`
	Holiday func(string) bool   `expr:"holiday"`
	Listed  func(string) bool   `expr:"listed"`
	Free    func(string) int    `expr:"free"`
	Online  func(string) int    `expr:"online"`
	Waiting func(string) int    `expr:"waiting"`
	Calls   func(string) int    `expr:"calls"`

	// Quotient and Finite fail for what is no number. The compiler puts Quotient around every division, and Finite
	// around float(): a text may be "NaN". Conditions cannot name them.
	Quotient func(float64) float64 `expr:"quotient"`
	Finite   func(float64) float64 `expr:"finite"`
}

// Caller is what a condition can read of the caller.
type Caller struct {
	Number  string `expr:"number"`
	ID      string `expr:"id"`
	Name    string `expr:"name"`
	Country string `expr:"country"`
	Area    string `expr:"area"`
}
