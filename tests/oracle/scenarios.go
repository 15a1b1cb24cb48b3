// The scenarios of gort's program `scenarios`, in Go: the same steps, the same words.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const ms = time.Millisecond

// Starts n goroutines, each of which waits for something before the next one starts: on one P.
func startInOrder(n int, f func(i int)) *sync.WaitGroup {
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { f(i) })
		for range 3 {
			runtime.Gosched()
		}
	}
	return &wait
}

func hogs() {
	var counts [2]atomic.Uint64
	var stop atomic.Bool
	var wait sync.WaitGroup
	for i := range counts {
		wait.Go(func() {
			for !stop.Load() {
				counts[i].Add(1)
			}
		})
	}
	time.Sleep(800 * ms)
	stop.Store(true)
	wait.Wait()
	fmt.Println("hogs", counts[0].Load(), counts[1].Load())
}

func hogAndYielders() {
	// In how many of the milliseconds.
	var hog int64
	var yields [3]atomic.Uint64
	var stop atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		start := time.Now()
		for last := int64(-1); !stop.Load(); {
			if now := time.Since(start).Milliseconds(); now != last {
				hog++
				last = now
			}
		}
	})
	for i := range yields {
		wait.Go(func() {
			for !stop.Load() {
				yields[i].Add(1)
				runtime.Gosched()
			}
		})
	}
	time.Sleep(800 * ms)
	stop.Store(true)
	wait.Wait()
	fmt.Println("hog ran in", hog)
	fmt.Println("yielders", yields[0].Load(), yields[1].Load(), yields[2].Load())
}

// Who takes a mutex again at once, and who must wait for it.
func mutexFair() {
	var m sync.Mutex
	var stop atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for !stop.Load() {
			m.Lock()
			time.Sleep(100 * time.Microsecond)
			m.Unlock()
		}
	})
	for range 10 {
		time.Sleep(100 * time.Microsecond)
		m.Lock()
		m.Unlock()
	}
	stop.Store(true)
	wait.Wait()
	fmt.Println("ten locks")
}

func spawnOrder() {
	var order []int
	var wait sync.WaitGroup
	for i := range 6 {
		wait.Go(func() { order = append(order, i) })
	}
	wait.Wait()
	fmt.Println("spawned ran", order)
}

func receivers() {
	c := make(chan int)
	wait := startInOrder(5, func(i int) { fmt.Println("receiver", i, "got", <-c) })
	for i := range 5 {
		c <- 100 + i
		for range 3 {
			runtime.Gosched()
		}
	}
	wait.Wait()
}

func senders() {
	for _, capacity := range []int{0, 2} {
		c := make(chan int, capacity)
		wait := startInOrder(6, func(i int) { c <- i })
		var got []int
		for range 6 {
			got = append(got, <-c)
		}
		wait.Wait()
		fmt.Println("capacity", capacity, "got", got)
	}
}

// One in a select waits in the same line.
func mixed() {
	c, other := make(chan int), make(chan int)
	wait := startInOrder(4, func(i int) {
		if i%2 == 0 {
			fmt.Println("receiver", i, "got", <-c)
			return
		}
		select {
		case v := <-c:
			fmt.Println("select", i, "got", v)
		case <-other:
			fmt.Println("other")
		}
	})
	for i := range 4 {
		c <- 100 + i
		for range 3 {
			runtime.Gosched()
		}
	}
	wait.Wait()
}

func mutexOrder() {
	var m sync.Mutex
	var order []int
	m.Lock()
	wait := startInOrder(5, func(i int) {
		m.Lock()
		order = append(order, i)
		m.Unlock()
	})
	time.Sleep(10 * ms)
	m.Unlock()
	wait.Wait()
	fmt.Println("locked", order)
}

func closeOrder() {
	c := make(chan int)
	var order []int
	wait := startInOrder(5, func(i int) {
		<-c
		order = append(order, i)
	})
	close(c)
	wait.Wait()
	fmt.Println("closed", order)
}

func waitGroupOrder() {
	var group sync.WaitGroup
	group.Add(1)
	var order []int
	wait := startInOrder(5, func(i int) {
		group.Wait()
		order = append(order, i)
	})
	group.Done()
	wait.Wait()
	fmt.Println("waited", order)
}

