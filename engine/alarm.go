package engine

import (
	"cmp"
	"slices"
	"sync"
)

const (
	// codeNoPayment: there is no payment method, so no inbound calls come (Meta: troubleshooting, 131044).
	codeNoPayment = 131044
	// maxAlarms is how many codes are kept; the platform has fewer.
	maxAlarms = 64
)

// alarms are the latest error webhooks that belonged to no call, one for each code.
type alarms struct {
	mu     sync.Mutex
	byCode map[int]Alarm
}

func (a *alarms) init() { a.byCode = map[int]Alarm{} }

func (e *Engine) alarm(a *Alarm) {
	e.Observer.Error("platform_alarm")
	e.log.Error("WhatsApp reports an error that belongs to no call; look up the code in Meta's troubleshooting page",
		"code", a.Code, "message", a.Message)
	e.alarms.mu.Lock()
	defer e.alarms.mu.Unlock()
	if _, known := e.alarms.byCode[a.Code]; known || len(e.alarms.byCode) < maxAlarms {
		e.alarms.byCode[a.Code] = *a
	}
}

// inboundWorks clears the alarm that no inbound calls come, because one came.
func (a *alarms) inboundWorks() {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byCode, codeNoPayment)
}

// Alarms returns the errors that the platform reported for no call in particular since this instance started, the
// latest of each code. An incoming call clears the alarm that none come.
func (e *Engine) Alarms() []Alarm {
	e.alarms.mu.Lock()
	defer e.alarms.mu.Unlock()
	all := make([]Alarm, 0, len(e.alarms.byCode))
	for _, a := range e.alarms.byCode {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b Alarm) int { return cmp.Compare(a.Code, b.Code) })
	return all
}
