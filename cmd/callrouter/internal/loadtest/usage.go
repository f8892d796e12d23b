package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a subject has used since it started.
type usage struct {
	cpu      time.Duration
	written  int64 // bytes, to files and sockets
	commands int64 // that Redis carried out
}

func (u usage) since(before usage) usage {
	return usage{u.cpu - before.cpu, u.written - before.written, u.commands - before.commands}
}

// usage reads what Linux counts for a process; elsewhere it is zero.
func (p *process) usage() usage { return usageOf(p.cmd.Process.Pid) }

func usageOf(pid int) usage {
	var u usage
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		if _, rest, ok := strings.Cut(string(stat), ") "); ok {
			if fields := strings.Fields(rest); len(fields) > 12 {
				user, _ := strconv.ParseInt(fields[11], 10, 64)
				system, _ := strconv.ParseInt(fields[12], 10, 64)
				u.cpu = time.Duration(user+system) * 10 * time.Millisecond // clock ticks are 100 a second
			}
		}
	}
	if io, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid)); err == nil {
		u.written = field(string(io), "wchar: ")
	}
	return u
}

// commands is how many commands Redis carried out so far.
func (r *redisServer) commands(ctx context.Context) (n int64) {
	if info, err := r.client.Info(ctx, "commandstats").Result(); err == nil {
		for line := range strings.Lines(info) {
			if !strings.HasPrefix(line, "cmdstat_info") {
				n += field(line, "calls=")
			}
		}
	}
	return n
}

// field reads the number behind a name.
func field(text, name string) int64 {
	_, rest, ok := strings.Cut(text, name)
	if !ok {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, _ := strconv.ParseInt(rest[:end], 10, 64)
	return n
}
