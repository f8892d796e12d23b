package main

import (
	"callrouter/rules"
	"callrouter/rules/ruletest"
)

type schemaCmd struct {
	Tests bool `help:"Print the schema of test files instead."`
}

func (c *schemaCmd) Run(env *environment) error {
	schema := rules.JSONSchema()
	if c.Tests {
		schema = ruletest.JSONSchema()
	}
	_, err := env.stdout.Write(schema)
	return err
}