// Again if anybody was so late that the order may be another's doing.
func timerOrder() {
	const gap = 40 * ms
	for {
		start := time.Now()
		late := false
		fired := make(chan string, 6)
		tell := func(due time.Duration, name string) {
			late = late || time.Since(start) > due+gap/2
			fired <- name
		}
		var names []string
		for _, n := range []time.Duration{5, 1, 3} {
			time.AfterFunc(n*gap, func() { tell(n*gap, fmt.Sprintf("function %d", n)) })
		}
		for _, n := range []time.Duration{4, 2, 6} {
			go func() {
				time.Sleep(n * gap)
				tell(n*gap, fmt.Sprintf("sleeper %d", n))
			}()
		}
		for range 6 {
			names = append(names, <-fired)
		}
		if !late {
			fmt.Println(strings.Join(names, ", "))
			return
		}
	}
}

func selectFair() {
	channels := [4]chan int{make(chan int, 1), make(chan int, 1), make(chan int, 1), make(chan int, 1)}
	var counts [4]int
	for range 20_000 {
		channels[0] <- 0
		channels[1] <- 1
		select {
		case <-channels[0]:
			counts[0]++
		case <-channels[1]:
			counts[1]++
		case channels[2] <- 2:
			counts[2]++
		case channels[3] <- 3:
			counts[3]++
		}
		for _, c := range channels {
			select {
			case <-c:
			default:
			}
		}
	}
	fmt.Println("chosen", counts[0], counts[1], counts[2], counts[3])
}

// The same channel in two cases, closed ones, and some that can never go on.
func selectMany() {
	closed, twice, empty := make(chan int), make(chan int, 1), make(chan int)
	close(closed)
	var never chan int
	var counts [6]int
	for range 21_000 {
		select {
		case twice <- 1:
		default:
		}
		select {
		case <-twice:
			counts[0]++
		case <-twice:
			counts[1]++
		case <-closed:
			counts[2]++
		case <-never:
			counts[3]++
		case never <- 1:
			counts[4]++
		case <-empty:
			counts[5]++
		}
	}
	fmt.Println("chosen", counts[0], counts[1], counts[2])
	fmt.Println("never", counts[3], counts[4], counts[5])
}

func selectDefault() {
	var never chan int
	empty, full := make(chan int), make(chan int, 1)
	var taken, missed [2]int
	for range 1000 {
		full <- 1
		select {
		case <-full:
			taken[0]++
		case <-never:
		default:
			taken[1]++
		}
		select {
		case <-empty:
		case empty <- 1:
		case <-never:
		case never <- 1:
			missed[0]++
		default:
			missed[1]++
		}
	}
	fmt.Println("ready", taken[0], "default", taken[1])
	fmt.Println("none ready", missed[0], "default", missed[1])
}

func drain() {
	c := make(chan int, 4)
	for i := range 3 {
		c <- i
	}
	fmt.Println("length", len(c), "capacity", cap(c))
	close(c)
	for range 5 {
		v, ok := <-c
		fmt.Println(v, ok)
	}
	fmt.Println("length", len(c), "capacity", cap(c))
	var none chan int
	fmt.Println("nil", len(none), cap(none))
	c = make(chan int, 2)
	c <- 7
	c <- 8
	close(c)
	for v := range c {
		fmt.Println("range", v)
	}
}

func buffered() {
	c, done := make(chan int, 3), make(chan []int)
	go func() {
		var got []int
		for v := range c {
			got = append(got, v)
		}
		done <- got
	}()
	for i := range 50 {
		c <- i * i
	}
	close(c)
	fmt.Println(<-done)
}

func pending(c <-chan time.Time) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func timerResults() {
	t := time.NewTimer(time.Hour)
	fmt.Println("length", len(t.C), "capacity", cap(t.C))
	fmt.Println("stop", t.Stop(), "stop", t.Stop(), "reset", t.Reset(time.Hour), "reset", t.Reset(time.Hour), "stop", t.Stop())
	t = time.NewTimer(ms)
	time.Sleep(30 * ms)
	fmt.Println("due: length", len(t.C))
	fmt.Println("due: stop", t.Stop(), "pending", pending(t.C))
	t = time.NewTimer(ms)
	time.Sleep(30 * ms)
	fmt.Println("due: reset", t.Reset(time.Hour), "pending", pending(t.C), "stop", t.Stop())
	t = time.NewTimer(ms)
	<-t.C
	fmt.Println("received: pending", pending(t.C), "stop", t.Stop(), "reset", t.Reset(ms))
	<-t.C
	fmt.Println("again: reset", t.Reset(-5), "stop", t.Stop())
	<-time.After(-1)
	fmt.Println("after")
}

