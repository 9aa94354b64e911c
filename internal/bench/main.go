// Bench measures what docs/benchmarks.md reports: it builds rolesync, starts it on a
// private PostgreSQL (durable, as in production) and a private Redis, loads it over
// HTTP from this process, and prints a table of what was asked and what was measured.
// Everything runs on this machine, is bounded, and is stopped at the end.
//
//	make bench
//	go run ./internal/bench -only patch -seconds 3
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"
)

func main() {
	only := flag.String("only", "", "measure only the works whose name contains this")
	seconds := flag.Float64("seconds", 5, "how long each rate is measured")
	long := flag.Float64("long", 60, "how long many connections write together, in seconds")
	users := flag.Int("users", 100_000, "members of the largest group")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{only: *only, seconds: time.Duration(*seconds * float64(time.Second)), long: time.Duration(*long * float64(time.Second)), users: *users}
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	only    string
	seconds time.Duration
	long    time.Duration
	users   int

	*world
	sized []string // groups of 10, half of users, and users members
	rows  []result
}

// result is one line of the table.
type result struct {
	work, goal, measured string
	reached              bool
}

// work is one thing to measure. The works run in order and build on each other's
// data; prepare runs also when the work is not asked for.
type work struct {
	name    string
	prepare func(*bench, context.Context) error
	measure func(*bench, context.Context) error
}

var works = []work{
	{name: "start", measure: (*bench).startUp},
	{name: "create user", measure: (*bench).createUsers},
	{name: "patch one member", prepare: (*bench).someGroups, measure: (*bench).patchMany},
	{name: "look-up", prepare: (*bench).someUsers, measure: (*bench).lookUps},
	{name: "list", prepare: (*bench).someUsers, measure: (*bench).lists},
	{name: "commit to redis", prepare: (*bench).someUsers, measure: (*bench).latency},
	{name: "peak memory", measure: (*bench).peakMemory},
	{name: "group size", prepare: (*bench).largeGroups, measure: (*bench).patchLarge},
	{name: "patch 100 members", prepare: (*bench).someUsers, measure: (*bench).patchHundred},
	{name: "put 10,000 members", prepare: (*bench).moreUsers, measure: (*bench).putLarge},
	{name: "put 100,000 members", prepare: (*bench).everybody, measure: (*bench).putWhole},
	{name: "group without members", prepare: (*bench).largeGroups, measure: (*bench).getWithoutMembers},
	{name: "1,000 removals", prepare: (*bench).someUsers, measure: (*bench).removeThousand},
	{name: "40 connections", measure: (*bench).manyTenants},
	{name: "saml verification", measure: (*bench).verification},
	{name: "saml logins", measure: (*bench).logins},
	{name: "first synchronisation", measure: (*bench).firstSync},
	{name: "refill", prepare: (*bench).someUsers, measure: (*bench).refill},
}

func (b *bench) run(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "rolesync-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	fmt.Fprintf(os.Stderr, "building and starting…\n")
	if b.world, err = newWorld(ctx, folder); err != nil {
		return err
	}
	defer b.stop()
	for _, w := range works {
		if w.prepare != nil && (b.only == "" || strings.Contains(w.name, b.only)) {
			fmt.Fprintf(os.Stderr, "preparing %s…\n", w.name)
			if err := w.prepare(b, ctx); err != nil {
				return fmt.Errorf("prepare %s: %w", w.name, err)
			}
		}
		if b.only != "" && !strings.Contains(w.name, b.only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s…\n", w.name)
		if err := w.measure(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	b.print()
	return nil
}

func (b *bench) report(work, goal string, reached bool, format string, args ...any) {
	b.rows = append(b.rows, result{work, goal, fmt.Sprintf(format, args...), reached})
	fmt.Fprintf(os.Stderr, "  %s: %s (goal %s)\n", work, fmt.Sprintf(format, args...), goal)
}

func (b *bench) print() {
	fmt.Printf("%s, %d cores of %s, %s; PostgreSQL (fsync on) and Redis on the same machine, 8 clients in the measuring process\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), cpuName(), runtime.Version())
	fmt.Println("| work | at least | measured | |")
	fmt.Println("|---|---|---|---|")
	for _, r := range b.rows {
		mark := "reached"
		if !r.reached {
			mark = "**short**"
		}
		fmt.Printf("| %s | %s | %s | %s |\n", r.work, r.goal, r.measured, mark)
	}
}

func cpuName() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // elsewhere the name is just not told
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return "unknown make"
}
