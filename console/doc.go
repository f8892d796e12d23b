// Package console is the HTTP API of the internal side: administration, the agents' own side with its stream of events,
// and the URL with which an outside answerer ends its call. It also serves metrics and /healthz.
//
// Every route is in one table (routes.go) that also says who may use it; there is no other way in. Handlers translate:
// what happens to calls is in the engine.
package console
