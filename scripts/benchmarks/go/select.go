package main

import "sync"

func init() {
	rows["select2"] = selectOver(2, receive2)
	rows["select2_list"] = rows["select2"]
	rows["select8"] = selectOver(8, receive8)
	rows["select64"] = selectOver(64, receive64)
}

// One goroutine receives from k channels, each with a sender of its own. With
// more goroutines, groups of k + 1.
func selectOver(k int, receive func(c []chan int, count int) int) row {
	return func(b *bench) (int, int) {
		groups := b.tasks / (k + 1)
		each := b.share(k * groups)
		b.tasks = groups * (k + 1)
		totals := make([]int, groups)
		var wg sync.WaitGroup
		wg.Add(b.tasks)
		for g := 0; g < groups; g++ {
			g, channels := g, make([]chan int, k)
			for i := range channels {
				ch := make(chan int)
				channels[i] = ch
				go func() {
					b.meet()
					for v := 1; v <= each; v++ {
						ch <- v
					}
					b.part()
					wg.Done()
				}()
			}
			go func() {
				b.meet()
				totals[g] = receive(channels, k*each)
				b.part()
				wg.Done()
			}()
		}
		wg.Wait()
		total := 0
		for _, t := range totals {
			total += t
		}
		return total, k * groups * sum(each)
	}
}

func receive2(c []chan int, count int) int {
	first, second, total := c[0], c[1], 0
	for ; count > 0; count-- {
		var v int
		select {
		case v = <-first:
		case v = <-second:
		}
		total += v
	}
	return total
}

func receive8(c []chan int, count int) int {
	total := 0
	for ; count > 0; count-- {
		var v int
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		case v = <-c[2]:
		case v = <-c[3]:
		case v = <-c[4]:
		case v = <-c[5]:
		case v = <-c[6]:
		case v = <-c[7]:
		}
		total += v
	}
	return total
}

func receive64(c []chan int, count int) int {
	total := 0
	for ; count > 0; count-- {
		var v int
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		case v = <-c[2]:
		case v = <-c[3]:
		case v = <-c[4]:
		case v = <-c[5]:
		case v = <-c[6]:
		case v = <-c[7]:
		case v = <-c[8]:
		case v = <-c[9]:
		case v = <-c[10]:
		case v = <-c[11]:
		case v = <-c[12]:
		case v = <-c[13]:
		case v = <-c[14]:
		case v = <-c[15]:
		case v = <-c[16]:
		case v = <-c[17]:
		case v = <-c[18]:
		case v = <-c[19]:
		case v = <-c[20]:
		case v = <-c[21]:
		case v = <-c[22]:
		case v = <-c[23]:
		case v = <-c[24]:
		case v = <-c[25]:
		case v = <-c[26]:
		case v = <-c[27]:
		case v = <-c[28]:
		case v = <-c[29]:
		case v = <-c[30]:
		case v = <-c[31]:
		case v = <-c[32]:
		case v = <-c[33]:
		case v = <-c[34]:
		case v = <-c[35]:
		case v = <-c[36]:
		case v = <-c[37]:
		case v = <-c[38]:
		case v = <-c[39]:
		case v = <-c[40]:
		case v = <-c[41]:
		case v = <-c[42]:
		case v = <-c[43]:
		case v = <-c[44]:
		case v = <-c[45]:
		case v = <-c[46]:
		case v = <-c[47]:
		case v = <-c[48]:
		case v = <-c[49]:
		case v = <-c[50]:
		case v = <-c[51]:
		case v = <-c[52]:
		case v = <-c[53]:
		case v = <-c[54]:
		case v = <-c[55]:
		case v = <-c[56]:
		case v = <-c[57]:
		case v = <-c[58]:
		case v = <-c[59]:
		case v = <-c[60]:
		case v = <-c[61]:
		case v = <-c[62]:
		case v = <-c[63]:
		}
		total += v
	}
	return total
}
