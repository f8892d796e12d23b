package report

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"time"
)

// The measures of the picture, in its own units.
const (
	svgLeft   = 110
	svgHour   = 34
	svgRow    = 34
	svgTop    = 124
	svgLegend = 24
)

// SVG draws the week: a row a day, to the minute, with a letter for each outcome and a legend. It needs nothing else:
// no script, no font, no other file.
func (w *Week) SVG() string {
	width := svgLeft + 24*svgHour + 30
	notes := w.notes()
	height := svgTop + 7*svgRow + 36 + svgLegend*(len(w.outcomes)+len(notes))
	title := fmt.Sprintf("Calls to %s, week of %s", w.Call.Number, w.day.Format("2 January 2006"))
	var b strings.Builder
	fmt.Fprintf(
		&b,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title desc" font-family="system-ui, 'DejaVu Sans', Arial, sans-serif" font-size="14" fill="#1a1a1a">`+"\n",
		width,
		height,
		width,
		height,
	)
	fmt.Fprintf(
		&b,
		"<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n",
		html.EscapeString(title),
		html.EscapeString(w.inWords()),
	)
	b.WriteString(`<rect width="100%" height="100%" fill="#ffffff"/>` + "\n")
	text(&b, 20, 32, `font-size="20" font-weight="600"`, title)
	text(&b, 20, 56, `fill="#555555"`, "caller "+w.caller())
	text(&b, 20, 76, `fill="#555555"`, "times in "+w.File.Location().String())
	w.drawRows(&b)
	for n := range w.Intervals {
		w.drawInterval(&b, n)
	}
	w.drawLines(&b)
	w.drawLetters(&b)
	y := svgTop + 7*svgRow + 24
	for n, o := range w.outcomes {
		fmt.Fprintf(
			&b,
			`<rect x="20" y="%d" width="26" height="18" rx="2" fill="%s" stroke="#555555" stroke-width="0.5"/>`+"\n",
			y,
			colours[n%len(colours)].web,
		)
		text(&b, 33, y+14, `text-anchor="middle" font-weight="600"`, string(w.letters[n]))
		text(&b, 56, y+14, "", decider(o)+": "+action(o))
		y += svgLegend
	}
	for _, note := range notes {
		text(&b, 20, y+14, `fill="#555555"`, note)
		y += svgLegend
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func text(b *strings.Builder, x, y int, attributes, s string) {
	fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" %s>%s</text>\n", x, y, attributes, html.EscapeString(s))
}

func (w *Week) drawRows(b *strings.Builder) {
	for d := range 7 {
		y := svgTop + d*svgRow
		text(b, 20, y+22, "", w.day.AddDate(0, 0, d).Format("Mon _2 Jan"))
		// Clocks are set forward over a time that no interval covers.
		fmt.Fprintf(
			b,
			`<rect x="%d" y="%d" width="%d" height="%d" fill="#eeeeee"/>`+"\n",
			svgLeft,
			y+3,
			24*svgHour,
			svgRow-6,
		)
	}
}

// drawInterval draws the pieces of an interval. Times that the clock shows twice are parted: first above, then below.
func (w *Week) drawInterval(b *strings.Builder, n int) {
	outcome := w.of[n]
	i := w.Intervals[n]
	clock := w.clockLayout()
	fmt.Fprintf(b, "<g><title>%s</title>\n", html.EscapeString(fmt.Sprintf("%s to %s: %s: %s",
		i.Start.Format("Mon _2 Jan "+clock), i.End.Format("Mon _2 Jan "+clock), decider(i), action(i))))
	for _, p := range w.pieces {
		if p.interval != n {
			continue
		}
		x, y, width, height := p.box()
		fmt.Fprintf(
			b,
			`<rect x="%.2f" y="%.1f" width="%.2f" height="%.1f" fill="%s" stroke="#555555" stroke-width="0.5"/>`+"\n",
			x,
			y,
			width,
			height,
			colours[outcome%len(colours)].web,
		)
	}
	b.WriteString("</g>\n")
}

// box returns the rectangle of a piece.
func (p piece) box() (x, y, width, height float64) {
	y, height = float64(svgTop+p.day*svgRow+3), svgRow-6
	if p.again {
		y, height = y+height/2, height/2
	}
	return svgLeft + p.from.Hours()*svgHour, y, (p.to - p.from).Hours() * svgHour, height
}

// drawLetters writes the letter onto every piece that has room for it.
func (w *Week) drawLetters(b *strings.Builder) {
	b.WriteString(`<g text-anchor="middle" font-weight="600" pointer-events="none">` + "\n")
	for _, p := range w.pieces {
		x, y, width, height := p.box()
		if width >= 14 {
			size := min(14, height-2)
			fmt.Fprintf(
				b,
				`<text x="%.2f" y="%.1f" font-size="%.0f">%c</text>`+"\n",
				x+width/2,
				y+height/2+size*0.36,
				size,
				w.letters[w.of[p.interval]],
			)
		}
	}
	b.WriteString("</g>\n")
}

// notes explain changes of the clock in the week, if there are any.
func (w *Week) notes() []string {
	var all []string
	if slices.ContainsFunc(w.pieces, func(p piece) bool { return p.again }) {
		all = append(
			all,
			"Where a row is split, clocks are set back and show these times twice: the second time is below.",
		)
	}
	if _, missing := w.signsUsed(); missing {
		all = append(all, "Where a row is empty, clocks are set forward.")
	}
	return all
}

func (w *Week) drawLines(b *strings.Builder) {
	for hour := 0; hour <= 24; hour++ {
		x := svgLeft + hour*svgHour
		stroke := "#00000022"
		if hour%3 == 0 {
			stroke = "#00000066"
			text(b, x, svgTop-10, `text-anchor="middle" fill="#555555"`, fmt.Sprintf("%02d:00", hour))
		}
		fmt.Fprintf(
			b,
			`<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="1" pointer-events="none"/>`+"\n",
			x,
			svgTop-2,
			x,
			svgTop+7*svgRow+2,
			stroke,
		)
	}
}

// inWords describes the picture for screen readers.
func (w *Week) inWords() string {
	total := make([]time.Duration, len(w.outcomes))
	for n, i := range w.Intervals {
		total[w.of[n]] += i.End.Sub(i.Start)
	}
	parts := make([]string, len(w.outcomes))
	for n, o := range w.outcomes {
		parts[n] = fmt.Sprintf("%s (%s) for %s", decider(o), action(o), span(total[n]))
	}
	return fmt.Sprintf(
		"How calls from %s are decided through the week, a row for each day: %s.",
		w.caller(),
		strings.Join(parts, "; "),
	)
}

// span is a length of time in words, to the minute.
func span(d time.Duration) string {
	days, d := d/(24*time.Hour), d%(24*time.Hour)
	hours, minutes := d/time.Hour, d%time.Hour/time.Minute
	var parts []string
	for _, p := range []struct {
		n    time.Duration
		unit string
	}{{days, "d"}, {hours, "h"}, {minutes, "min"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.unit))
		}
	}
	if len(parts) == 0 {
		return "less than a minute"
	}
	return strings.Join(parts, " ")
}
