package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"callrouter/rules/week"

	"callrouter/rules"
)

// halfHours are the cells of a day.
const halfHours = 48

// Week is a week, half hour by half hour, as the clock on the wall shows it.
type Week struct {
	*Ahead
	day      time.Time // the first, as a midnight in UTC
	outcomes []week.Interval
	letters  []byte // by outcome
	of       []int  // outcome, by interval
	cells    [7][halfHours]cell
	pieces   []piece
}

// cell is half an hour of the wall's clock. It is empty if clocks are set forward over it.
type cell struct {
	seen  bool
	first int // outcome at its beginning
	mixed bool
}

// piece is a stretch of one outcome on one day, in which the wall's clock runs without a jump.
type piece struct {
	interval, day int
	from, to      time.Duration // on the wall, since midnight
	again         bool          // the clock was set back: it shows these times for the second time
}

// Nobody can tell more letters apart; further outcomes share one sign.
const (
	lettersInUse = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	furtherSign  = '+'
)

// NewWeek lays a week of decisions out, from its first day on (a midnight in UTC).
func NewWeek(a *Ahead, day time.Time) *Week {
	w := &Week{Ahead: a, day: day}
	known := map[string]int{}
	for _, i := range a.Intervals {
		key := decider(i) + "\x00" + action(i)
		n, ok := known[key]
		if !ok {
			n = len(w.outcomes)
			known[key] = n
			w.outcomes = append(w.outcomes, i)
			letter := byte(furtherSign)
			if n < len(lettersInUse) {
				letter = lettersInUse[n]
			}
			w.letters = append(w.letters, letter)
		}
		w.of = append(w.of, n)
	}
	for n, i := range a.Intervals {
		w.place(n, i)
	}
	return w
}

// place cuts an interval into pieces, one or more a day.
func (w *Week) place(n int, i week.Interval) {
	for t := i.Start; t.Before(i.End); {
		y, m, d := t.Date()
		midnight := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
		_, offset := t.Zone()
		wall := t.Add(time.Duration(offset) * time.Second).UTC()
		end := t.Add(midnight.AddDate(0, 0, 1).Sub(wall))
		if end.After(i.End) {
			end = i.End
		}
		since, set := t.ZoneBounds()
		if !set.IsZero() && set.Before(end) {
			end = set
		}
		p := piece{interval: n, day: int(midnight.Sub(w.day) / (24 * time.Hour)), from: wall.Sub(midnight)}
		if !since.IsZero() {
			_, before := since.Add(-1).Zone()
			if over := since.Add(time.Duration(before-offset) * time.Second); t.Before(over) {
				p.again = true
				if over.Before(end) {
					end = over
				}
			}
		}
		p.to = p.from + end.Sub(t)
		w.add(p)
		t = end
	}
}

func (w *Week) add(p piece) {
	if p.day < 0 || p.day > 6 {
		return
	}
	w.pieces = append(w.pieces, p)
	for k := int(p.from / (30 * time.Minute)); k < halfHours && time.Duration(k)*30*time.Minute < p.to; k++ {
		c := &w.cells[p.day][k]
		if !c.seen {
			*c = cell{seen: true, first: w.of[p.interval]}
		} else if c.first != w.of[p.interval] {
			c.mixed = true
		}
	}
}

// The signs of a cell that is not one outcome.
const missingSign = '.'

func (w *Week) sign(c cell) byte {
	switch {
	case !c.seen:
		return missingSign
	case c.mixed:
		return []byte(strings.ToLower(string(w.letters[c.first])))[0]
	}
	return w.letters[c.first]
}

// colours are light, for black letters, and can be told apart by people who do not see all colours.
var colours = []struct {
	terminal int // of the 256
	web      string
}{
	{
		117,
		"#8fd0f5",
	}, {222, "#f6cf73"}, {115, "#86d7b6"}, {217, "#f7b3a4"}, {183, "#d5b7ee"}, {229, "#f8f2a0"}, {251, "#cccccc"}, {153, "#b4c9f2"},
}

