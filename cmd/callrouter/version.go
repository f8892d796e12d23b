package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

func (c *versionCmd) Run(env *environment) error {
	v := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
	}{buildVersion(), runtime.Version()}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(v)
	}
	_, err := fmt.Fprintf(env.stdout, "callrouter %s (%s)\n", v.Version, v.Go)
	return err
}

// buildVersion is the module's version, or the commit it was built from.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
