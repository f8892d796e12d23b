package main

import (
	"errors"
	"fmt"
	"os"

	"callrouter/cmd/callrouter/internal/report"
	"callrouter/store"
)

type dbCmd struct {
	Backup  dbBackupCmd  `cmd:"" help:"Write a copy of a running router's store to a new file."`
	Check   dbCheckCmd   `cmd:"" help:"Read a whole store file, and show what is damaged. The router must be stopped."`
	Compact dbCompactCmd `cmd:"" help:"Give the space of deleted records back. The router must be stopped."`
}

type dbBackupCmd struct {
	Server string `env:"CALLROUTER_SERVER" default:"http://127.0.0.1:8081" help:"Internal side of the running router."`
	File   string `arg:"" help:"The new file."`
}

// Run writes to another name first, so that FILE is a whole copy or does not exist.
func (c *dbBackupCmd) Run(env *environment) error {
	if _, err := os.Lstat(c.File); !errors.Is(err, os.ErrNotExist) {
		return usage("%s exists already; name a file that does not", c.File)
	}
	server := serverFlags{Server: c.Server}
	api, err := server.connect(env, nil)
	if err != nil {
		return err
	}
	tmp := c.File + ".part"
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // it has callers' numbers
	if err != nil {
		return usage("cannot write the copy: %w", err)
	}
	defer os.Remove(tmp)
	err = api.Backup(env.ctx, out)
	if err == nil {
		err = out.Sync()
	}
	if err := errors.Join(server.explain(err), out.Close()); err != nil {
		return err
	}
	checked, err := store.Check(tmp)
	if err == nil && len(checked.Problems) > 0 {
		err = fmt.Errorf("the copy is damaged, and so is the store: %s; stop the router and restore an older copy",
			checked.Problems[0])
	}
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, c.File); err != nil {
		return usage("cannot write the copy: %w", err)
	}
	_, err = fmt.Fprintf(env.stdout, "%s: %s; to restore it, stop the router and put it in place of its store\n",
		c.File, report.Plural(checked.Calls, "call"))
	return err
}

type dbCheckCmd struct {
	File string `arg:"" help:"The file that --store names."`
}

func (c *dbCheckCmd) Run(env *environment) error {
	checked, err := store.Check(c.File)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if len(checked.Problems) == 0 {
		_, err := fmt.Fprintf(env.stdout, "%s: %s, nothing is damaged\n", c.File, report.Plural(checked.Calls, "call"))
		return err
	}
	for _, p := range checked.Problems {
		fmt.Fprintf(env.stdout, "%s: %s\n", c.File, p)
	}
	return found()
}

type dbCompactCmd struct {
	File string `arg:"" help:"The file that --store names."`
}

func (c *dbCompactCmd) Run(env *environment) error {
	before, after, err := store.Compact(c.File)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	_, err = fmt.Fprintf(env.stdout, "%s: %d KB, was %d KB\n", c.File, after>>10, before>>10)
	return err
}
