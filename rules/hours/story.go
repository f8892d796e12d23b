package hours

import (
	"fmt"
	"strings"
	"time"
)

// Story says why hours are open or closed at an instant, and when that changes.
func (h *Plan) Story(now time.Time, sw *Switch) string {
	if sw.Active(now) {
		text := "switched closed"
		if sw.Open {
			text = "switched open"
		}
		text += " until " + FormatWhen(sw.Until.In(h.Location), "en")
		if sw.Reason != "" {
			text += ", " + sw.Reason
		}
		return text
	}
	day, open := h.openedOn(now)
	text := h.planOf(day)
	if open {
		if t, ok := h.Closes(now, nil); ok {
			text += "; closes " + FormatWhen(t, "en")
		}
		return text
	}
	if t, ok := h.Opens(now, nil); ok {
		return text + "; opens " + FormatWhen(t, "en")
	}
	return text + "; does not open within a year"
}

// planOf says what the windows of a day are, and where they come from.
func (h *Plan) planOf(day civil) string {
	if r := h.exceptionOn(day); r != nil {
		return fmt.Sprintf("date %s is %s", r.On, listWindows(r.Windows))
	}
	for _, c := range h.Calendars {
		if name, ok := c.Holiday(day.year, day.month, day.day); ok {
			return fmt.Sprintf("holiday %q of %s", name, c.Title())
		}
	}
	weekday := strings.ToLower(day.weekday().String()[:3])
	return fmt.Sprintf("%s is %s", weekday, listWindows(h.Weekly[day.weekday()]))
}

func listWindows(ws []Window) string {
	if len(ws) == 0 {
		return "closed"
	}
	texts := make([]string, len(ws))
	for i, w := range ws {
		texts[i] = w.String()
	}
	return strings.Join(texts, ", ")
}
