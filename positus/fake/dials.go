package fake

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// Dials are how the server behaves, for all calls, until Adjust changes them. The zero value is Positus as documented.
type Dials struct {
	// Errors is the body of every refusal.
	Errors ErrorShape
	// Latency is the wait before a request of that kind is processed.
	Latency map[Kind]time.Duration
	// SkipSDPCheck takes any text as the SDP of an accept or a make.
	SkipSDPCheck bool
	// Form is the shape of the webhooks' bodies.
	Form Form
	// Delivery is how webhooks travel.
	Delivery DeliveryDials
	// Permission is the status that call-permissions returns: "temporary" if empty, "permanent" or "no_permission";
	// with the last, make is refused with 138006 (Meta: user call permissions).
	Permission string
	// PickUpAfter picks up a call that make started, after that long; zero leaves it to Call.PickUp.
	PickUpAfter time.Duration
	// Statuses posts the status webhooks of a call that make started (RINGING, ACCEPTED, REJECTED), which Meta
	// documents (Meta: business-initiated calls) and Positus does not.
	Statuses bool
}

// DeliveryDials is how webhooks travel. By default each is posted once, at once, and those of one call in order.
type DeliveryDials struct {
	// Delay is the wait before each webhook.
	Delay time.Duration
	// Jitter adds a random wait of up to that long, so that the webhooks of one call can overtake each other.
	Jitter time.Duration
	// Repeat posts every webhook again, that long after the first time: {0, time.Second} makes three.
	Repeat []time.Duration
	// Retries is how often a webhook that got anything but 2xx is posted again, RetryEvery apart (1 s if zero).
	Retries    int
	RetryEvery time.Duration
	// Header is added to each webhook: a signature, a forwarded address.
	Header http.Header
}

// ErrorShape is the body of a refusal. Positus publishes none for its calling endpoints, so a client must read them
// all.
type ErrorShape int

// The shapes of a refusal: Positus' own for messages, Meta's passed through, Laravel's, a proxy's page, nothing.
const (
	ErrorsArray ErrorShape = iota // {"errors":[{"code","title","details"}],"message"}
	ErrorObject                   // {"error":{"message","type","code","error_data":{"details"},"fbtrace_id"}}
	ErrorText                     // {"message"}
	ErrorHTML                     // an HTML page
	ErrorEmpty                    // no body at all
)

// Adjust changes the dials at run time.
func (s *Server) Adjust(change func(*Dials)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.dials.clone()
	change(&d)
	s.dials = d.clone()
}

func (d Dials) clone() Dials {
	d.Latency = maps.Clone(d.Latency)
	if d.Latency == nil {
		d.Latency = map[Kind]time.Duration{}
	}
	d.Form.Extra = maps.Clone(d.Form.Extra)
	d.Delivery.Header = d.Delivery.Header.Clone()
	if d.Delivery.Header == nil {
		d.Delivery.Header = http.Header{}
	}
	d.Delivery.Repeat = slices.Clone(d.Delivery.Repeat)
	return d
}

// Forever in Fault.Times keeps a fault until ClearFaults.
const Forever = -1

// Fault is one way in which requests go wrong. With a Status alone the request is refused and has no effect.
type Fault struct {
	// Times is how many requests it spoils: 1 if zero, or Forever.
	Times int
	// Status is the HTTP status of the reply, Body its text; Code instead of Body makes an error body of that WhatsApp
	// code.
	Status int
	Body   string
	Code   int
	// RetryAfter is sent as the Retry-After header: seconds, a date, or rubbish.
	RetryAfter string
	// Process carries the request out although the reply says otherwise.
	Process bool
	// LoseReply carries the request out and then resets the connection.
	LoseReply bool
	// DelayReply is the wait between carrying the request out and replying.
	DelayReply time.Duration
	// Hang carries nothing out and never replies; the request lasts until the client gives up.
	Hang bool
}

// processes reports whether the request is carried out.
func (f Fault) processes() bool {
	return !f.Hang && (f.Process || f.LoseReply || f.Status == 0)
}

// FailNext queues faults for the next requests of a kind, in the given order, behind those already queued. Requests
// with a wrong token or an unknown path do not use them up.
func (s *Server) FailNext(kind Kind, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.add(kind, faults)
}

// ClearFaults forgets every fault queued with FailNext; those of a Phone stay.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faultList{}
}

type faultList map[Kind][]Fault

func (l faultList) add(kind Kind, faults []Fault) {
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		l[kind] = append(l[kind], f)
	}
}

// take returns the next fault of the kind and uses it up once.
func (l faultList) take(kind Kind) (Fault, bool) {
	queue := l[kind]
	if len(queue) == 0 {
		return Fault{}, false
	}
	f := queue[0]
	if f.Times != Forever {
		queue[0].Times--
		if queue[0].Times == 0 {
			l[kind] = queue[1:]
		}
	}
	return f, true
}