func funcResults() {
	ran := make(chan int, 10)
	f := time.AfterFunc(time.Hour, func() { ran <- 1 })
	fmt.Println("stop", f.Stop(), "stop", f.Stop(), "reset", f.Reset(ms))
	<-ran
	fmt.Println("ran: stop", f.Stop(), "reset", f.Reset(time.Hour), "reset", f.Reset(time.Hour), "stop", f.Stop())
	f.Reset(0)
	<-ran
	fmt.Println("left", len(ran))
}

// Again if it took so long that another tick may have come.
func ticker() {
	const period = 100 * ms
	for {
		start := time.Now()
		t := time.NewTicker(period)
		time.Sleep(4*period + period/2)
		ticks := 0
		for pending(t.C) {
			ticks++
		}
		soon := time.Since(start) < 5*period-period/5
		t.Stop()
		time.Sleep(2 * period)
		left := pending(t.C)
		t.Reset(ms)
		<-t.C
		<-t.C
		t.Stop()
		if soon {
			fmt.Println("ticks kept", ticks, "after stop", left, "capacity", cap(t.C))
			return
		}
	}
}

func gomaxprocs() {
	for _, n := range []int{0, 5, 0, -7, 1, 2, 0} {
		fmt.Println("set", n, "was", runtime.GOMAXPROCS(n))
	}
}

func numGoroutine() {
	fmt.Println("goroutines", runtime.NumGoroutine())
	c := make(chan int)
	var wait sync.WaitGroup
	for range 7 {
		wait.Go(func() { <-c })
	}
	fmt.Println("goroutines", runtime.NumGoroutine())
	close(c)
	wait.Wait()
	for runtime.NumGoroutine() > 1 {
		runtime.Gosched()
	}
	fmt.Println("goroutines", runtime.NumGoroutine())
}

func stacks() {
	c, other := make(chan int), make(chan int)
	var never chan int
	var m sync.Mutex
	var group sync.WaitGroup
	group.Add(1)
	m.Lock()
	go func() { <-c }()
	go func() { other <- 1 }()
	go func() { <-never }()
	go func() { never <- 1 }()
	go func() { select {} }()
	go func() {
		select {
		case <-c:
		case <-never:
		}
	}()
	go func() { m.Lock() }()
	go func() { group.Wait() }()
	go func() { time.Sleep(time.Hour) }()
	go func() {
		runtime.LockOSThread()
		<-c
	}()
	buf := make([]byte, 1<<16)
	fmt.Println("own", strings.Split(string(buf[:runtime.Stack(buf, false)]), "\n")[0])
	// All of them have gone to sleep.
	for {
		text := string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(text, "[runnable") && strings.Count(text, "[running") == 1 {
			fmt.Print(text)
			return
		}
		time.Sleep(ms)
	}
}

func isThread(tid int) bool {
	_, err := os.Stat(filepath.Join("/proc/self/task", strconv.Itoa(tid), "stat"))
	return err == nil
}

func locked() {
	stays := func() bool {
		tid := syscall.Gettid()
		for range 200 {
			runtime.Gosched()
			if syscall.Gettid() != tid {
				return false
			}
			time.Sleep(10 * time.Microsecond)
		}
		return syscall.Gettid() == tid
	}
	done := make(chan bool)
	for range 4 {
		go func() {
			runtime.LockOSThread()
			runtime.LockOSThread()
			first := stays()
			runtime.UnlockOSThread()
			second := stays()
			runtime.UnlockOSThread()
			done <- first && second
		}()
	}
	for range 4 {
		fmt.Println("stays", <-done)
	}
	// A locked goroutine that ends takes its thread with it. The first thread is the exception.
	tids := make(chan int)
	end := make(chan bool)
	for range 3 {
		go func() {
			runtime.LockOSThread()
			tids <- syscall.Gettid()
			<-end
		}()
	}
	var all []int
	for range 3 {
		if tid := <-tids; tid != syscall.Getpid() {
			all = append(all, tid)
		}
	}
	for _, tid := range all {
		if !isThread(tid) {
			fmt.Println("there is no such thread")
		}
	}
	close(end)
	for _, tid := range all {
		for isThread(tid) {
			time.Sleep(ms)
		}
	}
	fmt.Println("their threads have ended")
}

