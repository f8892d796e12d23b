package positus

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"callrouter/engine"
)

// The platform's codes that decide what a response means (Meta: troubleshooting).
const (
	invalidParameter = 100
	callingDisabled  = 138000 // with 401, though the token is good
	noPermission     = 138006 // with 401, though the token is good
	connectionError  = 138004 // with 500; worth one more attempt
	connectTimeout   = 138007 // with 500; the SDP came too late, and would again
)

// responded returns the outcome of an attempt with a response.
func (c *Client) responded(k kind, res *http.Response, body []byte) *outcome {
	status := res.StatusCode
	o := &outcome{after: retryAfter(res.Header, c.now())}
	refusal, isJSON := readRefusal(body)
	if status >= 200 && status < 300 {
		switch {
		case len(body) > maxResponse:
			return unreadable(o, k, status,
				"the response is larger than 1 MiB, so perhaps not from Positus: check --positus-url")
		case len(bytes.TrimSpace(body)) > 0 && !isJSON:
			return unreadable(o, k, status,
				"the response is not JSON, so perhaps not from Positus: check --positus-url")
		case !refusal.said:
			o.body = body
			return o
		}
	}
	meaning, hint := classify(k, status, refusal)
	if status >= 300 && status < 400 {
		hint = redirectHint(res)
	}
	o.err = failure(k, meaning, c.without(sentence(refusal.text, hint)), nil)
	o.err.Status, o.err.Code = status, refusal.code
	busy := status == http.StatusTooManyRequests
	o.either = inProgress.MatchString(refusal.text) && isOver.MatchString(refusal.text)
	o.fault = meaning == engine.Unavailable
	o.unsure = status >= 500 || status == http.StatusRequestTimeout
	o.again = o.fault && (k.repeatable() || busy && o.after >= 0)
	if refusal.code == connectionError && status >= 500 {
		o.once, o.again = true, k.repeatable()
	}
	return o
}

// unreadable returns the outcome of a response that has the status of a success and a body that cannot be read.
func unreadable(o *outcome, k kind, status int, why string) *outcome {
	o.err = failure(k, engine.Unavailable, why, nil)
	o.err.Status = status
	o.fault, o.unsure, o.again = true, true, k.repeatable()
	return o
}

var (
	inProgress = regexp.MustCompile(
		`(?i)\balready\b.*\bin[ _-]?progress\b|\balready (been )?(accepted|answered|connected)\b`)
	isOver     = regexp.MustCompile(`(?i)\balready\b.*\b(completed|failed|rejected|terminated|ended)\b`)
	noSuchCall = regexp.MustCompile(`(?i)\b(unknown|invalid|no such) call([_ ]?id)?\s*($|[.,;:)"'])` +
		`|\bcall([_ ]?id)?( was| is)? (not found|unknown|invalid|does not exist|doesn't exist)` +
		`|\bmodel \[[^\]]*\bcall\]`) // Laravel, of which Positus' API is made
)

// classify returns what a refusal means for the call, and a hint what to do about it.
func classify(k kind, status int, r refusal) (engine.ProviderErrorKind, string) {
	switch {
	case r.code == callingDisabled || r.code == noPermission:
		return engine.Refused, codeHint(r.code)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return engine.Unauthorized, "no call can be accepted with this token: check POSITUS_TOKEN, and that the " +
			"number belongs to its account"
	case k.aboutCall() && inProgress.MatchString(r.text) && !isOver.MatchString(r.text):
		return engine.InProgress, "the call has been accepted already"
	case k.aboutCall() && (isOver.MatchString(r.text) || noSuchCall.MatchString(r.text)):
		return engine.Gone, "the call is over"
	case k.aboutCall() && status == http.StatusGone, k == hangUp && status == http.StatusNotFound:
		// Only a hang-up gets here with an address that worked before: for the accept.
		return engine.Gone, "the call is over"
	case k.aboutCall() && status == http.StatusNotFound && (r.code == invalidParameter || r.code > 100_000):
		return engine.Gone, "the call is over" // a code of WhatsApp's own, so the request got through to it
	case k.aboutCall() && status == http.StatusNotFound:
		return engine.NotFound, "the response names no call, so Positus does not know this number or this URL, and no call " +
			"of the number can be accepted or rejected: check positus_id in the rules file, and --positus-url, which ends " +
			"in the version of the API, like " + DefaultURL
	case r.code == connectTimeout || r.code == connectionError:
		return engine.Refused, codeHint(r.code)
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return engine.Unavailable, "Positus is busy or broken: check the status of Positus"
	}
	return engine.Refused, codeHint(r.code)
}