func (w *Week) paint(outcome int, text string, colour bool) string {
	if !colour {
		return text
	}
	return fmt.Sprintf("\x1b[38;5;16;48;5;%dm%s\x1b[0m", colours[outcome%len(colours)].terminal, text)
}

// Print prints the week as text: a grid of half hours, a legend, and every interval.
func (w *Week) Print(out io.Writer, colour bool) error {
	var b strings.Builder
	fmt.Fprintf(
		&b,
		"%s, week of %s (%s)\nto      %s\ncaller  %s\n\n",
		w.File.Path(),
		w.day.Format("2 January 2006"),
		w.File.Location(),
		w.Call.Number,
		w.caller(),
	)
	w.printGrid(&b, colour)
	b.WriteString("\n")
	w.printLegend(&b, colour)
	b.WriteString("\n")
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	clock := w.clockLayout()
	for n, i := range w.Intervals {
		fmt.Fprintf(
			t,
			"%s\t%s\t%c  %s\t%s\n",
			i.Start.Format("Mon _2 Jan "+clock),
			i.End.Format("Mon _2 Jan "+clock),
			w.letters[w.of[n]],
			decider(i),
			action(i),
		)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (w *Week) printGrid(b *strings.Builder, colour bool) {
	b.WriteString("           ")
	for hour := 0; hour < 24; hour += 3 {
		fmt.Fprintf(b, " %-6s", fmt.Sprintf("%02d", hour))
	}
	b.WriteString(" 24\n")
	for d := range 7 {
		fmt.Fprintf(b, "%-11s", w.day.AddDate(0, 0, d).Format("Mon _2 Jan"))
		for k := 0; k < halfHours; {
			if k%6 == 0 {
				b.WriteString(" ")
			}
			c, from := w.cells[d][k], k
			for k++; k < halfHours && k%6 != 0 && w.cells[d][k] == c; {
				k++
			}
			text := strings.Repeat(string(w.sign(c)), k-from)
			if c.seen {
				text = w.paint(c.first, text, colour)
			}
			b.WriteString(text)
		}
		b.WriteString("\n")
	}
}

func (w *Week) printLegend(b *strings.Builder, colour bool) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	further := 0
	for n, o := range w.outcomes {
		if w.letters[n] == furtherSign {
			further++
			continue
		}
		fmt.Fprintf(t, "%s  %s\t%s\n", w.paint(n, string(w.letters[n]), colour), decider(o), action(o))
	}
	_ = t.Flush() // into memory
	if further > 0 {
		fmt.Fprintf(b, "%c  %s more, listed below\n", furtherSign, Plural(further, "outcome"))
	}
	mixed, missing := w.signsUsed()
	if mixed {
		b.WriteString("a small letter: the decision changes within this half hour, and this is what it begins with\n")
	}
	if missing {
		fmt.Fprintf(b, "%c  clocks are set forward over this half hour\n", missingSign)
	}
}

// signsUsed reports whether a half hour has several outcomes, and whether the clock skips one.
func (w *Week) signsUsed() (mixed, missing bool) {
	for _, day := range w.cells {
		for _, c := range day {
			mixed, missing = mixed || c.mixed, missing || !c.seen
		}
	}
	return mixed, missing
}

// clockLayout shows seconds and offsets only where they differ.
func (a *Ahead) clockLayout() string {
	layout := "15:04"
	for _, i := range a.Intervals[1:] {
		if i.Start.Second() != 0 {
			layout = "15:04:05"
		}
	}
	_, first := a.Start.Zone()
	for _, i := range a.Intervals {
		if _, offset := i.End.Zone(); offset != first {
			return layout + " -07:00"
		}
	}
	return layout
}

// decider is what decides: a rule by its name, the default, or on_error.
func decider(i week.Interval) string {
	if i.Rule != nil {
		return *i.Rule
	}
	if i.By == rules.ByOnError {
		return "(on_error)"
	}
	return "(default)"
}

// action describes what is done.
func action(i week.Interval) string {
	text := string(i.Action)
	for _, part := range []struct {
		label string
		value *string
	}{{" to ", i.Queue}, {" with ", i.Answer}, {", message ", i.Message}} {
		if part.value != nil {
			text += part.label + *part.value
		}
	}
	return text
}