func deferred() {
	done := make(chan bool)
	go func() {
		defer close(done)
		defer fmt.Println("first")
		defer func() {
			defer fmt.Println("inner")
			fmt.Println("second")
		}()
		func() {
			defer fmt.Println("third")
			runtime.Goexit()
		}()
		fmt.Println("never")
	}()
	<-done
	fmt.Println("goroutine ended")
}

func waitForEver() { <-make(chan int) }

func deadlockOfMany() {
	startInOrder(3, func(i int) {
		var none chan int
		switch i {
		case 0:
			waitForEver()
		case 1:
			<-none
		default:
			select {}
		}
	}).Wait()
}

func main() {
	var none chan int
	closed := make(chan int, 1)
	switch os.Args[1] {
	case "hogs":
		hogs()
	case "hog_and_yielders":
		hogAndYielders()
	case "mutex_fair":
		mutexFair()
	case "spawn_order":
		spawnOrder()
	case "receivers":
		receivers()
	case "senders":
		senders()
	case "mixed":
		mixed()
	case "mutex_order":
		mutexOrder()
	case "close_order":
		closeOrder()
	case "wait_group_order":
		waitGroupOrder()
	case "timer_order":
		timerOrder()
	case "select_fair":
		selectFair()
	case "select_many":
		selectMany()
	case "select_default":
		selectDefault()
	case "drain":
		drain()
	case "buffered":
		buffered()
	case "timer_results":
		timerResults()
	case "func_results":
		funcResults()
	case "ticker":
		ticker()
	case "gomaxprocs":
		gomaxprocs()
	case "num_goroutine":
		numGoroutine()
	case "stacks":
		stacks()
	case "locked":
		locked()
	case "deferred":
		deferred()

	case "send_closed":
		close(closed)
		closed <- 1
	case "send_closed_meanwhile":
		c := make(chan int)
		go func() {
			time.Sleep(10 * ms)
			close(c)
		}()
		c <- 1
	case "select_send_closed":
		close(closed)
		select {
		case none <- 1:
		case closed <- 1:
		}
	case "close_closed":
		close(closed)
		close(closed)
	case "close_nil":
		close(none)
	case "negative":
		var group sync.WaitGroup
		group.Done()
	case "panic_text":
		panic(fmt.Sprintf("with %d", 42))
	case "panic_error":
		panic(errors.New("an error's words"))
	case "panic_lines":
		panic("one line\nand another")
	case "panic_goroutine":
		go func() {
			defer fmt.Println("deferred")
			panic("in a goroutine")
		}()
		waitForEver()
	case "panic_deferred":
		defer fmt.Println("first deferred")
		defer func() { panic("the second") }()
		panic("the first")
	case "panic_after_goexit":
		defer func() { panic("hello") }()
		runtime.Goexit()
	case "goexit_in_panic":
		go func() {
			defer runtime.Goexit()
			panic("hello")
		}()
		runtime.Goexit()
	case "ticker_zero":
		time.NewTicker(0)
	case "ticker_reset_zero":
		time.NewTicker(time.Hour).Reset(0)
	case "exit":
		defer fmt.Println("not run")
		fmt.Println("exits")
		os.Exit(3)
	case "main_returns":
		go waitForEver()
		fmt.Println("returns")

	case "deadlock_receive":
		<-make(chan int)
	case "deadlock_send":
		make(chan int) <- 1
	case "deadlock_nil_receive":
		<-none
	case "deadlock_nil_send":
		none <- 1
	case "deadlock_range":
		for range closed {
		}
	case "deadlock_select":
		select {
		case <-closed:
		case <-none:
		}
	case "deadlock_nothing":
		select {}
	case "deadlock_mutex":
		var m sync.Mutex
		m.Lock()
		m.Lock()
	case "deadlock_wait_group":
		var group sync.WaitGroup
		group.Add(1)
		group.Wait()
	case "deadlock_goexit":
		go fmt.Println("the other runs")
		runtime.Goexit()
	case "deadlock_locked":
		runtime.LockOSThread()
		<-closed
	case "deadlock_of_many":
		deadlockOfMany()
	default:
		panic("no scenario " + os.Args[1])
	}
}
