package main

import "sync"

func init() {
	rows["pingpong"] = pingpong
	rows["stream"] = func(b *bench) (int, int) { return flow(b, 0) }
	rows["buffered"] = func(b *bench) (int, int) { return flow(b, 100) }
	// Go has no batches: what rille does in them is held against one by one.
	rows["recv_many"] = rows["buffered"]
	rows["batched"] = rows["buffered"]
	rows["mpmc"] = mpmc
	rows["broadcast10"] = func(b *bench) (int, int) { return broadcast(b, 10) }
	rows["broadcast1000"] = func(b *bench) (int, int) { return broadcast(b, 1000) }
	rows["semaphore"] = semaphore
	rows["generator"] = generator
}

// Each of n pairs of goroutines has channels of its own.
func inPairs(b *bench, capacity int, send func(there, back chan int, each int), receive func(there, back chan int) int) (int, int) {
	pairs := b.tasks / 2
	each := b.share(pairs)
	totals := make([]int, pairs)
	var wg sync.WaitGroup
	wg.Add(2 * pairs)
	for p := 0; p < pairs; p++ {
		p, there, back := p, make(chan int, capacity), make(chan int)
		go func() {
			b.meet()
			send(there, back, each)
			b.part()
			wg.Done()
		}()
		go func() {
			b.meet()
			totals[p] = receive(there, back)
			b.part()
			wg.Done()
		}()
	}
	wg.Wait()
	total := 0
	for _, t := range totals {
		total += t
	}
	return total, pairs * sum(each)
}

func pingpong(b *bench) (int, int) {
	return inPairs(b, 0, func(there, back chan int, each int) {
		for i := 1; i <= each; i++ {
			there <- i
			if v := <-back; v != i {
				panic(v)
			}
		}
		close(there)
	}, func(there, back chan int) int {
		total := 0
		for v := range there {
			total += v
			back <- v
		}
		return total
	})
}

func flow(b *bench, capacity int) (int, int) {
	return inPairs(b, capacity, func(there, _ chan int, each int) {
		for i := 1; i <= each; i++ {
			there <- i
		}
		close(there)
	}, func(there, _ chan int) int {
		total := 0
		for v := range there {
			total += v
		}
		return total
	})
}

// Four senders and four receivers on one unbuffered channel; b.tasks / 8 such.
func mpmc(b *bench) (int, int) {
	groups := b.tasks / 8
	each := b.share(4 * groups)
	b.tasks = 8 * groups
	totals := make([]int, 4*groups)
	var wg sync.WaitGroup
	for g := 0; g < groups; g++ {
		ch := make(chan int)
		var senders sync.WaitGroup
		senders.Add(4)
		wg.Add(4)
		for t := 0; t < 4; t++ {
			t := 4*g + t
			go func() {
				b.meet()
				for i := 1; i <= each; i++ {
					ch <- i
				}
				b.part()
				senders.Done()
			}()
			go func() {
				b.meet()
				for v := range ch {
					totals[t] += v
				}
				b.part()
				wg.Done()
			}()
		}
		go func() {
			senders.Wait()
			close(ch)
		}()
	}
	wg.Wait()
	total := 0
	for _, t := range totals {
		total += t
	}
	return total, 4 * groups * sum(each)
}

// A channel for each subscriber, as Go has no broadcast of values.
func broadcast(b *bench, k int) (int, int) {
	each := b.share(k)
	b.tasks = k + 1
	totals, channels := make([]int, k), make([]chan int, k)
	var wg sync.WaitGroup
	wg.Add(k)
	for i := 0; i < k; i++ {
		i := i
		channels[i] = make(chan int, 16)
		go func() {
			b.meet()
			for v := range channels[i] {
				totals[i] += v
			}
			b.part()
			wg.Done()
		}()
	}
	b.meet()
	for v := 1; v <= each; v++ {
		for _, ch := range channels {
			ch <- v
		}
	}
	for _, ch := range channels {
		close(ch)
	}
	b.part()
	wg.Wait()
	total := 0
	for _, t := range totals {
		total += t
	}
	return total, k * sum(each)
}

// A buffered channel is Go's semaphore.
func semaphore(b *bench) (int, int) {
	permits, count := make(chan struct{}, 4), 0
	b.start()
	for i := 0; i < b.ops; i++ {
		permits <- struct{}{}
		count++
		<-permits
	}
	b.stop()
	return count, b.ops
}

// Go's generator is a goroutine and a channel.
func generator(b *bench) (int, int) {
	b.start()
	values, last := make(chan int), 0
	go func() {
		for i := 1; i <= b.ops; i++ {
			values <- i
		}
		close(values)
	}()
	for v := range values {
		last = v
	}
	b.stop()
	return last, b.ops
}
