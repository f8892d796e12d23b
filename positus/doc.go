// Package positus speaks with Positus: its API for calls and messages, and the webhooks it sends.
//
// Positus passes on what WhatsApp (Meta) says, not always in the same shape, and publishes few of its bodies, so
// everything that comes in is read leniently: in Positus' flat form and in Meta's envelope, with fields missing or of
// another type. What goes out has the documented shape and nothing else.
package positus
