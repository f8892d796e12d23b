package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/cmd/callrouter/internal/router"
	"callrouter/console"
	"callrouter/console/client"
	"callrouter/engine"
	"callrouter/positus/fake"
	"callrouter/rules"
)

const operatedRules = `version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741", positus_id: ` + numberID + `}
hours:
  office: {weekly: {daily: 00:00-24:00}}
  lunch: {weekly: {daily: 12:00-13:00}}
lists:
  blocked: ["+55 11 97777-0000"]
  vip: {store: true}
agents:
  ana: {name: Ana Souza, capacity: 1}
  bruno: {}
queues:
  sales: {agents: [ana, bruno], strategy: in_order, ring: 10s}
messages:
  closed: {text: "Estamos fechados."}
limits: {answer_within: 20s, max_call: 1h}
rules:
  - {name: blocked callers, when: listed("blocked"), then: reject}
  - {name: after hours, when: not open("office"), then: {reject: {message: closed}}}
  - {name: vip, when: listed("vip") and calls("1h") < 100, then: {handoff: {queue: sales, wait: 5s}}}
default: reject
`

const (
	operatorToken = "the-operators-token"
	operatedVIP   = "5511988887777"
	operatedOther = "5521977776666"
)

// operated is a router in this process, a stand-in of Positus, and somebody at a command line.
type operated struct {
	*testing.T
	fake   *fake.Server
	router *router.Router
	rules  string // path of the rules file
	store  string // path of the store's
}

func startOperated(t *testing.T) *operated {
	t.Helper()
	o := &operated{
		T: t, rules: filepath.Join(t.TempDir(), "rules.yaml"), store: filepath.Join(t.TempDir(), "callrouter.db"),
	}
	o.must(os.WriteFile(o.rules, []byte(operatedRules), 0o600))
	file, problems := rules.Load(o.rules)
	o.must(problems.Err())
	o.fake = fake.New(fake.Config{
		Token: "a-token", Numbers: map[string]string{numberID: business},
		// As the platform does: on a busy machine the disk may be too slow for a webhook, which then gets a 503.
		Dials: fake.Dials{Delivery: fake.DeliveryDials{Retries: 5}},
	})
	o.must(o.fake.Start())
	t.Cleanup(func() { o.must(o.fake.Close()) })
	var err error
	o.router, err = router.Start(context.Background(), router.Config{
		Rules: file, Store: o.store, Retention: time.Hour,
		Listen: "127.0.0.1:0", InternalListen: "127.0.0.1:0", AdminToken: operatorToken,
		WebhookSecrets: []string{"0123456789abcdef"},
		PositusURL:     o.fake.URL(), PositusToken: "a-token", AudioLoopback: true, Log: slog.New(slog.DiscardHandler),
	})
	o.must(err)
	t.Cleanup(func() { o.must(o.router.Stop()) })
	o.fake.SetWebhookURL("http://" + o.router.PublicAddr() + "/webhooks/positus/0123456789abcdef")
	return o
}

func (o *operated) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

func (o *operated) server() string { return "http://" + o.router.InternalAddr() }

// run runs a command and answers its exit code and what it printed.
func (o *operated) run(args ...string) (code int, stdout, stderr string) {
	o.Helper()
	var out, errs bytes.Buffer
	code = run(append(args, "--server", o.server()), &environment{
		ctx: o.Context(), stdout: &out, stderr: &errs,
		getenv: func(name string) string { return map[string]string{envAdminToken: operatorToken}[name] },
	})
	return code, out.String(), errs.String()
}

// ok runs a command that must be fine, and checks that it prints lines that match patterns, in any order.
func (o *operated) ok(args []string, patterns ...string) string {
	o.Helper()
	return o.exits(0, args, patterns...)
}

