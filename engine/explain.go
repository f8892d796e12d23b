package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callrouter/rules"
)

// maxUnpacked is how many versions that are not in force any more stay unpacked in memory, for the next question about
// a call that one of them decided.
const maxUnpacked = 4

// Explain returns why each rule did or did not hold, for every evaluation of a call, in order. The record names only
// the rules that mattered; the rest is worked out again from the version that decided and the facts of the record, so
// it is what a dry run says of the same call. Where the store has that version no more, or the record is of before
// versions were kept, it is what the record says.
//
// The error is the store's; the trace of the record is returned with it.
func (e *Engine) Explain(ctx context.Context, c *Call) ([]rules.Trace, error) {
	var trace []rules.Trace
	for _, facts := range c.Facts {
		if facts.Evaluation == 0 { // of before evaluations had numbers: the record says all there is
			continue
		}
		of, err := e.explain(ctx, c, facts)
		if err != nil {
			return told(c.Trace), err
		}
		trace = append(trace, of...)
	}
	return append(trace, told(c.traceOf(0))...), nil
}

// explain returns why each rule did or did not hold in one evaluation of a call.
func (e *Engine) explain(ctx context.Context, c *Call, facts FactRecord) ([]rules.Trace, error) {
	recorded := told(c.traceOf(facts.Evaluation))
	f, err := e.unpacked(ctx, cmp.Or(facts.Version, c.RulesVersion))
	switch {
	case errors.Is(err, ErrNotFound):
		return recorded, nil
	case err != nil:
		return nil, err
	}
	_, trace, needs := f.Explain(facts.input(f, c), facts.From)
	if !needs.None() { // the record lacks a fact: a program that asked for other ones wrote it
		return recorded, nil
	}
	for i := range trace {
		trace[i].Evaluation = facts.Evaluation
	}
	return c.correct(trace, facts.Evaluation), nil
}

// told gives every entry values, which may be none.
func told(trace []rules.Trace) []rules.Trace {
	all := slices.Clone(trace)
	for i := range all {
		if all[i].Values == nil {
			all[i].Values = map[string]any{}
		}
	}
	return all
}

// traceOf returns what the record says of the rules of one evaluation; 0: of none.
func (c *Call) traceOf(evaluation int) []rules.Trace {
	var trace []rules.Trace
	for _, t := range c.Trace {
		if t.Evaluation == evaluation {
			trace = append(trace, t)
		}
	}
	return trace
}

// correct puts in what the record knows better than the rules: what became of a rule's action, and errors.
func (c *Call) correct(trace []rules.Trace, evaluation int) []rules.Trace {
	for _, t := range c.traceOf(evaluation) {
		at := slices.IndexFunc(
			trace,
			func(x rules.Trace) bool { return x.Evaluation == evaluation && x.Rule == t.Rule },
		)
		switch {
		case at < 0: // of something else than a rule, such as a reservation that failed
			trace = append(trace, told([]rules.Trace{t})...)
		case t.Why != "":
			trace[at].Result, trace[at].Why = t.Result, t.Why
		}
	}
	return trace
}

// input is the evaluation that the facts are of.
func (f *FactRecord) input(file *rules.File, c *Call) rules.Input {
	call := rules.Call{Caller: rules.NewCaller(c.From, c.UserID, c.Name), Number: c.Number, Payload: c.Payload}
	rt := &rules.Runtime{Switches: map[string]rules.Switch{}, Entries: map[string]map[string]time.Time{}}
	for hours, s := range f.Switched {
		rt.Switches[hours] = rules.Switch{Open: s.Open, Until: s.Until, Reason: s.Reason}
	}
	facts := rules.Facts{Listed: map[string]bool{}, Queues: f.Queues, Calls: map[time.Duration]int{}}
	for _, l := range file.Lists() {
		is, known := f.Listed[l.Name]
		switch {
		case !known:
		case l.Store:
			facts.Listed[l.Name] = is
		case is:
			rt.Entries[l.Name] = map[string]time.Time{c.CallerKey: {}}
		}
	}
	for text, n := range f.Calls {
		if d, err := time.ParseDuration(text); err == nil { // it was written by Duration.String
			facts.Calls[d] = n
		}
	}
	if f.Error != "" {
		facts.Err = errors.New(f.Error)
	}
	return file.Input(call, f.Wall, rt, facts)
}

// unpackedVersion is a version that is not in force any more.
type unpackedVersion struct {
	version string
	file    *rules.File // nil: it cannot be unpacked, and need not be tried again
}

var errUnpack = fmt.Errorf("%w: the rules of that version cannot be read any more", ErrNotFound)

// unpacked returns the rules of a version: those in memory, or those that the store keeps. ErrNotFound: nobody has
// them.
func (e *Engine) unpacked(ctx context.Context, version string) (*rules.File, error) {
	if f, ok := e.version(version); ok {
		return f, nil
	}
	if u, ok := e.wasUnpacked(version); ok {
		if u.file == nil {
			return nil, errUnpack
		}
		return u.file, nil
	}
	packed, err := e.Store.Version(ctx, version)
	if err != nil {
		return nil, err
	}
	f, err := rules.Unpack(version, packed)
	if err != nil {
		e.report(
			"versions",
			"the rules of an older version cannot be read any more; calls it decided are shown without why",
			err,
			"rules", version,
		)
		f, err = nil, errUnpack
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.explained = append(e.explained, unpackedVersion{version, f})
	if len(e.explained) > maxUnpacked {
		e.explained = e.explained[1:]
	}
	return f, err
}

func (e *Engine) wasUnpacked(version string) (unpackedVersion, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.explained, func(u unpackedVersion) bool { return u.version == version })
	if i < 0 {
		return unpackedVersion{}, false
	}
	return e.explained[i], true
}

// KeepVersion has the store keep the rules in force, for as long as records name them. It is a job: each time it tells
// the store that they are still in force.
func (e *Engine) KeepVersion(ctx context.Context) error {
	f := e.Rules()
	err := e.Store.TouchVersion(ctx, f.Version())
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	packed, err := f.Pack()
	if err != nil {
		return err
	}
	return e.Store.PutVersion(ctx, f.Version(), packed)
}
