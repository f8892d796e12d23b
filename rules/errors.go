package rules

import (
	"errors"
	"fmt"
	"time"

	"callrouter/rules/internal/condition"
)

// factError is a fact that a condition needs and the store could not give.
type factError struct {
	text string
	err  error
}

func (e *factError) Error() string { return e.text + ": " + e.err.Error() }

func (e *factError) Unwrap() error { return e.err }

// conditionError is the failure of a condition when it was run.
type conditionError struct {
	text string
	err  error
}

func (e *conditionError) Error() string { return e.text + ": " + e.err.Error() }

func (e *conditionError) Unwrap() error { return e.err }

// runtimeError is what a function of the environment panics with when it cannot answer; the virtual machine turns the
// panic into an error of the condition.
type runtimeError struct{ message string }

func (e *runtimeError) Error() string { return e.message }

// lackingCalls is what calls panics with when it is asked, with a duration that is made up at run time, for a fact that
// has not been fetched.
type lackingCalls struct{ last time.Duration }

func (e *lackingCalls) Error() string {
	return fmt.Sprintf("the calls of the last %v are not known", e.last)
}

// lackingFact is the panic of a function that was asked for a fact which the needs of the atom do not name. It cannot
// happen: the needs name every fact that the condition could ask for.
type lackingFact struct{ name string }

func (e *lackingFact) Error() string { return e.name + " is not known" }

// readable turns an error of the virtual machine into one that an author understands.
func readable(text string, err error) error {
	if known := (*factError)(nil); errors.As(err, &known) {
		return known
	}
	return &conditionError{text, condition.Reason(err)}
}
