package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/console"
	"callrouter/engine"
	"callrouter/positus/fake"
)

// sample is a file of Positus' documentation.
func sample(t *testing.T, folder, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "positus", "testdata", folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// documented is a documented request, with the values of a real one, as it goes over the wire.
func documented(t *testing.T, name string, values map[string]string) string {
	t.Helper()
	var fields map[string]string
	data := sample(t, "requests", name)
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for k, v := range values {
		text = strings.ReplaceAll(text, quoted(t, fields[k]), quoted(t, v))
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// The caller of Positus' sample calls, and the sample's own body arrives five times at once.
func TestDocumentedConnectLeadsToOneAction(t *testing.T) {
	t.Parallel()
	const from = "554399951234"
	body := sample(t, "webhooks", "positus-sample-connect.json")
	rule := func(then string) string {
		return strings.Replace(
			worldRules,
			"rules:\n",
			"rules:\n  - {name: documented, when: 'caller.number == \"+5543999951234\"', then: "+then+"}\n",
			1,
		)
	}
	for name, act := range map[string]struct{ then, file string }{
		"reject": {"reject", "reject.json"}, "accept": {"{accept: bot}", "accept.json"}, "offer": {"{handoff: sales}", "accept.json"},
	} {
		t.Run(name, func(t *testing.T) {
			inBothStores(t, func(t *testing.T, store string) {
				w := start(t, plan{store: store, rules: rule(act.then)})
				var ana *agent
				if name == "offer" {
					ana = w.agent("ana", false)
				}
				w.fake.SetWebhookURL("") // this call's webhook is the documented one
				call := w.call(fake.Phone{Number: from})
				w.fake.SetWebhookURL(w.webhookURL())
				w.keep(from)
				text := strings.NewReplacer(
					"wacid.HBgMNTU0Mzk5MDU2MDQxFQIAEhggNTg0NjkxRTJGNjREQzNFRkJGQ0ZDMzRCMUQ0RTM5REQcGAw1NTExMzEzNjE3NDEVAgAA",
					call.ID,
					`"<<SDP INFO>>"`,
					quoted(t, call.Offer),
					`"<<RFC 4566 SDP>>"`,
					quoted(t, call.Offer),
				).Replace(string(body))

				var posts sync.WaitGroup
				for range 5 {
					posts.Go(func() {
						if d, err := w.fake.Post(w.ctx(5*time.Second), []byte(text)); err != nil ||
							d.Status != http.StatusOK {
							t.Errorf("webhook: %d, %v", d.Status, err)
						}
					})
				}
				posts.Wait()
				values := map[string]string{"call_id": call.ID}
				kind, state := fake.KindAccept, engine.Active
				switch name {
				case "reject":
					kind, state = fake.KindReject, engine.Ended
				case "offer":
					o := next[console.OfferEvent](ana, 5*time.Second)
					if o.SDP != call.Offer || o.Call.ID != call.ID || o.Call.From != "+5543999951234" ||
						o.Call.Number != "main" {
						t.Errorf("the offer is %+v", o)
					}
					if status, code := ana.answer(o.Offer, fake.TextAnswer(o.SDP)); status != http.StatusOK {
						t.Fatalf("answer: %d %s", status, code)
					}
				}
				w.recorded(call.ID, 5*time.Second, func(r record) bool { return r.State == state })
				if kind == fake.KindAccept {
					values["sdp"] = call.Answer()
				}
				wait(300 * time.Millisecond) // for a second action, which must not come
				actions := w.fake.ActionsFor(call.ID)
				if len(actions) != 1 || actions[0].Kind != kind || !actions[0].Applied() ||
					actions[0].NumberID != numberID {
					t.Fatalf("requests: %+v", actions)
				}
				if got, want := string(actions[0].Body), documented(t, act.file, values); got != want {
					t.Errorf("sent\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}

// The documented bodies as they are, placeholders and all: one request each, and an end of the call that is recorded.
func TestDocumentedBodiesAsTheyAre(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	var sampleBody struct{ Calls []struct{ ID string } }
	body := sample(t, "webhooks", "positus-sample-connect.json")
	if err := json.Unmarshal(body, &sampleBody); err != nil {
		t.Fatal(err)
	}
	id := sampleBody.Calls[0].ID
	for _, b := range [][]byte{body, sample(t, "webhooks", "positus-sample-terminate.json")} {
		if d, err := w.fake.Post(w.ctx(5*time.Second), b); err != nil || d.Status != http.StatusOK {
			t.Fatalf("webhook: %d, %v", d.Status, err)
		}
	}
	w.ended(id, 5*time.Second, engine.Abandoned)
	for _, r := range w.fake.ActionsFor(id) {
		if want := documented(t, "reject.json", map[string]string{"call_id": id}); r.Kind != fake.KindReject ||
			string(r.Body) != want {
			t.Errorf("sent %s %s, want %s", r.Kind, r.Body, want)
		}
	}
}

func TestTerminateBeforeConnectIsNeverActedUpon(t *testing.T) {
	t.Parallel()
	inBothStores(t, func(t *testing.T, store string) {
		w := start(t, plan{store: store})
		p := phone("reject")
		p.TerminateFirst, p.ConnectRepeat = true, []time.Duration{0, 100 * time.Millisecond}
		call := w.call(p)
		late := phone("reject")
		late.ConnectAfterEnd = 50 * time.Millisecond // a duplicate after the end
		ordinary := w.call(late)
		w.ended(call.ID, 5*time.Second, engine.Abandoned)
		w.ended(ordinary.ID, 5*time.Second, engine.Rejected)
		within(
			t,
			5*time.Second,
			"all connects are delivered",
			func() bool { return w.taken(call.ID) >= 4 && w.taken(ordinary.ID) >= 3 },
		)
		wait(300 * time.Millisecond)
		if actions := w.fake.ActionsFor(call.ID); len(actions) != 0 {
			t.Errorf("requests: %+v", actions)
		}
		w.applied(ordinary, fake.KindReject)
		if n := len(w.fake.ActionsFor(ordinary.ID)); n != 1 {
			t.Errorf("%d requests about a call whose connect came again after its end", n)
		}
	})
}

// taken counts the webhooks about a call that were answered with 200.
func (w *world) taken(id string) int {
	n := 0
	for _, d := range w.fake.Deliveries() {
		if d.Delivered() && slices.Contains(d.CallIDs, id) {
			n++
		}
	}
	return n
}

// Every form in which a call may arrive ends in the same action.
func TestFormsOfWebhooks(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	meta := fake.Form{
		Envelope:  true,
		SDP:       fake.SDPSession,
		SDPType:   "offer",
		Direction: true,
		Extra:     map[string]any{"new": []int{1}},
	}
	wrapped := fake.Form{SDP: fake.SDPConnection, WrapSDP: true, NoContacts: true, NoTimestamp: true}
	phones := []fake.Phone{phone("bot"), phone("reject"), phone("bot"), phone("bot"), phone("reject")}
	phones[2].Form, phones[3].Form = &meta, &wrapped
	phones[4].Number, phones[4].UserID, phones[4].Username = "", "BR.13491208655302741918", "canaria.silva"
	w.keep("13491208655302741918", "canaria.silva")
	var calls []*fake.Call
	for _, p := range phones {
		calls = append(calls, w.call(p))
	}
	batch, err := w.fake.CallBatch(phone("reject"), phone("bot"), phone("reject"))
	if err != nil {
		t.Fatal(err)
	}
	enveloped := phone("bot")
	enveloped.Form = &meta
	metaBatch, err := w.fake.CallBatch(enveloped, phone("reject"))
	if err != nil {
		t.Fatal(err)
	}
	want := []fake.Kind{fake.KindAccept, fake.KindReject, fake.KindAccept, fake.KindAccept, fake.KindReject,
		fake.KindReject, fake.KindAccept, fake.KindReject, fake.KindAccept, fake.KindReject}
	for i, c := range slices.Concat(calls, batch, metaBatch) {
		if r := w.action(c, 10*time.Second); r.Kind != want[i] || !r.Applied() {
			t.Errorf("call %d: %s %s (%s), want %s", i, r.Kind, r.Effect, r.Reason, want[i])
		}
	}
	r := w.ended(calls[4].ID, 5*time.Second, engine.Rejected)
	if r.From != "" || r.UserID != "BR.13491208655302741918" {
		t.Errorf("the caller who hides the number is recorded as %q, id %q", r.From, r.UserID)
	}
}

func TestWhatIsNotActedUpon(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	stale := phone("reject")
	stale.Age, stale.NoTerminate, stale.Window = 10*time.Minute, true, time.Hour
	old := w.call(stale)
	elsewhere := phone("reject")
	elsewhere.To = "551133334444"
	unknown := w.call(elsewhere)
	ours := phone("reject")
	ours.Outbound = true
	outbound := w.call(ours)

	r := w.ended(old.ID, 5*time.Second, engine.TimedOut)
	if !strings.Contains(r.Why, "answer window") {
		t.Errorf("why: %q", r.Why)
	}
	for _, c := range []*fake.Call{unknown, outbound} {
		within(t, 5*time.Second, "the webhook is taken", func() bool { return w.taken(c.ID) == 1 })
		if _, ok := w.record(c.ID); ok {
			t.Error("there is a record of a call that is not routed")
		}
	}
	if d, err := w.fake.Post(w.ctx(5*time.Second), []byte(`{"calls":[{"id":"wacid.x","event":"hologram","to":"551122361741"}]}`)); err != nil ||
		d.Status != http.StatusOK {
		t.Errorf("an unknown event: %d, %v", d.Status, err)
	}
	if n := len(w.fake.Requests()); n != 0 {
		t.Errorf("%d requests went to Positus", n)
	}
	m := w.seeMetrics()
	for _, kind := range []string{"unknown_number", "unknown_event"} {
		if !strings.Contains(m, `callrouter_errors_total{kind="`+kind+`"} 1`) {
			t.Errorf("/metrics does not count %s", kind)
		}
	}
}

func TestNoPaymentMethodIsSeen(t *testing.T) {
	t.Parallel()
	w := start(t, plan{})
	if status, body := w.get("/readyz"); status != http.StatusOK || strings.Contains(body, "131044") {
		t.Errorf("/readyz before: %d %s", status, body)
	}
	if d, err := w.fake.PostError(w.ctx(5*time.Second), numberID, 131044); err != nil || d.Status != http.StatusOK {
		t.Fatalf("webhook: %d, %v", d.Status, err)
	}
	if _, body := w.get("/readyz"); !strings.Contains(body, "131044") {
		t.Errorf("/readyz after: %s", body)
	}
	if !strings.Contains(w.seeMetrics(), `callrouter_errors_total{kind="platform_alarm"} 1`) {
		t.Error("/metrics does not count the alarm")
	}
	if !strings.Contains(w.logs.String(), "131044") {
		t.Error("the log does not have the alarm")
	}
}
