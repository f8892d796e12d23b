package phone

import (
	"strings"
	"sync"
)

// Lists hold a hundred thousand numbers, nearly all of them Brazilian and in normal form already, and so are those of
// nearly all callers. The library takes 14 µs for one, and more for its area, most of it in regular expressions. Whether a Brazilian number is valid depends on its area code and the two
// digits that follow (one for a landline): so the library is asked once for each of these beginnings, and tests compare
// the two for millions of numbers.

const (
	mobileLength   = len("+5511999999999")
	landlineLength = len("+551133333333")
)

// brazilianStarts are the beginnings of valid numbers in normal form: "11" and "99" of a mobile, "11" and "3" of a landline.
// The value is the area code, "" for numbers that have none.
var brazilianStarts = sync.OnceValue(func() map[string]string {
	starts := map[string]string{}
	try := func(start string, length int) {
		number := "+55" + start
		number += strings.Repeat("1", length-len(number))
		if normal, err := Normalize(number); err != nil || normal != number {
			return
		}
		if n, ok := parseNormal(number[1:]); ok {
			starts[start] = areaOf(n)
		}
	}
	for area := 11; area <= 99; area++ {
		code := string([]byte{'0' + byte(area/10), '0' + byte(area%10)})
		for d := byte('0'); d <= '9'; d++ {
			try(code+"9"+string(d), mobileLength)
			try(code+string(d), landlineLength)
		}
	}
	return starts
})

// SurelyNormal reports whether a text is a valid number in normal form, as Normalize would return it, a hundred times as
// fast. It knows Brazilian numbers only, and false says nothing. The first use takes as long as Normalize for 2,000 numbers.
func SurelyNormal(raw string) bool {
	_, ok := brazilian(raw)
	return ok
}

// brazilian returns the area code of a valid Brazilian number in normal form. ok is false for any other text, and for
// Brazilian numbers that begin as no mobile or landline does.
func brazilian(raw string) (area string, ok bool) {
	end := 7
	switch len(raw) {
	case mobileLength:
	case landlineLength:
		end = 6
	default:
		return "", false
	}
	if raw[:3] != "+55" {
		return "", false
	}
	for i := 3; i < len(raw); i++ {
		if raw[i] < '0' || raw[i] > '9' {
			return "", false
		}
	}
	area, ok = brazilianStarts()[raw[3:end]]
	return area, ok
}
