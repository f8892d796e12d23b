// Package phone brings phone numbers into the one form in which they are compared, and tells their country and area. It
// is the only place that knows how numbers are written.
package phone

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// errPhoneForm ends every error about a number.
var errPhoneForm = errors.New("write it with its country code, as in +55 43 99995-1234")

// Normalize brings a phone number, as somebody wrote it, into the one form in which numbers are compared: E.164 with
// "+", as it is dialled today. A Brazilian mobile has its ninth digit (554399951234 is +5543999951234; landlines never
// get one), Mexico is +52 and ten digits (5215512345678 is +525512345678), Argentina +54 and ten (5491112345678 is
// +541112345678).
//
// Common ways of writing are read (spaces, dashes, dots, brackets, a leading 00, a trunk "(0)"), the "+" may be left
// out, but not the country code: that is never guessed. So a number without "+" that could also be a Brazilian one
// without its country code is refused. Whether the number is valid is judged after normalising. The error says what to
// write.
//
// Numbers in webhooks always have their country code; Received reads those.
func Normalize(raw string) (string, error) {
	digits, international, err := writtenDigits(raw)
	if err != nil {
		return "", fmt.Errorf("phone number %q %w", raw, err)
	}
	n, ok := parseNormal(digits)
	if !international {
		if national, fits := withoutCountry(digits); fits {
			other := ""
			if ok {
				other = ", or " + phonenumbers.Format(n, phonenumbers.INTERNATIONAL) + " if it is not"
			}
			return "", fmt.Errorf("phone number %q has no country code: write %s if it is Brazilian%s", raw, national,
				other)
		}
		if c := strings.TrimSpace(raw)[0]; c == '0' || c == '(' {
			return "", fmt.Errorf("phone number %q has no country code; %w", raw, errPhoneForm)
		}
	}
	if !ok {
		return "", fmt.Errorf("phone number %q is not a valid number of any country; %w", raw, errPhoneForm)
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// writtenDigits are the digits of a number as somebody wrote it; international
// says that it has a "+" or 00, and so surely a country code.
func writtenDigits(raw string) (digits string, international bool, err error) {
	var b strings.Builder
	for _, r := range raw {
		switch {
		case '0' <= r && r <= '9':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0 && !international:
			international = true
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r), strings.ContainsRune(".()/", r):
			// Separators, and the invisible marks that copying a number brings.
		default:
			return "", false, fmt.Errorf("has %q in it; %w", r, errPhoneForm)
		}
	}
	digits = b.String()
	if rest, ok := strings.CutPrefix(digits, "00"); ok && !international {
		digits, international = rest, true
	}
	if digits == "" {
		return "", false, fmt.Errorf("has no digits; %w", errPhoneForm)
	}
	return digits, international, nil
}

// withoutCountry reports whether digits are a Brazilian number that lacks only
// its country code, and how that is written.
func withoutCountry(digits string) (string, bool) {
	digits = strings.TrimPrefix(digits, "0")
	if len(digits) != 10 && len(digits) != 11 {
		return "", false
	}
	n, ok := parseNormal("55" + digits)
	if !ok {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL), true
}

// parseNormal parses digits with their country code into the normal form; ok says that
// the result is a valid number. The result is nil if it is no number at all.
func parseNormal(digits string) (n *phonenumbers.PhoneNumber, ok bool) {
	n, err := phonenumbers.Parse("+"+todaysForm(digits), "")
	if err != nil {
		return nil, false
	}
	// A trunk zero or a carrier code is gone only now.
	parsed := phonenumbers.Format(n, phonenumbers.E164)[1:]
	if today := todaysForm(parsed); today != parsed {
		if n, err = phonenumbers.Parse("+"+today, ""); err != nil {
			return nil, false
		}
	}
	return n, phonenumbers.IsValidNumber(n)
}

// todaysForm rewrites the older spellings that WhatsApp still sends (Meta, phone numbers: the prefix of Brazilian and
// Mexican numbers may be modified). It expects digits with the country code and leaves all others alone.
func todaysForm(digits string) string {
	switch {
	case len(digits) == 12 && strings.HasPrefix(digits, "55") &&
		digits[2] != '0' && digits[3] != '0' && digits[4] >= '6':
		// Mobiles start with 6 to 9, landlines with 2 to 5.
		return digits[:4] + "9" + digits[4:]
	case len(digits) == 13 && strings.HasPrefix(digits, "521"):
		return "52" + digits[3:]
	case len(digits) == 13 && strings.HasPrefix(digits, "549"):
		return "54" + digits[3:]
	}
	return digits
}

// Number is a phone number as it came in, with what its digits tell.
type Number struct {
	Digits  string // as received
	E164    string // normal form as of Normalize; digits that are no valid number stand for themselves
	Country string // ISO 3166 code in capitals, "" if unknown
	Area    string // geographic area code, "" if there is none
}

// Received reads a number that a webhook brought, which always has its country code. It refuses no digits: a caller
// whose number is not valid calls all the same. ok is false for what is no number at all, such as a user id.
func Received(raw string) (number Number, ok bool) {
	digits, _, err := writtenDigits(raw)
	if err != nil {
		return Number{}, false
	}
	number = Number{Digits: digits, E164: "+" + todaysForm(digits)}
	if area, ok := brazilian(number.E164); ok {
		number.Country, number.Area = "BR", area
		return number, true
	}
	n, valid := parseNormal(digits)
	if n != nil {
		number.Country = countryOf(n)
	}
	if valid {
		number.E164 = phonenumbers.Format(n, phonenumbers.E164)
		number.Area = areaOf(n)
	}
	return number, true
}

// countryOf is the ISO code of a number's country. A number that is invalid but
// has the code of one country alone is of that country.
func countryOf(n *phonenumbers.PhoneNumber) string {
	region := phonenumbers.GetRegionCodeForNumber(n)
	if region == "" || region == "ZZ" {
		regions := phonenumbers.GetRegionCodesForCountryCode(int(n.GetCountryCode()))
		if len(regions) != 1 {
			return ""
		}
		region = regions[0]
	}
	if region == "001" { // international services belong to no country
		return ""
	}
	return region
}

// areaOf is the area code of a valid number: the DDD in Brazil, of mobiles too.
func areaOf(n *phonenumbers.PhoneNumber) string {
	national := phonenumbers.GetNationalSignificantNumber(n)
	return national[:phonenumbers.GetLengthOfGeographicalAreaCode(n)]
}

// IsCountry reports whether code is the ISO 3166 code, in capitals, of a country that has phone numbers.
func IsCountry(code string) bool { return phonenumbers.GetSupportedRegions()[code] }

// Countries returns the ISO 3166 codes, in capitals, of the countries that have phone numbers, sorted.
func Countries() []string { return slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions())) }

