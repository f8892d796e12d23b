package condition

import (
	"fmt"

	"callrouter/rules/internal/source"
)

// Kind is a kind of thing that has a name.
type Kind string

const (
	Number   Kind = "number"
	Hours    Kind = "hours"
	Calendar Kind = "calendar"
	List     Kind = "list"
	Agent    Kind = "agent"
	Queue    Kind = "queue"
	Answer   Kind = "answer"
	Message  Kind = "message"
	Rule     Kind = "rule"
)

// NoSuch is the message that a file has nothing of a kind by a name.
func NoSuch(k Kind, name string) string {
	if k == Hours {
		return "there are no hours " + source.Quoted(name)
	}
	return fmt.Sprintf("there is no %s %s", k, source.Quoted(name))
}