// exits runs a command and checks its exit code. Patterns are looked for in what it prints to standard output, or to
// standard error if it could not run.
func (o *operated) exits(want int, args []string, patterns ...string) string {
	o.Helper()
	code, stdout, stderr := o.run(args...)
	text := stdout
	if want >= exitUsage {
		text = stderr
	}
	if code != want {
		o.Fatalf("%q ended with %d, want %d\n%s%s", args, code, want, stdout, stderr)
	}
	for _, p := range patterns {
		if !regexp.MustCompile(`(?m)` + p).MatchString(text) {
			o.Errorf("%q does not print %s:\n%s", args, p, text)
		}
	}
	for line := range strings.Lines(text) {
		if strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
			o.Errorf("%q prints spaces at the end of %q", args, line)
		}
	}
	return text
}

// json runs a command with --json and decodes what it prints.
func (o *operated) json(v any, args ...string) {
	o.Helper()
	text := o.ok(append(args, "--json"))
	if err := json.Unmarshal([]byte(text), v); err != nil {
		o.Fatalf("%q prints no JSON: %v\n%s", args, err, text)
	}
}

// call places a call and waits until its record is in one of these states. It answers the record's key.
func (o *operated) call(p fake.Phone, states ...engine.State) (*fake.Call, string) {
	o.Helper()
	c, err := o.fake.Call(p)
	o.must(err)
	o.reaches(c, states...)
	return c, engine.Key(c.ID)
}

func (o *operated) reaches(c *fake.Call, states ...engine.State) {
	o.Helper()
	var last engine.State
	defer func() {
		if last != states[0] {
			for _, d := range o.fake.Deliveries() {
				o.Logf("the call is %q; webhook %s, attempt %d: %d %s after %s", last, d.Event, d.Attempt, d.Status, d.Err, d.Latency)
			}
		}
	}()
	eventually(o.T, "the call is "+string(states[0]), func() bool {
		r, err := o.router.Store().Get(o.Context(), engine.Key(c.ID))
		if err != nil {
			return false
		}
		last = r.State
		return last == states[0]
	})
}

// desk is an agent who is connected, and answers what rings if picks is set.
type desk struct {
	leave func()
}

// sits connects an agent with a token that the command line made.
func (o *operated) sits(name string, picks bool) desk {
	o.Helper()
	token := strings.TrimSpace(o.ok([]string{"agents", "token", name}, `^\S{20,}$`))
	api, err := client.New(client.Config{URL: o.server(), Token: token})
	o.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	connected := make(chan struct{})
	arrive := sync.OnceFunc(func() { close(connected) })
	all.Go(func() {
		defer arrive()
		for event, err := range api.Events(ctx) {
			arrive()
			if err != nil {
				return // the end of the connection
			}
			if offer, ok := event.(console.OfferEvent); ok && picks {
				all.Go(func() {
					if err := api.Answer(ctx, offer.Offer, fake.TextAnswer(offer.SDP)); err != nil {
						o.Errorf("answering: %v", err)
					}
				})
			}
		}
	})
	<-connected
	var once sync.Once
	d := desk{leave: func() { once.Do(func() { cancel(); all.Wait() }) }}
	o.Cleanup(d.leave)
	return d
}

func TestAgentsByCommand(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	o.ok([]string{"agents", "list"}, `^AGENT +NAME +STATUS +CALLS +CAPACITY`, `^ana +Ana Souza +offline +0 +1 `,
		`^bruno +bruno +offline `, `America/Sao_Paulo`)
	ana := o.sits("ana", false)
	o.ok([]string{"agents", "list"}, `^ana +Ana Souza +available `)
	o.ok([]string{"agents", "set", "ana", "--status", "away", "--reason", "lunch"}, `^ana +Ana Souza +away \(lunch\) `)
	o.ok([]string{"agents", "set", "ana", "--status", "available"}, `^ana +Ana Souza +available `)
	o.ok([]string{"agents", "set", "ana", "--capacity", "3", "--until", "2099-01-31 12:00"},
		`^ana .* 3 until 2099-01-31 12:00:00 `)
	o.ok([]string{"agents", "set", "ana", "--capacity", "none"}, `^ana .* available +0 +1 `)
	ana.leave()
	eventually(t, "ana is offline", func() bool {
		_, out, _ := o.run("agents", "list")
		return regexp.MustCompile(`(?m)^ana .* offline `).MatchString(out)
	})
	var reply struct{ Agents []map[string]any }
	o.json(&reply, "agents", "list")
	if len(reply.Agents) != 2 || reply.Agents[0]["agent"] != "ana" || reply.Agents[0]["status"] != "offline" {
		t.Errorf("--json: %v", reply)
	}
	for _, c := range []struct {
		args    string
		pattern string
	}{
		{"agents set ana", `^callrouter: there is nothing to set: give --status`},
		{"agents set ana --capacity many --until 1h", `--capacity: "many" is not a number or "none"`},
		{"agents set ana --capacity 3", `until`},
		{"agents set ana --capacity 3 --until yesterday", `until: .*yesterday`},
		{"agents set ana --status gone", `--status must be one of`},
		{"agents set anna --status away", `no agent "anna"; it has: ana, bruno`},
		{"agents token anna", `no agent "anna"; it has: ana, bruno`},
	} {
		o.exits(exitUsage, strings.Fields(c.args), c.pattern)
	}
}

