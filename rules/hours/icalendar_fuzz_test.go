package hours

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Whatever a calendar file has in it: it is read in bounded time, a fault has a line and says what to do, and a
// calendar can be asked for any day.
func FuzzReadCalendar(f *testing.F) {
	files, err := filepath.Glob("testdata/calendars/*.ics")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	for _, property := range []string{
		"RRULE:FREQ=MONTHLY;BYDAY=-5MO,5SU;BYSETPOS=-1", "RRULE:FREQ=WEEKLY;WKST=SU;BYDAY=TU;INTERVAL=53",
		"RRULE:FREQ=YEARLY;BYWEEKNO=-53;BYYEARDAY=366", "RRULE:FREQ=YEARLY;BYDAY=53MO,-53SU;COUNT=0",
		"RDATE:20260101T000000/P1D",
		"DURATION:P1W2DT3H4M5S", "EXDATE;TZID=\"a:b;c,d\":20260101,20260102T000000Z", "DTEND;VALUE=DATE:99991231",
		"RECURRENCE-ID;RANGE=:20260101",
		"SUMMARY;X=a,b;Y=\"c\":d\\, e\\n", "DTSTART;A=", "RRULE:FREQ=DAILY;UNTIL=T000000Z",
	} {
		f.Add(event("DTSTART:20260102", property))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			t.Skip()
		}
		began := time.Now()
		calendar, faults := ReadCalendar("city", linesOf(text), time.UTC, loadedAt)
		if took := time.Since(began); took > 30*time.Second {
			t.Fatalf("took %v", took)
		}
		lines := strings.Count(text, "\n") + 1
		for _, fault := range faults {
			if fault.Line < 1 || fault.Line > lines || fault.Message == "" || fault.Hint == "" || fault.Code == "" {
				t.Fatalf("%+v", fault)
			}
			if calendar != nil && !fault.Warning {
				t.Fatalf("a calendar, in spite of %+v", fault)
			}
		}
		if calendar == nil {
			if len(faults) == 0 {
				t.Fatal("neither a calendar nor a fault")
			}
			return
		}
		for _, year := range []int{-1, 0, 1, 1999, 2000, 2026, 2028, 2030, 2101, 9999, 10000} {
			calendar.Holiday(year, time.December, 31)
		}
	})
}

// BenchmarkReadCalendar prints what loading a calendar file costs.
func BenchmarkReadCalendar(b *testing.B) {
	for _, n := range []int{20, 1000, maxEvents} {
		for _, repeats := range []bool{false, true} {
			var text strings.Builder
			text.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\n")
			for i := range n {
				day := time.Date(2000, 1, 1+i%365, 0, 0, 0, 0, time.UTC)
				fmt.Fprintf(&text, "BEGIN:VEVENT\nUID:%d\nDTSTAMP:20260101T120000Z\nDTSTART;VALUE=DATE:%s\n",
					i, day.Format("20060102"))
				fmt.Fprintf(
					&text,
					"SUMMARY:Holiday number %d\\, of the city\nTRANSP:TRANSPARENT\nSTATUS:CONFIRMED\n",
					i,
				)
				if repeats {
					text.WriteString("RRULE:FREQ=YEARLY\n")
				}
				text.WriteString("END:VEVENT\n")
			}
			text.WriteString("END:VCALENDAR\n")
			name := fmt.Sprintf("%d events, once", n)
			if repeats {
				name = fmt.Sprintf("%d events, each year since 2000", n)
			}
			b.Run(name, func(b *testing.B) {
				b.SetBytes(int64(text.Len()))
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				var calendar Calendar
				for b.Loop() {
					if calendar, _ = ReadCalendar("city", linesOf(text.String()), time.UTC, loadedAt); calendar == nil {
						b.Fatal("refused")
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1024, "KiB-kept")
				runtime.KeepAlive(calendar)
			})
		}
	}
}
