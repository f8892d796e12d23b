package rules

import (
	"fmt"
	"strings"
	"time"
)

// story says why hours are open or closed at an instant, and when that changes.
func (h *hours) story(now time.Time, sw *Switch) string {
	if sw.active(now) {
		text := "switched closed"
		if sw.Open {
			text = "switched open"
		}
		text += " until " + formatWhen(sw.Until.In(h.loc), "en")
		if sw.Reason != "" {
			text += ", " + sw.Reason
		}
		return text
	}
	day, open := h.openedOn(now)
	text := h.planOf(day)
	if open {
		if t, ok := h.closes(now, nil); ok {
			text += "; closes " + formatWhen(t, "en")
		}
		return text
	}
	if t, ok := h.opens(now, nil); ok {
		return text + "; opens " + formatWhen(t, "en")
	}
	return text + "; does not open within a year"
}

// planOf says what the windows of a day are, and where they come from.
func (h *hours) planOf(day civil) string {
	if r := h.exception(day); r != nil {
		return fmt.Sprintf("date %s is %s", r.spec, listWindows(r.windows))
	}
	for _, c := range h.calendars {
		if name, ok := c.holiday(day.year, day.month, day.day); ok {
			return fmt.Sprintf("holiday %q of %s", name, c.title())
		}
	}
	weekday := strings.ToLower(day.weekday().String()[:3])
	return fmt.Sprintf("%s is %s", weekday, listWindows(h.weekly[day.weekday()]))
}

func listWindows(ws []window) string {
	if len(ws) == 0 {
		return "closed"
	}
	texts := make([]string, len(ws))
	for i, w := range ws {
		texts[i] = w.String()
	}
	return strings.Join(texts, ", ")
}
