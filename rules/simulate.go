package rules

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

// Simulation is what a dry run came to. As JSON, fields that do not apply are null.
type Simulation struct {
	Action     Action    `json:"action"`
	Rule       *string   `json:"rule"`
	By         By        `json:"by"`
	Queue      *string   `json:"queue"`
	Answer     *string   `json:"answer"`
	Message    *string   `json:"message"`
	Text       *string   `json:"text"` // the message, rendered
	At         time.Time `json:"at"`
	Trace      []Trace   `json:"trace"`
	NotReached []string  `json:"not_reached"`

	err       error // why on_error
	textError error // why there is no Text although there is a Message
}

// Err says why the dry run ended with on_error; nil otherwise.
func (s Simulation) Err() error { return s.err }

// TextErr says why the message could not be rendered; nil otherwise.
func (s Simulation) TextErr() error { return s.textError }

var errStoreDown = errors.New("the store cannot be reached")

// Simulate decides one made-up call as the engine would, without doing anything. The error says that g or the call
// names something the file does not have, with the nearest name.
func (f *File) Simulate(call Call, at time.Time, g Given) (Simulation, error) {
	return f.simulate(call, at, g, nil)
}

// simulate is Simulate; seen, if any, is told what the parts of conditions came to.
func (f *File) simulate(call Call, at time.Time, g Given, seen Observer) (Simulation, error) {
	if err := f.checkGiven(call, g); err != nil {
		return Simulation{}, err
	}
	w := &world{f: f, call: call, at: at, given: g, runtime: f.runtimeOf(call, at, g), seen: seen}
	w.prepare(Needs{})
	result := Simulation{At: at.In(f.loc), Trace: []Trace{}, NotReached: []string{}}
	d := w.decide(&result)
	result.Action, result.By, result.err = d.Action, d.By, d.Err
	result.Rule, result.Queue, result.Answer, result.Message = ptr(d.Rule), ptr(d.Queue), ptr(d.Answer), ptr(d.Message)
	if d.Message != "" {
		result.Text, result.textError = w.render(d.Message)
	}
	for i := len(result.Trace); i < len(f.rules); i++ {
		result.NotReached = append(result.NotReached, f.rules[i].name)
	}
	return result, nil
}

// world stands in for the engine, the store and the people.
type world struct {
	f       *File
	call    Call
	at      time.Time
	given   Given
	runtime *Runtime
	seen    Observer
	in      Input
}

// decide goes on with the next rule for as long as what was decided cannot be carried out.
func (w *world) decide(result *Simulation) Decision {
	for from := 0; ; {
		d, trace, needs := w.f.Explain(w.in, from)
		if !needs.None() {
			w.prepare(needs)
			continue
		}
		result.Trace = append(result.Trace, trace...)
		if d.By != ByRule {
			if d.Action == Accept && slices.Contains(w.given.Fails, d.Answer) {
				return Decision{Action: Reject, By: d.By, Err: d.Err, Index: d.Index}
			}
			return d
		}
		last := &result.Trace[len(result.Trace)-1]
		if d.Action == Handoff && w.given.StoreDown {
			why := fmt.Errorf("no agent of %q can be reserved: %w", d.Queue, errStoreDown)
			last.Result, last.Why = Errored, why.Error()
			return w.f.OnError(fmt.Errorf("rule %q: %w", d.Rule, why))
		}
		why := w.obstacle(d)
		if why == "" {
			return d
		}
		last.Result = PassedOn
		last.Why += "; but " + why
		from = d.Index + 1
	}
}

// Truths returns what parts of conditions come to for a made-up call, whether a decision would ask for them or not.
func (f *File) Truths(atoms []*condition.Atom, call Call, at time.Time, g Given) []Truth {
	w := &world{f: f, call: call, at: at, given: g, runtime: f.runtimeOf(call, at, g)}
	w.prepare(Needs{})
	all := make([]Truth, len(atoms))
	for i, a := range atoms {
		all[i] = w.truth(a)
	}
	return all
}

// truth is what an atom comes to, whether a decision would ask for it or not.
func (w *world) truth(a *condition.Atom) Truth {
	for {
		s := w.f.borrow()
		is := w.f.run(a, w.in.input, s)
		lacking, last := s.lacking, s.last
		w.f.giveBack(s)
		if is != undecided || !lacking {
			return is
		}
		w.prepare(w.in.needsOf(&a.Needs, last))
	}
}

