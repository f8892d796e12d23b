package hours

import (
	"slices"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/aa"
	"github.com/rickar/cal/v2/ar"
	"github.com/rickar/cal/v2/br"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/mx"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/pt"
	"github.com/rickar/cal/v2/us"
)

// publicHolidays are the nation-wide holidays by country: the library's, corrected where the law says otherwise.
// TestPublicHolidaysAgainstASecondSource compares each year of each calendar. Two rules of one name are one holiday,
// kept on either day. The map is never written to.
var publicHolidays = map[string][]*cal.Holiday{
	"ar": argentina(),
	"br": brazil(),
	"ca": canada(),
	"de": de.Holidays,
	"es": es.Holidays,
	"fr": fr.Holidays,
	"gb": gb.Holidays,
	"it": italy(),
	"mx": mexico(),
	"nl": netherlands(),
	"pt": pt.Holidays,
	"us": us.Holidays,
}

// argentina follows law 27.399. The library has Viernes Santo on the Thursday, moves holidays that the law never moves,
// and counts both days of one that is moved.
func argentina() []*cal.Holiday {
	list := slices.Clone(ar.Holidays)
	list = replace(list, ar.EasternsDay, aa.GoodFriday.Clone(&cal.Holiday{Name: ar.EasternsDay.Name}))
	list = replace(list, ar.BelgranoDay, onItsDate(ar.BelgranoDay, 0))
	// Article 6: from Tuesday and Wednesday to the Monday before, from Thursday and Friday to the Monday after. A
	// Saturday or Sunday is moved only by a resolution for that year (decree 614/2025), as below.
	rule := moves{time.Tuesday: -1, time.Wednesday: -2, time.Thursday: 4, time.Friday: 3}
	for _, h := range []*cal.Holiday{ar.SanMartinDay, ar.SovereigntyDay} {
		list = replace(list, h, rule.of(h))
	}
	// On a Friday it stays: the Monday after is 20 June, a holiday already (so in 2022).
	list = replace(list, ar.GuemesDay,
		moves{time.Tuesday: -1, time.Wednesday: -2, time.Thursday: 4}.of(ar.GuemesDay))
	// Resolution 139/2025: Sunday 12 October 2025 was kept on the Friday.
	list = replace(list, ar.DiversityDay, rule.of(ar.DiversityDay.Clone(&cal.Holiday{Except: []int{2025}})))
	list = append(list, once(ar.DiversityDay.Name, 2025, time.October, 10))
	// Decree 106/2023. The bridge days of 2025 and 2026 are days on which each employer decides (días no laborables).
	const bridge = "Feriado con fines turísticos"
	return append(list,
		once(bridge, 2024, time.April, 1), once(bridge, 2024, time.June, 21), once(bridge, 2024, time.October, 11))
}

// brazil dates Consciência Negra from the law that made it national
// (14.759/2023, first kept in 2024).
func brazil() []*cal.Holiday {
	return replace(slices.Clone(br.Holidays), br.ConscienciaNegra,
		br.ConscienciaNegra.Clone(&cal.Holiday{StartYear: 2024}))
}

// canada has the ten general holidays of the Canada Labour Code, section 166. The library adds Easter Monday and the
// Civic Holiday, which are no holidays in most provinces.
func canada() []*cal.Holiday {
	return slices.DeleteFunc(slices.Clone(ca.Holidays), func(h *cal.Holiday) bool {
		return h == ca.EasterMonday || h == ca.CivicDay
	})
}

// italy adds Easter Sunday, and San Francesco d'Assisi, which law 151/2025 made a holiday from 2026 on.
func italy() []*cal.Holiday {
	return append(slices.Clone(it.Holidays),
		aa.Easter.Clone(&cal.Holiday{Name: "Pasqua", Type: cal.ObservancePublic}),
		&cal.Holiday{
			Name: "San Francesco d'Assisi", Type: cal.ObservancePublic, StartYear: 2026,
			Month: time.October, Day: 4, Func: cal.CalcDayOfMonth,
		})
}