func TestListsByCommand(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	o.ok([]string{"lists", "show"}, `^LIST +IN THE FILE +AT RUN TIME$`, `^blocked +1 +0$`, `^vip +- +0$`)
	o.ok(
		[]string{
			"lists", "add", "blocked", "+55 21 97777-6666", "id:BR.123", "--note", "rude", "--until", "2099-01-31",
		},
		`^\+5521977776666 +2099-02-01 00:00:00 +rude$`, `^id:BR\.123 +2099`)
	_, key := o.call(fake.Phone{Number: operatedOther}, engine.Ended)
	o.ok([]string{"calls", "show", key}, `^decision +reject +by rule "blocked callers"$`)
	o.ok([]string{"lists", "show", "blocked"}, `^NUMBER +UNTIL +NOTE$`, `^\+5521977776666 .* rude$`,
		`^2 put on "blocked" at run time, besides 1 in the rules file$`)
	o.exits(exitUsage, []string{"lists", "add", "blocked", "+5511988887777", "12"},
		`^callrouter: "12": .*; for a caller without a number write id:USER_ID\. Nothing was changed$`)
	o.exits(exitUsage, []string{"lists", "add", "blocked", "+5511988887777", "--until", "never"}, `until: `)
	o.exits(exitUsage, []string{"lists", "add", "bloked", "+5511988887777"}, `no list "bloked"; it has: blocked, vip`)
	o.ok([]string{"lists", "remove", "blocked", "5521977776666", "id:BR.123"}, `^\+5521977776666 is off "blocked"$`,
		`^id:BR\.123 is off`)
	o.exits(exitUsage, []string{"lists", "remove", "blocked", "5521977776666"}, `no such run-time entry`)
	var list struct {
		List    string
		Entries []any
	}
	o.json(&list, "lists", "show", "blocked")
	if list.List != "blocked" || list.Entries == nil || len(list.Entries) != 0 {
		t.Errorf("--json: %v", list)
	}
	o.json(&list, "lists", "add", "vip", operatedVIP)
	if list.List != "vip" || len(list.Entries) != 1 {
		t.Errorf("--json: %v", list)
	}
}

func TestHoursByCommand(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	o.ok([]string{"hours", "show"}, `^HOURS +NOW +BY +UNTIL +REASON$`, `^office +open +plan +- +-$`, `^lunch `)
	o.ok([]string{"hours", "close", "office", "--until", "2099-01-31 12:00", "--reason", "flood"},
		`^office +closed +switch +2099-01-31 12:00:00 +flood$`)
	_, key := o.call(fake.Phone{Number: operatedOther}, engine.Ended)
	o.ok([]string{"calls", "show", key}, `^decision +reject, message closed +by rule "after hours"$`)
	o.ok([]string{"hours", "show", "office"}, `^office +closed +switch`)
	o.ok([]string{"hours", "open", "--all", "--until", "2h"}, `^office +open +switch`, `^lunch +open +switch`)
	o.ok([]string{"hours", "clear", "--all"}, `^office +open +plan`, `^lunch +\w+ +plan`)
	var reply struct{ Hours []map[string]any }
	o.json(&reply, "hours", "show")
	if len(reply.Hours) != 2 || reply.Hours[0]["hours"] != "office" || reply.Hours[0]["open"] != true ||
		reply.Hours[0]["state"] != nil {
		t.Errorf("--json: %v", reply)
	}
	for args, pattern := range map[string]string{
		"hours open --until 1h":              `name the hours, or give --all`,
		"hours open office --all --until 1h": `name the hours, or give --all`,
		"hours open office":                  `--until`,
		"hours open office --until soon":     `until: `,
		"hours open offise --until 1h":       `no hours "offise"; it has: `,
		"hours clear":                        `name the hours, or give --all`,
		"hours show offise":                  `no hours "offise"; it has: `,
	} {
		o.exits(exitUsage, strings.Fields(args), pattern)
	}
}

