// Package positus speaks with Positus: its API for calls and messages, and the webhooks it sends.
//
// Positus forwards what WhatsApp (Meta) sends, not always in the same shape, and documents few of its bodies. So this
// package reads everything leniently: Positus' flat form and Meta's envelope, with fields missing or of another type.
// What it sends has the documented shape and nothing else.
//
// The way of a webhook: handler.go checks who sends it, webhook_wire.go decodes the body into wire structs (json.go is
// how), webhook.go makes events of them. The way of a request: client.go, make.go and permissions.go say what is sent,
// retry.go how often, transport.go sends it, response.go reads the response.
package positus
