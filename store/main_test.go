package store_test

import (
	"os"
	"os/exec"
	"testing"

	"callrouter/engine/testrun"

	"go.uber.org/goleak"
)

// childVar names the part that this test binary plays when a test starts it as another process.
const childVar = "CALLROUTER_STORE_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "writer":
		writeForever(os.Args[1])
	case "full disk":
		fillDisk(os.Args[1])
	case "storm":
		joinStorm(os.Args[1:])
	default:
		testrun.Parallel(4)
		// The client tries every second whether a server that was away is there again, and ends that within a second
		// after it was closed.
		redial := "github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"
		goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(redial))
	}
}

// child prepares another process that plays a part.
func child(part string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVar+"="+part)
	cmd.Stderr = os.Stderr
	return cmd
}
