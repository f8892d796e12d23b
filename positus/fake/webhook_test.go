package fake_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/positus/fake"
)

func TestWebhooksAreThoseOfTheSamples(t *testing.T) {
	g := overHTTP(t, func(c *fake.Config) { c.Dials.Form.NoTimestamp = true })
	c := g.place(fake.Phone{})
	g.accept(c)
	c.HangUp()
	for _, event := range []string{"connect", "terminate"} {
		d, err := g.WaitDelivery(soon(t), func(d fake.Delivery) bool { return d.Event == event })
		if err != nil {
			t.Fatal(err)
		}
		if got, want := shape(d.Body), shape(sample(t, event+"-webhook")); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", event, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if d.Status != 200 || d.Attempt != 1 || !slices.Equal(d.CallIDs, []string{c.ID}) || d.Latency <= 0 ||
			d.Err != "" {
			t.Errorf("recorded %+v", d)
		}
	}
	if got := g.receiver.call(0, 0)["session"].(map[string]any)["sdp_type"]; got != "answer" {
		t.Errorf("sdp_type %q, the sample is mislabelled as answer", got)
	}
}

func TestFormsOfTheConnectWebhook(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		for name, tc := range map[string]struct {
			form fake.Form
			want func(c *fake.Call, w map[string]any) bool
		}{
			"session only": {fake.Form{SDP: fake.SDPSession, SDPType: "offer"},
				func(c *fake.Call, w map[string]any) bool {
					s := w["session"].(map[string]any)
					return w["connection"] == nil && s["sdp"] == c.Offer && s["sdp_type"] == "offer"
				}},
			"connection only": {fake.Form{SDP: fake.SDPConnection}, func(c *fake.Call, w map[string]any) bool {
				return w["session"] == nil && connectionSDP(w) == c.Offer
			}},
			"connection wrapped": {fake.Form{SDP: fake.SDPConnection, WrapSDP: true},
				func(c *fake.Call, w map[string]any) bool {
					var inner string
					err := json.Unmarshal([]byte(connectionSDP(w)), &inner)
					return err == nil && inner == c.Offer
				}},
			"none": {
				fake.Form{SDP: fake.SDPNone},
				func(_ *fake.Call, w map[string]any) bool { return w["session"] == nil && w["connection"] == nil },
			},
			"no timestamp": {
				fake.Form{NoTimestamp: true},
				func(_ *fake.Call, w map[string]any) bool { return w["timestamp"] == nil },
			},
			"direction": {
				fake.Form{Direction: true},
				func(_ *fake.Call, w map[string]any) bool { return w["direction"] == "USER_INITIATED" },
			},
			"extra": {fake.Form{Extra: map[string]any{"mood": map[string]any{"x": 1.0}}},
				func(_ *fake.Call, w map[string]any) bool {
					return w["mood"].(map[string]any)["x"] == 1.0 && w["event"] == "connect"
				}},
		} {
			c := g.place(fake.Phone{Form: &tc.form, Name: "Ana"})
			synctest.Wait()
			if w := g.receiver.call(len(g.receiver.bodies)-1, 0); !tc.want(c, w) {
				t.Errorf("%s: %v", name, w)
			}
		}
		g.place(fake.Phone{Form: &fake.Form{NoContacts: true}, Name: "Ana"})
		synctest.Wait()
		if got := parse(g.receiver.bodies[len(g.receiver.bodies)-1]).Contacts; got != nil {
			t.Errorf("contacts %v", got)
		}
	})
}

func connectionSDP(w map[string]any) string {
	return w["connection"].(map[string]any)["webrtc"].(map[string]any)["sdp"].(string)
}

// envelope is Meta's body.
type envelope struct {
	Object string
	Entry  []struct {
		Changes []struct {
			Field string
			Value struct {
				Metadata map[string]string
				flat
			}
		}
	}
}

func TestEnvelopeHasAnEntryForEachNumber(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		calls, err := g.CallBatch(fake.Phone{Number: caller, To: business},
			fake.Phone{Number: caller, To: "5543999990000"}, fake.Phone{Number: caller, To: business})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var e envelope
		if err := json.Unmarshal(g.receiver.bodies[0], &e); err != nil {
			t.Fatal(err)
		}
		if e.Object != "whatsapp_business_account" || len(e.Entry) != 2 || len(g.receiver.bodies) != 1 {
			t.Fatalf("%s", g.receiver.bodies[0])
		}
		first, second := e.Entry[0].Changes[0], e.Entry[1].Changes[0]
		if first.Field != "calls" || first.Value.Metadata["display_phone_number"] != business ||
			len(first.Value.Calls) != 2 {
			t.Errorf("first %+v", first)
		}
		if second.Value.Metadata["display_phone_number"] != "5543999990000" ||
			second.Value.Calls[0]["id"] != calls[1].ID {
			t.Errorf("second %+v", second)
		}
	}, func(c *fake.Config) { c.Dials.Form.Envelope = true; c.Numbers["other"] = "5543999990000" })
}