// mexico follows article 74 of the labour law. Since 2006 three holidays are kept on Mondays instead of on their dates,
// and none is moved from a weekend; the library does that.
func mexico() []*cal.Holiday {
	list := slices.Clone(mx.Holidays)
	for _, h := range []*cal.Holiday{mx.NewYear, mx.LabourDay, mx.IndependenceDay, mx.ChristmasDay} {
		list = replace(list, h, onItsDate(h, 0))
	}
	list = replace(list, mx.ConstitutionDay, onItsDate(mx.ConstitutionDay, 2005))
	// In 2006, 200 years after his birth, it was kept on the date.
	list = replace(list, mx.BenitoJuarezDay, onItsDate(mx.BenitoJuarezDay, 2006))
	const handOver, election = "Transfer of the Federal Executive Power", "Election Day"
	return append(list,
		monday(mx.ConstitutionDay.Name, time.February, 1, 2006),
		monday(mx.BenitoJuarezDay.Name, time.March, 3, 2007),
		// Fraction VII, as reformed on 30 September 2024; the hand-overs before were on 1 December.
		&cal.Holiday{
			Name: handOver, Type: cal.ObservancePublic, StartYear: 2024,
			Month: time.October, Day: 1, Func: everyYears(6, 2024, cal.CalcDayOfMonth),
		},
		&cal.Holiday{
			Name: handOver, Type: cal.ObservancePublic, StartYear: 1970, EndYear: 2018,
			Month: time.December, Day: 1, Func: everyYears(6, 2018, cal.CalcDayOfMonth),
		},
		// Fraction IX, and article 22 of the electoral law (LGIPE): ordinary federal elections are on the first Sunday
		// of June.
		&cal.Holiday{
			Name: election, Type: cal.ObservancePublic, StartYear: 2021,
			Month: time.June, Weekday: time.Sunday, Offset: 1, Func: everyYears(3, 2021, cal.CalcWeekdayOffset),
		})
}

// netherlands adds the two Sundays of the government's list that the library leaves out, and keeps a King's Day that
// falls on a Sunday on the Saturday before only.
func netherlands() []*cal.Holiday {
	return append(
		replace(slices.Clone(nl.Holidays), nl.Koningsdag, moves{time.Sunday: -1}.of(nl.Koningsdag)),
		nl.EerstePaasdag, nl.EerstePinksterDag)
}

// onItsDate is a holiday that is never moved, until the year given (0: for good).
func onItsDate(h *cal.Holiday, until int) *cal.Holiday {
	return h.Clone(&cal.Holiday{EndYear: until, Observed: []cal.AltDay{}})
}

// moves is by how many days a holiday is moved from a day of the week. It is kept on the new day instead of its date,
// unlike with the library's Observed, where both days count.
type moves map[time.Weekday]int

func (m moves) of(h *cal.Holiday) *cal.Holiday {
	moved := onItsDate(h, 0)
	moved.Func = func(self *cal.Holiday, year int) time.Time {
		day := h.Func(self, year)
		return day.AddDate(0, 0, m[day.Weekday()])
	}
	return moved
}

// everyYears is a holiday of every nth year, counted from one in which it is kept.
func everyYears(n, from int, day cal.HolidayFn) cal.HolidayFn {
	return func(self *cal.Holiday, year int) time.Time {
		if (year-from)%n != 0 {
			return time.Time{}
		}
		return day(self, year)
	}
}

// once is a holiday of one year.
func once(name string, year int, month time.Month, day int) *cal.Holiday {
	return &cal.Holiday{
		Name: name, Type: cal.ObservancePublic, StartYear: year, EndYear: year,
		Month: month, Day: day, Func: cal.CalcDayOfMonth,
	}
}

// monday is a holiday on the nth Monday of a month.
func monday(name string, month time.Month, n, since int) *cal.Holiday {
	return &cal.Holiday{
		Name: name, Type: cal.ObservancePublic, StartYear: since,
		Month: month, Weekday: time.Monday, Offset: n, Func: cal.CalcWeekdayOffset,
	}
}

// replace puts one holiday of a list in the place of another.
func replace(list []*cal.Holiday, old, new *cal.Holiday) []*cal.Holiday {
	list[slices.Index(list, old)] = new
	return list
}
