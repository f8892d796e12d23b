package phone

import (
	"fmt"
	"strings"
	"testing"
)

func TestSpellingsOfOneNumberHaveOneNormalForm(t *testing.T) {
	for normal, spellings := range map[string][]string{
		// Brazil: a mobile has its ninth digit, with or without it in what was received.
		"+5543999951234": {"554399951234", "5543999951234", "+55 43 9995-1234", "+55 (43) 99995-1234",
			"+55 (043) 99995-1234", "0055 43 99995 1234", "55.43.99995.1234"},
		"+5511999998888": {"5511999998888", "551199998888", "\u202a+55\u00a011\u00a099999\u20118888\u202c"},
		"+5511912345678": {"5511912345678"},
		// Landlines never get a nine.
		"+551131361234": {"551131361234", "+55 11 3136-1234"},
		"+551122361741": {"551122361741", "+55 11 2236-1741"},
		"+554532781234": {"554532781234", "+55 45 3278 1234"},
		"+555532781234": {"+55 55 3278-1234"},
		// Nor do services.
		"+558007701234": {"+55 800 770 1234", "+55 0800 770 1234"},
		"+5540041234":   {"+55 4004-1234"},
		"+525512345678": {"5215512345678", "525512345678", "+52 1 55 1234 5678", "+52 55 1234 5678"},
		"+528112345678": {"5218112345678"},
		"+541112345678": {"5491112345678", "541112345678", "+54 9 11 1234-5678", "+54 11 15 1234-5678"},
		"+543516123456": {"5493516123456", "543516123456"},
		"+542901412345": {"5492901412345", "542901412345"},
		"+351912345678": {"351912345678", "+351 912 345 678"},
		"+351211234567": {"351211234567", "+351 21 123 4567"},
		"+14155552671":  {"14155552671", "+1 (415) 555-2671", "1-415-555-2671"},
		"+442079460958": {"+44 (0)20 7946 0958", "442079460958"},
		"+390612345678": {"+39 06 1234 5678", "390612345678"},
		"+4930123456":   {"+49 30 123456", "+49 (0)30/123456"},
	} {
		for _, s := range spellings {
			if got, err := Normalize(s); err != nil || got != normal {
				t.Errorf("Normalize(%q) = %q, %v; want %q", s, got, err, normal)
			}
			if got, ok := Received(s); !ok || got.E164 != normal {
				t.Errorf("Received(%q) = %+v, %v; want %q", s, got, ok, normal)
			}
		}
		if again, err := Normalize(normal); err != nil || again != normal {
			t.Errorf("Normalize(%q) = %q, %v: not stable", normal, again, err)
		}
	}
}

// Every Brazilian area code, with both spellings of a mobile and a landline.
func TestBrazilianNumbersOfEveryArea(t *testing.T) {
	areas := "11 12 13 14 15 16 17 18 19 21 22 24 27 28 31 32 33 34 35 37 38 41 42 43 44 45 46 47 48 49 51 53 54 55 " +
		"61 62 63 64 65 66 67 68 69 71 73 74 75 77 79 81 82 83 84 85 86 87 88 89 91 92 93 94 95 96 97 98 99"
	for area := range strings.SplitSeq(areas, " ") {
		for from, want := range map[string]string{
			"55" + area + "99951234":  "+55" + area + "999951234",
			"55" + area + "999951234": "+55" + area + "999951234",
			"55" + area + "81234567":  "+55" + area + "981234567",
			"55" + area + "32781234":  "+55" + area + "32781234",
		} {
			n, ok := Received(from)
			if !ok || n.E164 != want || n.Country != "BR" || n.Area != area {
				t.Errorf("Received(%q) = %+v, %v; want number %s, area %s", from, n, ok, want, area)
			}
		}
	}
}

func TestNumbersThatAreRefusedSayWhatToWrite(t *testing.T) {
	for s, want := range map[string]string{
		"11 98888-7777":   "has no country code: write +55 11 98888-7777",
		"11988887777":     "has no country code: write +55 11 98888-7777",
		"(11) 98888-7777": "has no country code: write +55 11 98888-7777",
		"011 98888-7777":  "has no country code: write +55 11 98888-7777",
		"43 9995-1234":    "has no country code: write +55 43 99995-1234",
		"11 2236-1741":    "has no country code: write +55 11 2236-1741",
		"51 99999-8888": "has no country code: write +55 51 99999-8888 if it is Brazilian, or +51 999 998 " +
			"888 if it is not",
		"(415) 555-2671": "has no country code: write +55 41 5555-2671 if it is Brazilian",
		"(912) 345 678":  "has no country code; write it with its country code",
		"020 7946 0958":  "has no country code; write it with its country code",
		"98888-7777": "is not a valid number of any country; write it with its country code, as in +55 " +
			"43 99995-1234",
		"190":                 "is not a valid number of any country",
		"+5511":               "is not a valid number of any country",
		"+55 11 1234-5678":    "is not a valid number of any country",
		"+999 123 456 789":    "is not a valid number of any country",
		"1234567890123456789": "is not a valid number of any country",
		"":                    "has no digits",
		" + ":                 "has no digits",
		"anonymous":           "has 'a' in it",
		"+55 11 2236-1741 x5": "has 'x' in it",
		"+55 11 22+36 1741":   "has '+' in it",
		"sip:+5511@x":         "has 's' in it",
	} {
		got, err := Normalize(s)
		if err == nil {
			t.Errorf("Normalize(%q) = %q, want it refused", s, got)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", s)) {
			t.Errorf("Normalize(%q) says %q, want %q in it", s, err, want)
		}
	}
}