func TestSeveralCallsInOneBody(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		calls, err := g.CallBatch(fake.Phone{Number: caller},
			fake.Phone{Number: "554399951234", HangUpAfter: time.Second}, fake.Phone{Number: caller})
		if err != nil {
			t.Fatal(err)
		}
		elapse(2 * time.Second)
		for i, c := range calls {
			if got := g.receiver.call(0, i)["id"]; got != c.ID {
				t.Errorf("call %d is %v", i, got)
			}
		}
		if got := g.receiver.events(); !slices.Equal(got, []string{"connect", "connect", "connect", "terminate"}) {
			t.Errorf("webhooks %v", got)
		}
	})
}

func TestErrorsAreInBothPlaces(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		c := g.place(fake.Phone{})
		c.Fail(138020)
		synctest.Wait()
		terminate := parse(g.receiver.bodies[1])
		inside := terminate.Calls[0]["errors"].([]any)[0].(map[string]any)
		if inside["code"] != 138020.0 || terminate.Errors[0]["code"] != 138020.0 ||
			terminate.Calls[0]["status"] != "FAILED" {
			t.Errorf("terminate %+v", terminate)
		}
		if d, err := g.PostError(t.Context(), numberID, 131044); err != nil || d.Status != 200 ||
			parse(d.Body).Errors[0]["code"] != 131044.0 ||
			parse(d.Body).Calls != nil {
			t.Errorf("131044: %v %s", err, d.Body)
		}
	})
}

func TestRetriesAreBoundedAndStopOnceTaken(t *testing.T) {
	for name, tc := range map[string]struct {
		answers  []int
		attempts []int
	}{
		"taken at once":    {nil, []int{1}},
		"taken the third":  {[]int{500, 503}, []int{1, 2, 3}},
		"never taken":      {[]int{500, 500, 500, 500, 500, 500}, []int{1, 2, 3, 4}},
		"redirect refused": {[]int{302}, []int{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, g *rig) {
				g.receiver.answers = tc.answers
				g.place(fake.Phone{NoTerminate: true})
				elapse(time.Minute)
				var attempts []int
				for _, d := range g.Deliveries() {
					attempts = append(attempts, d.Attempt)
				}
				if !slices.Equal(attempts, tc.attempts) {
					t.Errorf("attempts %v, want %v", attempts, tc.attempts)
				}
			}, func(c *fake.Config) { c.Dials.Delivery = fake.DeliveryDials{Retries: 3, RetryEvery: 2 * time.Second} })
		})
	}
}

func TestJitterLetsWebhooksOvertake(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		var overtaken int
		for range 20 {
			c := g.place(fake.Phone{})
			c.HangUp()
			elapse(time.Second)
		}
		events := g.receiver.events()
		for i := 0; i < len(events); i += 2 {
			if events[i] == "terminate" {
				overtaken++
			}
		}
		if len(events) != 40 || overtaken == 0 || overtaken == 20 {
			t.Errorf("%d of 20 overtaken, %d webhooks", overtaken, len(events))
		}
	}, func(c *fake.Config) { c.Dials.Delivery.Jitter = time.Second })
}

func TestHeadersDelayAndBodiesOfOnesOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, g *rig) {
		start := time.Now()
		g.place(fake.Phone{NoTerminate: true})
		elapse(5 * time.Second)
		d := g.Deliveries()[0]
		if d.Time.Sub(start) != 3*time.Second || g.receiver.headers[0].Get("X-Forwarded-For") != "203.0.113.9" {
			t.Errorf("%v late, headers %v", d.Time.Sub(start), g.receiver.headers[0])
		}
		if d, err := g.Post(t.Context(), []byte(`{"calls":[{"event":"pondering"}]}`)); err != nil || d.Status != 200 ||
			d.Event != "raw" {
			t.Errorf("%+v, %v", d, err)
		}
		if got := g.receiver.events(); !slices.Equal(got, []string{"connect", "pondering"}) {
			t.Errorf("webhooks %v", got)
		}
	}, func(c *fake.Config) {
		c.Dials.Delivery = fake.DeliveryDials{
			Delay:  3 * time.Second,
			Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}},
		}
	})
}

func TestNowhereToDeliver(t *testing.T) {
	g := overHTTP(t)
	g.SetWebhookURL("")
	g.place(fake.Phone{})
	d, err := g.WaitDelivery(soon(t), func(fake.Delivery) bool { return true })
	if err != nil || d.Status != 0 || !strings.Contains(d.Err, "SetWebhookURL") {
		t.Errorf("%+v, %v", d, err)
	}
}