// codeHint returns what to do about a code of the platform (Meta: troubleshooting).
func codeHint(code int) string {
	switch code {
	case 100:
		return "a parameter is not valid; if it is the SDP, compare it with Meta's sample"
	case 131044:
		return "there is no payment method, so no call gets through: add one in the WhatsApp Business account"
	case 131055:
		return "SIP is enabled on this number, which disables the calling API: switch SIP off"
	case callingDisabled:
		return "calling is not enabled on this number: enable it in Positus; the token is good"
	case noPermission:
		return "the user has not permitted calls: send a permission request first; the token is good"
	case 138003:
		return "a call with this user is going on already: wait until it ends"
	case connectionError:
		return "WhatsApp could not connect the call: if this happens often, see the status of WhatsApp"
	case connectTimeout:
		return "the SDP answer came too late, and the caller is gone: answer sooner"
	case 138012:
		return "the limit of connected calls to this user is reached: call again later"
	case 138018:
		return "no app is subscribed to calls of this number: ask Positus"
	}
	return "repeating it does not help"
}

func redirectHint(res *http.Response) string {
	host := "nowhere"
	if u, err := url.Parse(res.Header.Get("Location")); err == nil && u.Host != "" {
		host = u.Host
	}
	return fmt.Sprintf("a redirect (to %s) is never followed, so that the token goes to one host only: "+
		"check --positus-url", host)
}

// refusal is what the body of a response says against the request.
type refusal struct {
	said bool // the body says that the request was not carried out
	code int
	text string
}

// readRefusal reads every shape of error: Positus' {"errors": [{code, title, details}], "message"},
// Meta's {"error": {code, message, error_data: {details}}}, Laravel's {"message"} and {"errors": {field: [text]}},
// {"success": false}. isJSON is false for a page and for an empty body.
func readRefusal(body []byte) (r refusal, isJSON bool) {
	o, err := decodeObject(body)
	if err != nil {
		return refusal{}, false
	}
	failures := o.objects("errors")
	var texts []string
	for _, e := range append(failures[:min(len(failures), maxErrors)], o.object("error")) {
		// WhatsApp's own codes, which are large, say more than Positus'.
		if code := int(e.integer("code")); r.code == 0 || r.code < 100_000 && code > 100_000 {
			r.code = code
		}
		texts = append(texts, e.text("title"), e.text("message"), e.text("details"),
			e.object("error_data").text("details"))
		texts = append(texts, fieldErrors(e)...)
	}
	if r.code == 0 {
		r.code = int(o.integer("code"))
	}
	texts = append(texts, o.text("error"), o.text("message"), o.text("details"))
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	r.text = scrub(strings.Join(unique(texts), ": "))
	failed := o.has("success") && !o.flag("success") && o.text("success") != "1"
	r.said = failed || len(failures) > 0 || o.has("error") && o["error"] != false
	return r, true
}

// maxErrors is how many errors of one response are read.
const maxErrors = 20

// fieldErrors returns the texts of {field: [text]}.
func fieldErrors(e object) []string {
	var texts []string
	for _, v := range e {
		list, _ := v.([]any)
		for _, s := range list {
			texts = append(texts, textOf(s))
		}
	}
	slices.Sort(texts)
	return texts[:min(len(texts), maxErrors)]
}

func unique(list []string) []string {
	var u []string
	for _, s := range list {
		if !slices.Contains(u, s) {
			u = append(u, s)
		}
	}
	return u
}

// failure makes an error that names its request.
func failure(k kind, meaning engine.ProviderErrorKind, text string, err error) *engine.ProviderError {
	return &engine.ProviderError{Kind: meaning, Message: string(k) + ": " + text, Err: err}
}

func sentence(text, hint string) string {
	if text == "" {
		return hint
	}
	return text + "; " + hint
}

// checkSDP refuses an SDP that JSON cannot carry unchanged.
func checkSDP(k kind, sdp string) error {
	if sdp == "" || !utf8.ValidString(sdp) {
		return failure(k, engine.Refused,
			"the SDP is empty or not UTF-8, and nothing was sent: check the answerer or agent that made it", nil)
	}
	return nil
}

var personal = regexp.MustCompile(`wacid\.[\w+/=-]+|\+?\d[\d\s().-]{6,}\d`)

const maxText = 300 // bytes kept of the platform's text

// scrub makes a text of the platform fit for a log: it takes out phone numbers, call ids (which contain a number) and
// control characters, and shortens it.
func scrub(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = personal.ReplaceAllString(s, "[…]")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// without takes the token out of a text from Positus.
func (c *Client) without(s string) string { return strings.ReplaceAll(s, c.token, "[token]") }
