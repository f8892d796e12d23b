package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Provider acts on calls: Positus. Each method retries by itself within ctx's deadline where repeating is harmless. An
// error is a [*ProviderError].
type Provider interface {
	Accept(ctx context.Context, numberID, callID, sdp string) error
	Reject(ctx context.Context, numberID, callID string) error
	HangUp(ctx context.Context, numberID, callID string) error
	SendText(ctx context.Context, numberID, to, text string) error
}

// ProviderErrorKind is what an error of the provider means for the call.
type ProviderErrorKind string

// The kinds of provider error.
const (
	// Refused: the provider will not do it, and repeating does not help.
	Refused ProviderErrorKind = "refused"
	// Gone: the call is over, or was never there.
	Gone ProviderErrorKind = "gone"
	// NotFound: the provider does not know what the request is addressed to: the number's id or the URL is wrong, and
	// so is every further request.
	NotFound ProviderErrorKind = "not_found"
	// InProgress: the call was accepted before.
	InProgress ProviderErrorKind = "in_progress"
	// Unauthorized: the token is not accepted.
	Unauthorized ProviderErrorKind = "unauthorized"
	// Unavailable: no reply, 5xx or 429 until time ran out. The request may have been carried out.
	Unavailable ProviderErrorKind = "unavailable"
)

// ProviderError is the reason why the provider did not act.
type ProviderError struct {
	Kind    ProviderErrorKind
	Status  int    // HTTP status, 0 if none came
	Code    int    // the platform's own code, 0 if none came
	Message string // for people
	// Repeated: an earlier attempt of the same request had no reply and may have been carried out, so Gone or
	// InProgress may be its echo.
	Repeated bool
	// Unsent: the request was not sent, because too many had just failed.
	Unsent bool
	Err    error
}

func (e *ProviderError) Error() string {
	const prefix = "positus: "
	if strings.HasPrefix(e.Message, prefix) {
		return e.Message // of a record: the whole text of the error that ended the call
	}
	s := prefix + string(e.Kind)
	if e.Status != 0 {
		s += fmt.Sprintf(" (HTTP %d", e.Status)
		if e.Code != 0 {
			s += fmt.Sprintf(", code %d", e.Code)
		}
		s += ")"
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ProviderError) Unwrap() error { return e.Err }

// Media plays audio to callers and checks SDP answers.
type Media interface {
	// CheckAnswer returns why an SDP answer to an offer is unusable, or nil.
	CheckAnswer(offer, answer string) error
	// Answer prepares to play a file (Ogg Opus) to the caller who made the offer. It returns once the SDP is complete;
	// nothing is sent before Run.
	Answer(ctx context.Context, offer, file string) (Playback, error)
}

// Playback is one prepared answer.
type Playback interface {
	SDP() string
	// Run waits until the connection is up (up is called then), plays the file from start to end at its pace, and
	// returns nil at its end, [ErrNoMedia] if the connection never came up or broke, or ctx's error.
	Run(ctx context.Context, up func()) error
	// Close frees everything; it may be called at any time and more than once.
	Close() error
}

// ErrNoMedia: the connection for audio never came up, or broke.
var ErrNoMedia = errors.New("the audio connection did not come up, or broke; the caller heard nothing or only a part")

// Answerer asks an outside service for the SDP answer to a call.
type Answerer interface {
	Answer(ctx context.Context, url string, r AnswerRequest) (sdp string, err error)
}

// AnswerRequest is what an outside answerer receives.
type AnswerRequest struct {
	CallID  string `json:"call_id"`
	Number  string `json:"number"`
	From    string `json:"from"`
	Name    string `json:"name"`
	Payload string `json:"payload"`
	SDP     string `json:"sdp"`
	HangUp  string `json:"hang_up"` // URL that ends this one call
}

// Observer counts what happens, for metrics. Its methods must not block.
type Observer interface {
	Decided(c *Call, sinceTimestamp time.Duration)
	Acted(c *Call, sinceTimestamp time.Duration)
	Ended(c *Call)
	Error(kind string)
}
