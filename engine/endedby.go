package engine

// Side is who ended a call.
type Side string

// The sides that can end a call.
const (
	ByCaller     Side = "caller"
	ByAgent      Side = "agent"
	BySupervisor Side = "supervisor" // the administrator, or an outside answerer
	ByNetwork    Side = "network"    // want of audio, a limit, or an error
)

// EndedBy returns who ended a call, with the platform's code if it gave one, or "" for a call that goes on.
func (c *Call) EndedBy() (by Side, code int) {
	if c.CallerEnd != nil && len(c.CallerEnd.Codes) > 0 {
		code = c.CallerEnd.Codes[0]
	}
	switch {
	case c.Live():
		return "", 0
	case c.HungUpBy != "":
		return c.HungUpBy, code
	case c.CallerEnd != nil && code == 0 && c.Outcome != Reaped:
		return ByCaller, 0
	}
	return ByNetwork, code
}