func TestRulesByCommand(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	before := o.ok([]string{"rules", "show"}, `^version +\S+$`, `^loaded +20\d\d-.* \(America/Sao_Paulo\)$`)
	o.must(os.WriteFile(o.rules, []byte(strings.Replace(operatedRules, `open("office")`, `open("offise")`, 1)), 0o600))
	_, problems := rules.Load(o.rules)
	text := o.exits(exitFound, []string{"rules", "reload"}, `^1 error, 0 warnings; version \S+ stays in force$`)
	if want := problems[0].String(); !strings.Contains(text, want) {
		t.Errorf("the problems are not printed as check prints them:\n%s\nwant\n%s", text, want)
	}
	after := o.ok([]string{"rules", "show"}, `^refused +a newer file, 20`, `offise`)
	if !strings.HasPrefix(after, before) {
		t.Errorf("rules show says\n%s\nbefore\n%s", after, before)
	}
	code, stdout, _ := o.run("rules", "reload", "--json")
	var reply struct {
		OK       bool
		Problems []map[string]any
	}
	if err := json.Unmarshal([]byte(stdout), &reply); err != nil || code != exitFound || reply.OK ||
		reply.Problems[0]["line"] == nil {
		t.Errorf("--json: code %d, %v: %s", code, err, stdout)
	}
	o.must(os.WriteFile(o.rules, []byte(operatedRules+"# new\n"), 0o600))
	good := o.ok([]string{"rules", "reload"}, `^version \S+ is in force, since `)
	if strings.Contains(before, strings.Fields(good)[1]) {
		t.Error("the version is the same")
	}
}

func TestCallsByCommand(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	o.ok([]string{"calls", "list"}, `^RECEIVED +FROM`, `^0 calls; times are in America/Sao_Paulo$`)
	o.ok([]string{"calls", "stale"}, `^no call is stuck; the sweep would do nothing$`)
	o.sits("bruno", true)
	o.ok([]string{"lists", "add", "vip", operatedVIP})
	call, vip := o.call(fake.Phone{Number: operatedVIP, Name: "Vera"}, engine.Active)
	o.ok([]string{"calls", "list", "--state", "active"},
		`^20\d\d-\S+ \S+ +\+5511988887777 +main +\(active\) +bruno +handoff to queue sales +rule "vip" +`+vip+`$`,
		`^1 call;`)
	_, other := o.call(fake.Phone{Number: operatedOther, CTAPayload: "botão"}, engine.Ended)
	o.exits(exitFound, []string{"calls", "hang-up", other})
	o.ok([]string{"calls", "hang-up", vip}, `^hung up$`)
	o.exits(exitUsage, []string{"calls", "hang-up", "nobody"}, `no such call`)
	o.exits(exitUsage, []string{"calls", "show", "nobody"}, `no such call`)
	o.exits(exitUsage, []string{"calls", "list", "--state", "gone"}, `unknown state "gone"; use one of received,`)
	o.exits(exitUsage, []string{"calls", "list", "--since", "soon"}, `since: `)

	o.ok([]string{"calls", "list"}, `^2 calls;`, ` rejected +- +reject +default +`+other+`$`)
	o.ok([]string{"calls", "list", "--limit", "1"}, `^1 call;`, `^there may be more: --limit is 1$`)
	o.ok([]string{"calls", "list", "--caller", "+55 11 98888-7777", "--since", "1h", "--outcome", "answered"},
		`^1 call;`)
	o.ok([]string{"calls", "show", call.ID},
		`^call +`+regexp.QuoteMeta(call.ID)+` \(in logs: `+vip+`\)$`,
		`^from +\+5511988887777 \(BR 11\), "Vera"$`,
		`^received +\w{3} 20\d\d-.* \(America/Sao_Paulo\)`,
		`^decision +handoff to queue sales +by rule "vip"$`,
		`^rules +version \S+$`,
		`^outcome +answered, ended at \+\d+\.\d{3} s, talked for \d+s: `,
		`^agent +bruno$`,
		`✗ +line \d+ +blocked callers +`,
		`✓ +line \d+ +vip +`,
		`the caller was on the list "vip"$`,
		`0 calls by this caller in the 1h0m0s before$`,
		`^ +\+\d\.\d{3} s +bruno +queue sales +answered at \+`,
		`^ +\+\d\.\d{3} s +received$`,
		`^ +\+\d\.\d{3} s +active`,
		`^ +\+\d\.\d{3} s +ended +`,
	)
	o.ok([]string{"calls", "show", other}, `^payload +"botão"$`, `✓ +default +no rule decided$`,
		`^outcome +rejected, ended at`)
	var record map[string]any
	o.json(&record, "calls", "show", vip)
	if record["id"] != call.ID || record["outcome"] != "answered" {
		t.Errorf("--json: %v", record)
	}
	o.checkExport(vip, other)
}

