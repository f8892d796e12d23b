package main

import "os"

// proofsWanted says whether proofs are to be complete, which takes minutes: CALLROUTER_TEST_PROOFS=1. Otherwise they are
// samples of themselves.
func proofsWanted() bool { return os.Getenv("CALLROUTER_TEST_PROOFS") == "1" }
