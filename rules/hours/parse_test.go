package hours

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWindowsAreAStartAndAnEnd(t *testing.T) {
	for s, want := range map[string]Window{
		"09:00-18:00":   {540, 1080},
		"9:00-12:00":    {540, 720},
		"22:00-06:00":   {1320, 360},
		"00:00-24:00":   {0, 1440},
		"22:00-00:00":   {1320, 0},
		"23:59-24:00":   {1439, 1440},
		" 9:00 - 9:30 ": {540, 570},
	} {
		if got, err := ParseWindow(s); err != nil || got != want {
			t.Errorf("parseWindow(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"09:00":       "not a start and an end: write 09:00-18:00",
		"":            "not a start and an end",
		"open":        "not a start and an end",
		"9-18":        `start: time "9" cannot be read: write it as 09:00`,
		"09:00-18":    `end: time "18" cannot be read`,
		"09:00-25:00": `end: time "25:00" does not exist`,
		"09:00-24:01": `end: time "24:01" does not exist`,
		"09:60-18:00": `start: time "09:60" does not exist`,
		"24:00-06:00": `start: time "24:00" is only legal as an end; write 00:00`,
		"09:00-09:00": "end when they start: write 00:00-24:00",
		"9:0-18:00":   `start: time "9:0" cannot be read`,
		"-9:00-18:00": "cannot be read",
		"9am-5pm":     "cannot be read",
		"09:00–18:00": "not a start and an end",
	} {
		if got, err := ParseWindow(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseWindow(%q) = %v, %v; want an error with %q", s, got, err, want)
		}
	}
}

func TestWindowsOfOneDayMustNotOverlap(t *testing.T) {
	for s, overlap := range map[string]bool{
		"09:00-12:00 13:00-17:00": false,
		"13:00-17:00 09:00-12:00": false,
		"09:00-12:00 12:00-17:00": false,
		"09:00-12:00 11:59-17:00": true,
		"09:00-18:00 10:00-11:00": true,
		"09:00-12:00 09:00-12:00": true,
		"00:00-24:00 23:00-01:00": true,
		"20:00-02:00 22:00-06:00": true,
		// The tail belongs to the next day: only what starts together counts.
		"22:00-06:00 00:00-07:00": false,
		"22:00-06:00 05:00-22:00": false,
		"22:00-06:00 05:00-22:01": true,
	} {
		var ws []Window
		for _, f := range strings.Fields(s) {
			w, err := ParseWindow(f)
			if err != nil {
				t.Fatal(err)
			}
			ws = append(ws, w)
		}
		if err := CheckWindows(ws); (err != nil) != overlap {
			t.Errorf("checkWindows(%s) = %v, want an error: %v", s, err, overlap)
		}
	}
}

func TestDaysAreNamesRangesAndLists(t *testing.T) {
	const sun, mon, tue, wed, thu, fri, sat = time.Sunday, time.Monday, time.Tuesday, time.Wednesday, time.Thursday,
		time.Friday, time.Saturday
	for s, want := range map[string][]time.Weekday{
		"mon":              {mon},
		"mon-fri":          {mon, tue, wed, thu, fri},
		"sat-mon":          {sat, sun, mon},
		"sun-sat":          {sun, mon, tue, wed, thu, fri, sat},
		"mon,wed":          {mon, wed},
		"mon-tue, fri-sat": {mon, tue, fri, sat},
		"daily":            {mon, tue, wed, thu, fri, sat, sun},
	} {
		if got, err := ParseDays(s); err != nil || !slices.Equal(got, want) {
			t.Errorf("parseDays(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"":            `unknown day ""`,
		"Monday":      `unknown day "Monday": write mon`,
		"seg":         `unknown day "seg": days are mon, tue`,
		"mon-":        `unknown day ""`,
		"mon,":        `unknown day ""`,
		"mon-fri-sun": "unknown day",
		"mon,mon":     "name mon twice",
		"mon-wed,tue": "name tue twice",
		"daily,sun":   "name sun twice",
		"mon-mon":     "starts and ends on one day: write mon, or daily",
	} {
		if got, err := ParseDays(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseDays(%q) = %v, %v; want an error with %q", s, got, err, want)
		}
	}
}
