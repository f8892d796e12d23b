package hours

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The years in which every public calendar is compared with the second source.
const firstCompared, lastCompared = 2024, 2032

// sourceRow is a day of the second source: what it calls it, and of which kind it is there.
type sourceRow struct{ name, kind string }

// judgement is a difference from the second source: days that count here and are not public there, or the other way
// round, with the law that decides. They are named by the source's name, or day by day where the source has none.
type judgement struct {
	code   string
	counts bool // here
	name   string
	days   string
	why    string
}

// judgements are all differences. A day that is neither the same in both sources nor named here fails the test.
func judgements() []judgement {
	return []judgement{
		{"ar", true, "", "2025-10-10",
			"resolution 139/2025 (under decree 614/2025) had Sunday 12 October 2025 be kept on the Friday before"},
		{"ar", false, "", "2025-10-12", "the same resolution"},
		{"br", true, "Carnaval", "",
			"Tuesday only: an optional day (ponto facultativo) that most keep; it can be left out by name"},
		{"br", true, "Corpo de Deus", "", "as Carnaval"},
		{"br", false, "Dia de Eleição", "",
			"law 10.607/2002 took the days of elections out of the holidays, and the labour court (TST) follows it, " +
				"though the electoral code, article 380, names them; all are Sundays"},
		{"ca", true, "National Day for Truth and Reconciliation", "",
			"Canada Labour Code, section 166, since 2021: a general holiday"},
		// A general holiday on a Saturday or Sunday is kept on a working day beside it (section 193, 2); most
		// employers, and the federal government, take the one after. The source has no such days for Canada.
		{"ca", true, "", "2026-12-28 2027-12-27 2027-12-28 2028-01-03 2028-07-03 2028-10-02 2028-11-13 2029-07-02 " +
			"2029-10-01 2029-11-12 2032-12-27 2032-12-28", "Canada Labour Code, section 193, 2"},
		{"mx", true, "", "2024-10-01 2030-10-01",
			"labour law, article 74, VII, as reformed on 30 September 2024: the hand-over is on 1 October"},
		{"mx", false, "Transmisión del Poder Ejecutivo Federal", "", "the same; the source has the day of before"},
		{"mx", true, "", "2024-06-02 2027-06-06 2030-06-02",
			"labour law, article 74, IX: ordinary elections, on the first Sunday of June by article 22 of the LGIPE"},
		{"nl", true, "Goede Vrijdag", "", "Algemene termijnenwet, article 3, 2"},
		{"nl", true, "Bevrijdingsdag", "", "Algemene termijnenwet, article 3, 1: each year, not each fifth"},
		{"us", true, "Veterans Day (substitute day)", "",
			"5 U.S.C. 6103 (b): as any holiday on a Saturday; banks are the ones that do not keep it"},
	}
}

// TestPublicHolidaysAgainstASecondSource compares every day of the years 2024 to 2032 of every public calendar. Each
// difference is one of the judgements, and each judgement is still a difference.
func TestPublicHolidaysAgainstASecondSource(t *testing.T) {
	source := readSecondSource(t)
	judged := judgements()
	used := make([][]string, len(judged))
	judge := func(code, day string, row sourceRow, counts bool) bool {
		for i, j := range judged {
			if j.code != code || j.counts != counts {
				continue
			}
			if j.name != "" && j.name == row.name || slices.Contains(strings.Fields(j.days), day) {
				used[i] = append(used[i], day)
				return true
			}
		}
		return false
	}
	for _, code := range PublicCalendars() {
		calendar, err := PublicCalendar(code, nil)
		if err != nil {
			t.Fatal(err)
		}
		public := map[int]int{}
		for day := range daysOf(firstCompared, lastCompared) {
			row := source[code+" "+day.Format(time.DateOnly)]
			name, ours := calendar.Holiday(day.Date())
			theirs := row.kind == "public"
			if theirs {
				public[day.Year()]++
			}
			if ours != theirs && !judge(code, day.Format(time.DateOnly), row, ours) {
				t.Errorf("%s, %s: %q here, %q (%s) in the second source", code, day.Format("Mon 2006-01-02"),
					name, row.name, row.kind)
			}
		}
		for year := firstCompared; year <= lastCompared; year++ {
			if public[year] < 5 {
				t.Errorf("%s %d: the second source has %d holidays; was it cut?", code, year, public[year])
			}
		}
	}
	for i, j := range judged {
		for _, day := range strings.Fields(j.days) {
			if !slices.Contains(used[i], day) {
				t.Errorf("%s, %s is no difference any more: take the judgement out (%s)", j.code, day, j.why)
			}
		}
		if len(used[i]) == 0 {
			t.Errorf("%s, %q is no difference any more: take the judgement out (%s)", j.code, j.name, j.why)
		}
	}
}

// readSecondSource returns the rows of testdata/second-source.tsv by "code date". The file says where they are from.
func readSecondSource(t *testing.T) map[string]sourceRow {
	t.Helper()
	data, err := os.ReadFile("testdata/second-source.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]sourceRow{}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			t.Fatalf("second-source.tsv: %q is no row", line)
		}
		// Two of one day: the public one is the one that counts.
		key := fmt.Sprintf("%s %s", f[0], f[1])
		if rows[key].kind != "public" {
			rows[key] = sourceRow{name: f[3], kind: f[2]}
		}
	}
	return rows
}

// daysOf yields the days of the years.
func daysOf(first, last int) func(yield func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		for day := time.Date(first, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() <= last; day = day.AddDate(0, 0, 1) {
			if !yield(day) {
				return
			}
		}
	}
}
