package main

import (
	"slices"
	"testing"
)

func TestAgain(t *testing.T) {
	p := &program{name: "bin/rolesync", environ: []string{
		"ROLESYNC_REDIS_URL=redis://:hunter2@localhost", "ROLESYNC_DATA=/srv/data", "ROLESYNC_DATABASE_URL=",
		"ROLESYNC_LISTEN=:8080", "ROLESYNC_LOG_LEVEL=debug", "ROLESYNC_CONFIG=my.yaml", "HOME=/root",
	}}
	call, variables := p.again(&commandLine{Config: "/srv/my.yaml"})
	if want := "bin/rolesync --config /srv/my.yaml"; call != want {
		t.Errorf("call = %s, want %s", call, want)
	}
	if want := []string{"ROLESYNC_CONFIG", "ROLESYNC_DATA", "ROLESYNC_REDIS_URL"}; !slices.Equal(variables, want) {
		t.Errorf("variables = %v, want %v: what says where things are, without its value", variables, want)
	}
}
