package main

import (
	"callrouter/rules"
	"callrouter/rules/ruletest"
)

type schemaCmd struct {
	Tests bool `help:"The schema of test files."`
}

func (c *schemaCmd) Run(env *environment) error {
	schema := rules.JSONSchema()
	if c.Tests {
		schema = ruletest.JSONSchema()
	}
	_, err := env.stdout.Write(schema)
	return err
}
