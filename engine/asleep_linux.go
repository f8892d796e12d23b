package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

// asleep returns how long this machine has slept since it was started. Go's monotonic clock stands still meanwhile.
func asleep() time.Duration {
	var boot, awake unix.Timespec
	// In this order, a pause between the two makes the difference smaller, and never larger than it is.
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &awake) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - awake.Nano())
}