// ExampleMobile returns a valid mobile number of a country in normal form, or "" if none is known.
func ExampleMobile(country string) string {
	n := phonenumbers.GetExampleNumberForType(country, phonenumbers.MOBILE)
	if n == nil {
		return ""
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}

// ImpossibleStart reports whether no number in normal form starts with a prefix ("+" and digits), because numbers are
// not written so any more or never were with a country code. right is the prefix in today's form, if there is one.
func ImpossibleStart(prefix string) (right string, impossible bool) {
	digits := strings.TrimPrefix(prefix, "+")
	switch {
	case strings.HasPrefix(digits, "549"):
		return "+54" + digits[3:], true
	case strings.HasPrefix(digits, "521"):
		return "+52" + digits[3:], true
	case strings.HasPrefix(digits, "55") && len(digits) > 4 && digits[2] != '0' && digits[3] != '0' &&
		'6' <= digits[4] && digits[4] <= '8':
		return "+" + digits[:4] + "9" + digits[4:], true // a Brazilian mobile begins with its ninth digit
	case strings.HasPrefix(digits, "00"):
		return "+" + digits[2:], true
	case strings.HasPrefix(digits, "0"):
		return "", true // no country code begins with it
	}
	for n := 1; n <= 3 && n < len(digits); n++ {
		code, err := strconv.Atoi(digits[:n])
		if err != nil || phonenumbers.GetRegionCodesForCountryCode(code) == nil || digits[n] != '0' {
			continue
		}
		return "+" + digits[:n] + strings.TrimLeft(digits[n:], "0"), !keepsZero(code)
	}
	return "", false
}

// keepsZero reports whether numbers of a country code have a zero behind it, as those of Italy do.
func keepsZero(code int) bool {
	return slices.ContainsFunc(phonenumbers.GetRegionCodesForCountryCode(code), func(region string) bool {
		for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
			n := phonenumbers.GetExampleNumberForType(region, kind)
			if n != nil && strings.HasPrefix(phonenumbers.GetNationalSignificantNumber(n), "0") {
				return true
			}
		}
		return false
	})
}

// StartsCountry reports whether the ISO 3166 code, in capitals, of some country that has phone numbers starts with a
// text.
func StartsCountry(text string) bool {
	for code := range phonenumbers.GetSupportedRegions() {
		if strings.HasPrefix(code, text) {
			return true
		}
	}
	return false
}