// With --json, commands print the router's response as it came.
func TestCommandsPrintTheResponseAsItCame(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	call, key := o.call(fake.Phone{Number: operatedOther, Name: "Zoë <&>"}, engine.Ended)
	o.ok([]string{"lists", "add", "vip", operatedVIP, "--note", "<&>"})
	for args, path := range map[string]string{
		"agents list":                   "/agents",
		"calls list --limit 5":          "/calls?limit=5",
		"calls show " + key:             "/calls/" + url.PathEscape(call.ID),
		"calls stale":                   "/calls/stale",
		"lists show":                    "/lists",
		"lists show vip":                "/lists/vip",
		"hours show":                    "/hours",
		"hours show office":             "/hours/office/switch",
		"rules show":                    "/rules",
		"calls list --caller id:nobody": "/calls?caller=id:nobody",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.server()+"/api/v1"+path, nil)
		o.must(err)
		req.Header.Set("Authorization", "Bearer "+operatorToken)
		resp, err := http.DefaultClient.Do(req)
		o.must(err)
		want, err := io.ReadAll(resp.Body)
		o.must(errors.Join(err, resp.Body.Close()))
		if got := o.ok(append(strings.Fields(args), "--json")); got != string(want) {
			t.Errorf("callrouter %s --json:\n%s\nwant\n%s", args, got, want)
		}
	}
}

func TestCommandsSayWhyTheyCouldNotRun(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	try := func(token, server string, want int, pattern string) {
		t.Helper()
		var out, errs bytes.Buffer
		code := run([]string{"calls", "list", "--server", server}, &environment{
			ctx: t.Context(), stdout: &out, stderr: &errs,
			getenv: func(name string) string { return map[string]string{envAdminToken: token}[name] },
		})
		if code != want || !regexp.MustCompile(pattern).MatchString(errs.String()) || out.Len() > 0 {
			t.Errorf("code %d: %s%s", code, out.String(), errs.String())
		}
	}
	try("", o.server(), exitUsage, `CALLROUTER_ADMIN_TOKEN is not set`)
	try("another-token-altogether", o.server(), exitUsage,
		`refused the admin token; set CALLROUTER_ADMIN_TOKEN to the value the router runs with`)
	try(operatorToken, "http://"+o.router.PublicAddr(), exitUsage,
		`does not look like a callrouter API \(HTTP 404\); check --server`)
	try(operatorToken, "http://127.0.0.1:1", exitUsage,
		`cannot reach a router at http://127\.0\.0\.1:1: .*refused; `+
			`check that it runs, and that --server is its internal address`)
}