// obstacle says why a decision cannot be carried out; empty if it can.
func (w *world) obstacle(d Decision) string {
	switch {
	case d.Action == Handoff && w.queue(d.Queue).Free <= 0:
		return fmt.Sprintf("no agent of %q is free", d.Queue)
	case d.Action == Handoff && slices.Contains(w.given.NoAnswer, d.Queue):
		return fmt.Sprintf("no agent of %q picks up", d.Queue)
	case d.Action == Accept && slices.Contains(w.given.Fails, d.Answer):
		return fmt.Sprintf("the answer %q fails", d.Answer)
	}
	return ""
}

// prepare makes the input anew, with the facts that are needed.
func (w *world) prepare(n Needs) {
	facts := Facts{Listed: map[string]bool{}, Queues: map[string]QueueFacts{}, Calls: map[time.Duration]int{}}
	if w.given.StoreDown {
		facts = Facts{Err: errStoreDown}
	}
	for _, l := range n.Lists {
		facts.Listed[l] = slices.Contains(w.given.Listed, l)
	}
	for _, q := range n.Queues {
		facts.Queues[q] = w.queue(q)
	}
	for _, d := range n.Calls {
		facts.Calls[d] = w.given.Calls
	}
	w.in = w.f.Input(w.call, w.at, w.runtime, facts)
	w.in.seen = w.seen
	if w.in.key == "" {
		w.in.key = nobody
	}
}

// nobody stands for a caller without number and id, who can be put on lists all the same in a dry run.
const nobody = "id:"

func (w *world) queue(name string) QueueFacts {
	q, _ := w.f.Queue(name)
	facts := QueueFacts{Online: len(q.Agents), Waiting: w.given.Waiting[name]}
	for _, id := range q.Agents {
		a, _ := w.f.Agent(id)
		facts.Free += a.Capacity
	}
	if n, ok := w.given.Online[name]; ok {
		facts.Online = n
		if n == 0 {
			facts.Free = 0
		}
	}
	if n, ok := w.given.Free[name]; ok {
		facts.Free = n
	}
	return facts
}

func (w *world) render(name string) (*string, error) {
	for {
		text, needs, err := w.f.Render(name, w.in)
		if err != nil {
			return nil, err
		}
		if needs.None() {
			return &text, nil
		}
		w.prepare(needs)
	}
}

func (f *File) runtimeOf(call Call, at time.Time, g Given) *Runtime {
	rt := &Runtime{Switches: map[string]Switch{}, Entries: map[string]map[string]time.Time{}}
	for name, open := range g.Switches {
		local := at.In(f.hours[f.hoursByName[name]].Location)
		y, m, d := local.Date()
		rt.Switches[name] = Switch{Open: open, Until: hours.EndOfDay(y, m, d, local.Location())}
	}
	key := call.Caller.Key()
	if key == "" {
		key = nobody
	}
	for _, name := range g.Listed {
		rt.Entries[name] = map[string]time.Time{key: {}}
	}
	return rt
}

// checkGiven refuses what the file does not have.
func (f *File) checkGiven(call Call, g Given) error {
	queues := f.queueNames()
	var errs []error
	check := func(k condition.Kind, known []string, all ...string) {
		for _, name := range all {
			if !slices.Contains(known, name) {
				errs = append(errs, unknownName(k, name, known))
			}
		}
	}
	check(condition.Number, names(f.numbers, func(n Number) string { return n.Name }), call.Number)
	for _, m := range []map[string]int{g.Free, g.Online, g.Waiting} {
		check(condition.Queue, queues, sortedKeys(m)...)
	}
	check(condition.Queue, queues, g.NoAnswer...)
	check(condition.List, f.listNames(), g.Listed...)
	check(condition.Hours, f.HoursNames(), sortedKeys(g.Switches)...)
	check(condition.Answer, names(f.answers, func(a Answer) string { return a.Name }), g.Fails...)
	return errors.Join(errs...)
}

func unknownName(k condition.Kind, name string, known []string) error {
	message := condition.NoSuch(k, name)
	if near, ok := source.Nearest(name, known); ok {
		return fmt.Errorf("%s; did you mean %q?", message, near)
	}
	return fmt.Errorf("%s; %s", message, source.KnownList(known))
}
