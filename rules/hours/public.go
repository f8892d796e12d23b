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

// publicHolidays are the nation-wide holidays by country. Two rules of one name
// are one holiday, kept on either day. It is never written to.
var publicHolidays = map[string][]*cal.Holiday{
	"ar": argentina(),
	"br": brazil(),
	"ca": ca.Holidays,
	"de": de.Holidays,
	"es": es.Holidays,
	"fr": fr.Holidays,
	"gb": gb.Holidays,
	"it": it.Holidays,
	"mx": mexico(),
	"nl": nl.Holidays,
	"pt": pt.Holidays,
	"us": us.Holidays,
}

// replace is the list with one holiday in the place of another.
func replace(list []*cal.Holiday, old, new *cal.Holiday) []*cal.Holiday {
	list = slices.Clone(list)
	list[slices.Index(list, old)] = new
	return list
}

// brazil dates Consciência Negra from the law that made it national
// (14.759/2023, first kept in 2024).
func brazil() []*cal.Holiday {
	return replace(br.Holidays, br.ConscienciaNegra, br.ConscienciaNegra.Clone(&cal.Holiday{StartYear: 2024}))
}

// argentina puts Viernes Santo on the Friday (the library has the Thursday) and
// moves the movable holidays as law 27.399, article 6, does: from Tuesday and
// Wednesday to the Monday before, from Thursday and Friday to the Monday after.
func argentina() []*cal.Holiday {
	moved := []cal.AltDay{
		{Day: time.Tuesday, Offset: -1},
		{Day: time.Wednesday, Offset: -2},
		{Day: time.Thursday, Offset: 4},
		{Day: time.Friday, Offset: 3},
		{Day: time.Saturday, Offset: -1},
		{Day: time.Sunday, Offset: 1},
	}
	list := replace(ar.Holidays, ar.EasternsDay, aa.GoodFriday.Clone(&cal.Holiday{Name: ar.EasternsDay.Name}))
	for _, h := range []*cal.Holiday{ar.GuemesDay, ar.SanMartinDay, ar.DiversityDay, ar.SovereigntyDay} {
		list = replace(list, h, h.Clone(&cal.Holiday{Observed: moved}))
	}
	return list
}

// mexico adds the Mondays on which article 74 of the labour law has the
// holidays of 5 February and 21 March be kept since 2006.
func mexico() []*cal.Holiday {
	return append(slices.Clone(mx.Holidays),
		monday(mx.ConstitutionDay.Name, time.February, 1),
		monday(mx.BenitoJuarezDay.Name, time.March, 3))
}

// monday is a holiday on the nth Monday of a month.
func monday(name string, month time.Month, n int) *cal.Holiday {
	return &cal.Holiday{Name: name, Type: cal.ObservancePublic, StartYear: 2006, Month: month, Weekday: time.Monday, Offset: n, Func: cal.CalcWeekdayOffset}
}
