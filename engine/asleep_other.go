//go:build !linux

package engine

import "time"

// asleep returns 0: on this system it is not known how long the machine slept.
func asleep() time.Duration { return 0 }
