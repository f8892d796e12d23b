package hours

import (
	"strings"
	"testing"
	"time"
)

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func instant(t testing.TB, rfc3339 string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestDurationsAreReadAsWritten(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"90s":             90 * time.Second,
		"1h30m":           90 * time.Minute,
		"7d":              7 * 24 * time.Hour,
		"1d12h":           36 * time.Hour,
		"500ms":           500 * time.Millisecond,
		"1d1h1m1s1ms":     25*time.Hour + time.Minute + time.Second + time.Millisecond,
		" 10s ":           10 * time.Second,
		"106751d":         106751 * 24 * time.Hour,
		"9223372036854ms": 9223372036854 * time.Millisecond,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
}

func TestDurationsThatAreRefusedSayWhy(t *testing.T) {
	for s, want := range map[string]string{
		"":                      "is empty",
		"0":                     "is zero",
		"0s":                    "is zero",
		"0d0h":                  "is zero",
		"-5s":                   "is negative",
		"10":                    "has no unit",
		"1h30":                  "has no unit",
		"1.5h":                  "has a fraction",
		"1w":                    `unknown unit "w"`,
		"10 s":                  `unknown unit " s"`,
		"10S":                   `unknown unit "S"`,
		"30m1h":                 "twice or out of order",
		"1m1m":                  "twice or out of order",
		"h":                     "does not start with a number",
		"soon":                  "does not start with a number",
		"106752d":               "is too long",
		"106751d24h":            "is too long",
		"99999999999999999999s": "is too long",
	} {
		got, err := ParseDuration(s)
		if err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", s, got)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "1h30m") {
			t.Errorf("ParseDuration(%q) says %q, want %q and the right form in it", s, err, want)
		}
	}
	for _, s := range []string{"0", "0s"} {
		if got, err := ParseDurationOrZero(s); err != nil || got != 0 {
			t.Errorf("parseDurationOrZero(%q) = %v, %v; want 0", s, got, err)
		}
	}
}

func TestTimesAreReadInTheirZone(t *testing.T) {
	for _, c := range []struct{ s, zone, now, want string }{
		{"2026-11-23T22:15:00-03:00", "America/Sao_Paulo", "2026-01-01T00:00:00Z", "2026-11-24T01:15:00Z"},
		{"2026-11-24T01:15:00Z", "America/Sao_Paulo", "2026-01-01T00:00:00Z", "2026-11-24T01:15:00Z"},
		{"2026-11-23 22:15", "America/Sao_Paulo", "2026-01-01T00:00:00Z", "2026-11-24T01:15:00Z"},
		{"2026-11-23 22:15:30", "America/Sao_Paulo", "2026-01-01T00:00:00Z", "2026-11-24T01:15:30Z"},
		{" 18:00 ", "America/Sao_Paulo", "2026-11-23T20:59:59Z", "2026-11-23T21:00:00Z"},
		// On the dot the clock has already begun to show it.
		{"18:00", "America/Sao_Paulo", "2026-11-23T21:00:00Z", "2026-11-24T21:00:00Z"},
		{"18:00", "America/Sao_Paulo", "2026-11-23T22:00:00Z", "2026-11-24T21:00:00Z"},
		{"9:05", "America/Sao_Paulo", "2026-11-23T22:00:00Z", "2026-11-24T12:05:00Z"},
		// It is already tomorrow there.
		{"00:30", "Pacific/Kiritimati", "2026-11-23T10:00:00Z", "2026-11-23T10:30:00Z"},
		// Doubled: the first, and the second once the first is over.
		{"2026-11-01 01:30", "America/New_York", "2026-01-01T00:00:00Z", "2026-11-01T05:30:00Z"},
		{"01:30", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z"},
		{"01:30", "America/New_York", "2026-11-01T05:45:00Z", "2026-11-01T06:30:00Z"},
		// Skipped today: shown tomorrow.
		{"02:30", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-09T06:30:00Z"},
		{"2026-04-05 01:45", "Australia/Lord_Howe", "2026-01-01T00:00:00Z", "2026-04-04T14:45:00Z"},
	} {
		got, err := ParseTime(c.s, location(t, c.zone), instant(t, c.now))
		if err != nil || !got.Equal(instant(t, c.want)) {
			t.Errorf("ParseTime(%q) in %s at %s = %v, %v; want %s", c.s, c.zone, c.now, got, err, c.want)
		} else if got.Location().String() != c.zone {
			t.Errorf("ParseTime(%q) is in %s, want %s", c.s, got.Location(), c.zone)
		}
	}
}

func TestTimesThatAreRefusedSayWhy(t *testing.T) {
	for _, c := range []struct{ s, zone, want string }{
		{"2026-03-08 02:30", "America/New_York", "does not exist in America/New_York"},
		{"2018-11-04 00:30", "America/Sao_Paulo", "does not exist in America/Sao_Paulo"},
		{"2026-10-04 02:15", "Australia/Lord_Howe", "does not exist in Australia/Lord_Howe"},
		{"2026-02-30 10:00", "America/New_York", "write 2026-11-23T22:15:00-03:00"},
		{"24:00", "America/New_York", "write 2026-11-23T22:15:00-03:00"},
		{"25:00", "America/New_York", "write 2026-11-23T22:15:00-03:00"},
		{"tomorrow", "America/New_York", `"2026-11-23 22:15" or 18:00`},
		{"", "America/New_York", "18:00"},
	} {
		got, err := ParseTime(c.s, location(t, c.zone), instant(t, "2026-01-01T00:00:00Z"))
		if err == nil {
			t.Errorf("ParseTime(%q) = %v, want an error", c.s, got)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseTime(%q) says %q, want %q in it", c.s, err, c.want)
		}
	}
}
