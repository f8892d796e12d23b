package fake

// What the API does to a call. Each function takes the lock itself, and returns a refusal, or nil if it was carried
// out.

// accept puts the call through, with the business's SDP answer.
func (c *Call) accept(sdp string) *refusal {
	s := c.server
	s.mu.Lock()
	if ref := c.acceptable(sdp); ref != nil {
		s.mu.Unlock()
		return ref
	}
	c.applying = true
	s.mu.Unlock()
	var err error
	if c.peer != nil {
		err = c.peer.answer(sdp)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.applying = false
	if c.state != Ringing {
		return alreadyOver("Accept")
	}
	if err != nil {
		return invalid(err.Error())
	}
	c.answer = sdp
	c.pickedUp(Business)
	return nil
}

// acceptable returns why an accept is refused, nil if it is not; s.mu is held. A call whose window is over by the wall
// clock ends here, even if its timer has not run.
func (c *Call) acceptable(sdp string) *refusal {
	s := c.server
	if c.outbound() {
		return invalid("Only a user-initiated call can be accepted")
	}
	if c.state == Ringing && !c.applying && s.now().Sub(c.placed) >= c.window+c.phone.Age {
		c.finish(End{By: Network})
	}
	switch {
	case c.state == Ended && c.end.By == Network && c.acceptedAt.IsZero():
		return tooLate()
	case c.state != Ringing || c.applying:
		return alreadyOver("Accept")
	case s.dials.SkipSDPCheck:
		return nil
	}
	if err := CheckAnswer(c.Offer, sdp); err != nil {
		return invalid(err.Error())
	}
	return nil
}

// reject refuses a call that rings.
func (c *Call) reject() *refusal {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.outbound() {
		return invalid("Only a user-initiated call can be rejected")
	}
	if c.state != Ringing || c.applying {
		return alreadyOver("Reject")
	}
	c.enter(Rejected, Business)
	c.finish(End{By: Business})
	return nil
}

// hangUp ends a call that was accepted. It also ends one that still rings, as Meta asks for after a pre_accept (Meta:
// troubleshooting).
func (c *Call) hangUp() *refusal {
	if !c.finishNow(End{By: Business}) {
		return alreadyOver("Terminate")
	}
	return nil
}

// start begins a call that the business makes, and posts its connect webhook, with the phone's answer, at once.
func (s *Server) start(numberID, to, offer string) (*Call, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dials.Permission == "no_permission" {
		return nil, notPermitted()
	}
	for _, c := range s.order {
		if c.NumberID == numberID && c.phone.Number == to && c.state != Ended {
			return nil, ongoing()
		}
	}
	c := s.newCall(Phone{Number: to}, numberID, s.cfg.Numbers[numberID], true)
	c.Offer, c.sdp = offer, TextAnswer(offer)
	s.register(c)
	c.postStatus("RINGING")
	s.sendConnect(c)
	s.spawn(c.ring)
	if after := s.dials.PickUpAfter; after > 0 {
		s.spawn(func() {
			if s.pause(after, c.answered) {
				c.PickUp()
			}
		})
	}
	return c, nil
}
