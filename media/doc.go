// Package media answers calls with audio, and checks whether WhatsApp can use an SDP answer made elsewhere.
//
// Only this package (and positus/fake) uses WebRTC. [Media] implements the engine's Media: one WebRTC connection a
// call, one Opus file played from start to end. [Answerer] implements the engine's Answerer: an outside service that
// makes the answer itself, asked over HTTP.
//
// WhatsApp's side of a call is ICE-lite and offers one Opus track. So this side is full ICE and controlling, starts the
// DTLS handshake (a=setup:active), and sends the first packet (Meta: calling FAQ).
package media
