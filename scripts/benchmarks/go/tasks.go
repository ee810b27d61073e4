package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func init() {
	rows["yield"] = yield
	rows["spawn"] = spawn
	rows["scope"] = scope
	rows["timeout"] = timeout
	rows["timer"] = timer
	rows["cancel"] = cancel
	rows["sleepers"] = sleepers
	rows["parked"] = parked
}

// Starts n goroutines that sleep for an hour while a row works beside them.
func beside(n int) {
	for i := 0; i < n; i++ {
		i := i
		go func() { time.Sleep(time.Hour + time.Duration(i)*time.Millisecond) }()
	}
	runtime.Gosched()
}

func yield(b *bench) (int, int) {
	each := b.share(b.tasks)
	var count int64
	var wg sync.WaitGroup
	wg.Add(b.tasks)
	for t := 0; t < b.tasks; t++ {
		go func() {
			b.meet()
			for i := 0; i < each; i++ {
				runtime.Gosched()
			}
			atomic.AddInt64(&count, int64(each))
			b.part()
			wg.Done()
		}()
	}
	wg.Wait()
	return int(count), b.ops
}

// b.tasks goroutines are started, then all waited for; again and again.
func spawn(b *bench) (int, int) {
	rounds := b.share(b.tasks)
	var ended int64
	var wg sync.WaitGroup
	for r := 0; r < rounds; r++ {
		wg.Add(b.tasks)
		for t := 0; t < b.tasks; t++ {
			go func() {
				atomic.AddInt64(&ended, 1)
				wg.Done()
			}()
		}
		wg.Wait()
	}
	return int(ended), b.ops
}

// What a scope is in Go: a context to cancel and a group to wait for.
func scope(b *bench) (int, int) {
	count := 0
	body := func(context.Context, *sync.WaitGroup) { count++ }
	b.start()
	for i := 0; i < b.ops; i++ {
		var wg sync.WaitGroup
		ctx, stop := context.WithCancel(context.Background())
		body(ctx, &wg)
		wg.Wait()
		stop()
	}
	b.stop()
	return count, b.ops
}

func timeout(b *bench) (int, int) {
	total := 0
	same := func(_ context.Context, v int) int { return v }
	b.start()
	for i := 1; i <= b.ops; i++ {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		total += same(ctx, i)
		stop()
	}
	b.stop()
	return total, sum(b.ops)
}

func timer(b *bench) (int, int) {
	count := 0
	b.start()
	for i := 0; i < b.ops; i++ {
		if time.NewTimer(time.Minute).Stop() {
			count++
		}
	}
	b.stop()
	return count, b.ops
}

// b.ops sleeping goroutines are cancelled through their context and joined.
func cancel(b *bench) (int, int) {
	ctx, stop := context.WithCancel(context.Background())
	var asleep, cancelled int64
	var wg sync.WaitGroup
	wg.Add(b.ops)
	for i := 0; i < b.ops; i++ {
		go func() {
			defer wg.Done()
			t := time.NewTimer(time.Hour)
			defer t.Stop()
			atomic.AddInt64(&asleep, 1)
			select {
			case <-ctx.Done():
				atomic.AddInt64(&cancelled, 1)
			case <-t.C:
			}
		}()
	}
	for atomic.LoadInt64(&asleep) < int64(b.ops) {
		runtime.Gosched()
	}
	b.start()
	stop()
	wg.Wait()
	b.stop()
	return int(cancelled), b.ops
}

func sleepers(b *bench) (int, int) {
	var woken int64
	var wg sync.WaitGroup
	wg.Add(b.ops)
	for i := 0; i < b.ops; i++ {
		go func() {
			time.Sleep(time.Duration(b.ops) * 10 * time.Microsecond)
			atomic.AddInt64(&woken, 1)
			wg.Done()
		}()
	}
	wg.Wait()
	return int(woken), b.ops
}

// Goroutines that wait for one channel: resident bytes for each.
func parked(b *bench) (int, int) {
	before, gate := resident(), make(chan struct{})
	var waiting, woken int64
	var wg sync.WaitGroup
	wg.Add(b.ops)
	for i := 0; i < b.ops; i++ {
		go func() {
			atomic.AddInt64(&waiting, 1)
			<-gate
			atomic.AddInt64(&woken, 1)
			wg.Done()
		}()
	}
	for atomic.LoadInt64(&waiting) < int64(b.ops) {
		runtime.Gosched()
	}
	b.bytes = (resident() - before) / float64(b.ops)
	close(gate)
	wg.Wait()
	return int(woken), b.ops
}
