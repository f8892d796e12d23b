package positus

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrouter/engine"
)

var update = flag.Bool("update", false, "write the .want.json files anew")

// calledNumber is the one that a call of ours is pending for in all situations.
const calledNumber = "5521988887777"

func pendingForOne(digits string) bool { return digits == calledNumber }

func TestParseWebhookSituations(t *testing.T) {
	for _, file := range situations(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			events, err := ParseWebhook(body, pendingForOne)
			if err != nil {
				t.Fatalf("ParseWebhook: %v", err)
			}
			got := readable(t, events)
			golden := strings.TrimSuffix(file, ".json") + ".want.json"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What is not known is logged by its name, and a name is no place for a phone number.
func TestNamesOfUnknownEventsHoldNoNumber(t *testing.T) {
	for body, want := range map[string]string{
		`{"statuses": [{"status": "5511987654321"}]}`:                "status:#############",
		`{"entry": [{"changes": [{"field": "Account_Update"}]}]}`:    "account_update",
		`{"entry": [{"changes": [{"field": "to +5511987654321"}]}]}`: "to +#############",
	} {
		events, err := ParseWebhook([]byte(body), nil)
		if err != nil || len(events) != 1 || events[0].Unknown != want {
			t.Errorf("%s: %+v, %v, want %q", body, events, err, want)
		}
	}
}

func situations(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/webhooks/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range files {
		if !strings.HasSuffix(f, ".want.json") {
			list = append(list, f)
		}
	}
	if len(list) < 25 {
		t.Fatalf("only %d situations found", len(list))
	}
	return list
}

// readable is JSON of events without what is zero.
func readable(t *testing.T, events []engine.Event) []byte {
	t.Helper()
	raw, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(prune(v)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func prune(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	case map[string]any:
		for k, e := range v {
			switch e {
			case nil, "", false, float64(0), "0001-01-01T00:00:00Z":
				delete(v, k)
			default:
				v[k] = prune(e)
			}
		}
	}
	return v
}

func TestParseWebhookRefusesWhatIsNoJSON(t *testing.T) {
	for _, body := range []string{"", " ", "calls", `{"calls":`, `{"calls":[]}{}`, `{} x`, "<html>", "\x00",
		"{\"a\":\xff",
		strings.Repeat("[", 20_000), `{"a":` + strings.Repeat("[", 20_000)} {
		if events, err := ParseWebhook([]byte(body), nil); err == nil {
			t.Errorf("%.20q was read as %v", body, events)
		}
	}
	for _, body := range []string{"[]", `"x"`, "null", "1"} {
		if events, err := ParseWebhook([]byte(body), nil); err != nil || len(events) != 1 || events[0].Unknown == "" {
			t.Errorf("%s was read as %v, %v; want an event that is not known", body, events, err)
		}
	}
}

func TestParseWebhookPassesTheOfferByteForByte(t *testing.T) {
	sdp := "v=0\r\ns=<a>&\"\\/\u2028é\tx\r\na=ice-pwd:q83v+/==\r\n"
	quoted, err := json.Marshal(sdp)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(string(quoted))
	if err != nil {
		t.Fatal(err)
	}
	for place, call := range map[string]string{
		"session":                   `"session":{"sdp":` + string(quoted) + `}`,
		"connection, wrapped twice": `"connection":{"webrtc":{"sdp":` + string(again) + `}}`,
	} {
		events, err := ParseWebhook([]byte(`{"calls":[{"id":"x","event":"connect",`+call+`}]}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := events[0].Connect.SDP; got != sdp {
			t.Errorf("%s: got %q, want %q", place, got, sdp)
		}
	}
}

func FuzzParseWebhook(f *testing.F) {
	for _, file := range situations(f) {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"calls":[{"id":"x","event":"connect","session":{"sdp":"\"\\\"\\\""}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := ParseWebhook(body, pendingForOne)
		if err != nil {
			if json.Valid(body) && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
				t.Fatalf("a JSON object was refused: %v", err)
			}
			return
		}
		if len(events) == 0 {
			t.Fatal("an object without an event")
		}
		for _, e := range events {
			checkEvent(t, e)
		}
	})
}

// checkEvent holds for whatever a body says: one field is set, a call has an id, numbers are digits.
func checkEvent(t *testing.T, e engine.Event) {
	t.Helper()
	set := 0
	var numbers []string
	if c := e.Connect; c != nil {
		set++
		numbers = append(numbers, c.From, c.To)
		if c.CallID == "" {
			t.Error("a connect without call id")
		}
	}
	if c := e.Terminate; c != nil {
		set++
		numbers = append(numbers, c.From, c.To)
		if c.CallID == "" {
			t.Error("a terminate without call id")
		}
	}
	if e.Alarm != nil {
		set++
		numbers = append(numbers, e.Alarm.Number)
	}
	if e.Unknown != "" {
		set++
	}
	if set != 1 {
		t.Errorf("%d fields are set", set)
	}
	for _, n := range numbers {
		if strings.Trim(n, "0123456789") != "" {
			t.Errorf("%q is not digits", n)
		}
	}
}
