// The rows of the benchmark, done in Go with the standard library.
//
//	GOMAXPROCS=1 build/bench/go ROW OPS TASKS [WARM] [SLEEPERS]
//	GOMAXPROCS=1 build/bench/go echo
//
// This file is the harness (see ../harness.lua); the rows are in the others.
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

type bench struct {
	ops, tasks   int
	here, parted int64
	gate         chan struct{} // closed when all tasks of the row are there
	began        time.Time
	cpuBegan     float64
	seconds, cpu float64
	bytes        float64 // reported by the row; 0 for the peak of memory
	stopped      bool
}

// A row does the work and returns what it computed and what it ought to have.
type row func(b *bench) (got, want int)

var rows = map[string]row{}

// Rows that are not warmed up.
var cold = map[string]bool{"sleepers": true, "parked": true, "cancel": true}

// Seconds that all threads of this process have been running.
func cpuTime() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) * 1e-9
}

func (b *bench) start() { b.began, b.cpuBegan = time.Now(), cpuTime() }

// The first stop counts.
func (b *bench) stop() {
	if !b.stopped {
		b.stopped = true
		b.seconds, b.cpu = time.Since(b.began).Seconds(), cpuTime()-b.cpuBegan
	}
}

// For each task of a row: waits for the others; the last starts the clock.
func (b *bench) meet() {
	if atomic.AddInt64(&b.here, 1) == int64(b.tasks) {
		b.start()
		close(b.gate)
	}
	<-b.gate
}

// For each task when its work is done; the last stops the clock.
func (b *bench) part() {
	if atomic.AddInt64(&b.parted, 1) == int64(b.tasks) {
		b.stop()
	}
}

// Shares the operations evenly among n.
func (b *bench) share(n int) int {
	each := b.ops / n
	b.ops = each * n
	return each
}

func sum(n int) int { return n * (n + 1) / 2 }

// A field of /proc/self/status, in bytes.
func status(field string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range bytes.Split(text, []byte("\n")) {
		words := bytes.Fields(line)
		if len(words) > 1 && string(words[0]) == field+":" {
			kib, _ := strconv.ParseFloat(string(words[1]), 64)
			return kib * 1024
		}
	}
	return 0
}

func resident() float64 {
	runtime.GC()
	return status("VmRSS")
}

// Does the row while `sleepers` goroutines, that take no part, sleep.
func run(name string, ops, tasks, sleepers int) *bench {
	beside(sleepers)
	b := &bench{ops: ops, tasks: tasks, gate: make(chan struct{})}
	b.start()
	got, want := rows[name](b)
	b.stop()
	if got != want {
		fmt.Fprintf(os.Stderr, "%s: computed %d, not %d\n", name, got, want)
		os.Exit(1)
	}
	return b
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "echo" {
		echo()
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "http" {
		serveHTTP()
		return
	}
	var name string
	var numbers [4]int
	if len(os.Args) > 3 && len(os.Args) <= 2+len(numbers) {
		name = os.Args[1]
		for i, text := range os.Args[2:] {
			numbers[i], _ = strconv.Atoi(text)
		}
	}
	ops, tasks, warm, sleepers := numbers[0], numbers[1], numbers[2], numbers[3]
	if rows[name] == nil || ops < 1 || tasks < 1 {
		fmt.Fprintln(os.Stderr, "usage: ROW OPS TASKS [WARM] [SLEEPERS]; no row", name)
		os.Exit(2)
	}
	if warm == 0 {
		warm = tasks
	}
	if !cold[name] {
		run(name, max(ops/10, 10*warm), warm, 0)
	}
	runtime.GC()
	b := run(name, ops, tasks, sleepers)
	if b.bytes == 0 {
		b.bytes = status("VmHWM")
	}
	fmt.Printf("result %s ops=%d seconds=%.9f cpu=%.9f bytes=%.1f\n", name, b.ops, b.seconds,
		b.cpu, b.bytes)
}
