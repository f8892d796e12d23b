package main

import (
	"callrouter/cmd/callrouter/internal/report"
	"callrouter/rules"
	phones "callrouter/rules/phone"
)

// callFlags describe a made-up call and the state of the world.
type callFlags struct {
	ID        string            `name:"id" help:"User id of the caller, for one without a number."`
	To        string            `placeholder:"NAME" help:"Business number, by its name in the file. Default: the first."`
	Name      string            `help:"Profile name of the caller."`
	Payload   string            `help:"Payload of the call button or link."`
	Free      map[string]int    `placeholder:"Q=N" help:"Free slots of a queue. Default: every agent is free."`
	Online    map[string]int    `placeholder:"Q=N" help:"Agents of a queue who are connected and available; 0 means that nobody is free either."`
	Waiting   map[string]int    `placeholder:"Q=N" help:"Calls that wait in a queue."`
	Listed    []string          `placeholder:"L" help:"Lists the caller is on, besides those of the file."`
	Calls     int               `placeholder:"N" help:"How many calls this caller made before."`
	Switch    map[string]string `placeholder:"H=open|closed" help:"Hours switched open or closed."`
	NoAnswer  []string          `placeholder:"Q" help:"Queues whose agents are free but do not pick up."`
	Fails     []string          `placeholder:"ANSWER" help:"Answerers that fail."`
	StoreDown bool              `help:"The store cannot be reached."`
	JSON      bool              `name:"json" help:"Print one JSON object."`
}

// call is the made-up call of a caller: a phone number, or report.Withheld.
func (c *callFlags) call(f *rules.File, from string) (rules.Call, error) {
	call := rules.Call{Number: f.Numbers()[0].Name, Payload: c.Payload}
	if c.To != "" {
		call.Number = c.To // Simulate says if there is none
	}
	if from == report.Withheld {
		call.Caller = rules.NewCaller("", c.ID, c.Name)
		return call, nil
	}
	if _, err := phones.Normalize(from); err != nil {
		return call, usage("--from: %w", err)
	}
	call.Caller = rules.NewCaller(from, c.ID, c.Name)
	return call, nil
}

// given returns the made-up state of the world.
func (c *callFlags) given() (rules.Given, error) {
	g := rules.Given{
		Free: c.Free, Online: c.Online, Waiting: c.Waiting, Listed: c.Listed, Calls: c.Calls,
		NoAnswer: c.NoAnswer, Fails: c.Fails, StoreDown: c.StoreDown, Switches: map[string]bool{},
	}
	for hours, state := range c.Switch {
		if state != "open" && state != "closed" {
			return g, usage("--switch: write %s=open or %s=closed, not %q", hours, hours, state)
		}
		g.Switches[hours] = state == "open"
	}
	if c.Calls < 0 {
		return g, usage("--calls: write 0 or more, not %d", c.Calls)
	}
	for flag, counts := range map[string]map[string]int{"free": c.Free, "online": c.Online, "waiting": c.Waiting} {
		for queue, n := range counts {
			if n < 0 {
				return g, usage("--%s: write %s=0 or more, not %d", flag, queue, n)
			}
		}
	}
	return g, nil
}
