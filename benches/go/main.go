// The Go peer: `peer-go WORKLOAD [N]`; see ../README.md for what each workload is.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var work string

func out(metric string, v float64, unit string) { fmt.Printf("%s %s %.6g %s\n", work, metric, v, unit) }
func ns(d time.Duration, n int) float64         { return float64(d.Nanoseconds()) / float64(n) }
func ms(d time.Duration) float64                { return float64(d.Nanoseconds()) / 1e6 }

// pct prints p50, p99 and max of nanosecond samples, in microseconds.
func pct(prefix string, s []int64) {
	slices.Sort(s)
	if len(s) == 0 {
		return
	}
	out(prefix+"p50", float64(s[len(s)/2])/1e3, "us")
	out(prefix+"p99", float64(s[len(s)*99/100])/1e3, "us")
	out(prefix+"max", float64(s[len(s)-1])/1e3, "us")
}

func cpu() float64 {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

func rss() int {
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "VmRSS:" {
			k, _ := strconv.Atoi(f[1])
			return k * 1024
		}
	}
	return 0
}

func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func xorshift(x uint64, n int) uint64 {
	for ; n > 0; n-- {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

func spawnJoin(n int) {
	t := time.Now()
	for i := 0; i < n; i += 1000 {
		var wg sync.WaitGroup
		wg.Add(1000)
		for range 1000 {
			go wg.Done()
		}
		wg.Wait()
	}
	out("per_goroutine", ns(time.Since(t), n), "ns")
}

// Each side calls first before it begins.
func pingpong(n, p int, first func()) {
	runtime.GOMAXPROCS(p)
	first()
	a, b := make(chan int), make(chan int)
	go func() {
		first()
		for v := range a {
			b <- v
		}
	}()
	t := time.Now()
	for i := range n {
		a <- i
		<-b
	}
	out("round_trip", ns(time.Since(t), n), "ns")
}

func mpmc(n int) {
	c := make(chan int, 128)
	var prod, cons sync.WaitGroup
	var sum atomic.Int64
	t := time.Now()
	for range 4 {
		prod.Go(func() {
			for i := range n / 4 {
				c <- i
			}
		})
		cons.Go(func() {
			s := 0
			for v := range c {
				s += v
			}
			sum.Add(int64(s))
		})
	}
	prod.Wait()
	close(c)
	cons.Wait()
	d := time.Since(t)
	if sum.Load() != int64(n/4)*int64(n/4-1)/2*4 {
		panic("bad sum")
	}
	out("per_msg", ns(d, n), "ns")
}

func ring(n int) {
	first := make(chan int)
	done := make(chan struct{})
	in := first
	for i := range 1000 {
		o := make(chan int)
		if i == 999 {
			o = first
		}
		go func(in, o chan int) {
			for v := range in {
				if v == 0 {
					close(done)
					return
				}
				o <- v - 1
			}
		}(in, o)
		in = o
	}
	t := time.Now()
	first <- n
	<-done
	out("per_hop", ns(time.Since(t), n), "ns")
}

func sky(c chan<- int, num, size int) {
	if size == 1 {
		c <- num
		return
	}
	rc := make(chan int)
	for i := range 10 {
		go sky(rc, num+i*(size/10), size/10)
	}
	s := 0
	for range 10 {
		s += <-rc
	}
	c <- s
}

func skynet(n int) {
	c := make(chan int)
	t := time.Now()
	go sky(c, 0, n)
	r := <-c
	d := time.Since(t)
	if r != n*(n-1)/2 {
		panic("bad sum")
	}
	out("total", ms(d), "ms")
}

func parked(n int) {
	var up atomic.Int64
	var wg sync.WaitGroup
	c := make(chan struct{})
	r0, t := rss(), time.Now()
	for range n {
		wg.Add(1)
		go func() { up.Add(1); <-c; wg.Done() }()
	}
	for up.Load() < int64(n) {
		runtime.Gosched()
	}
	d := time.Since(t)
	time.Sleep(50 * time.Millisecond)
	out("rss", float64(rss()-r0)/float64(n), "B")
	out("spawn", ns(d, n), "ns")
	t = time.Now()
	close(c)
	wg.Wait()
	out("wake", ns(time.Since(t), n), "ns")
}

func yield(n int) {
	runtime.GOMAXPROCS(1)
	var wg sync.WaitGroup
	t := time.Now()
	for range 2 {
		wg.Go(func() {
			for range n / 2 {
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	out("per_switch", ns(time.Since(t), n), "ns")
}

func mutex(n int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	x := 0
	t := time.Now()
	for range 8 {
		wg.Go(func() {
			for range n / 8 {
				mu.Lock()
				x++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	d := time.Since(t)
	if x != n {
		panic("lost update")
	}
	out("per_op", ns(d, n), "ns")
}

func rwmutex(n int) {
	var mu sync.RWMutex
	var wg sync.WaitGroup
	x := 0
	t := time.Now()
	for range 8 {
		wg.Go(func() {
			last := 0
			for i := 1; i <= n/8; i++ {
				if i%100 == 0 {
					mu.Lock()
					x++
					mu.Unlock()
					continue
				}
				mu.RLock()
				now := x
				mu.RUnlock()
				if last > now {
					panic("goes back")
				}
				last = now
			}
		})
	}
	wg.Wait()
	d := time.Since(t)
	if x != n/8/100*8 {
		panic("lost update")
	}
	out("per_op", ns(d, n), "ns")
}

func select4(n int) {
	var c [4]chan int
	for i := range c {
		c[i] = make(chan int)
		go func() {
			for j := range n / 4 {
				c[i] <- j
			}
		}()
	}
	s := 0
	t := time.Now()
	for range n {
		select {
		case v := <-c[0]:
			s += v
		case v := <-c[1]:
			s += v
		case v := <-c[2]:
			s += v
		case v := <-c[3]:
			s += v
		}
	}
	out("per_msg", ns(time.Since(t), n), "ns")
}

func timers(n int) {
	late := make([]int64, n)
	for i := range late {
		late[i] = 1 // touch the pages
	}
	var wg sync.WaitGroup
	c0, t := cpu(), time.Now()
	for i := range n {
		wg.Add(1)
		go func() {
			d := time.Duration(splitmix(uint64(i)) % 1e9)
			s := time.Now()
			time.Sleep(d)
			late[i] = int64(time.Since(s) - d)
			wg.Done()
		}()
	}
	wg.Wait()
	out("wall", ms(time.Since(t)), "ms")
	out("cpu", cpu()-c0, "s")
	pct("late_", late)
}

func preempt(n int) {
	runtime.GOMAXPROCS(2)
	var stop atomic.Bool
	var wg sync.WaitGroup
	var cnt [4]uint64
	end := time.Now().Add(time.Duration(n) * time.Millisecond)
	for i := range 4 {
		wg.Go(func() {
			x, k := uint64(i+1), uint64(0)
			for !stop.Load() {
				for j := 0; j < 1000; j++ {
					x ^= x << 13
					x ^= x >> 7
					x ^= x << 17
				}
				k++
			}
			cnt[i] = k | x&1
		})
	}
	var late []int64
	wg.Go(func() {
		for time.Now().Before(end) {
			s := time.Now()
			time.Sleep(time.Millisecond)
			late = append(late, int64(time.Since(s)-time.Millisecond))
		}
		stop.Store(true)
	})
	wg.Wait()
	out("samples", float64(len(late)), "count")
	pct("late_", late)
	out("spin_min_over_max", float64(slices.Min(cnt[:]))/float64(slices.Max(cnt[:])), "ratio")
}

func sys(n int) {
	t := time.Now()
	for range n {
		syscall.Syscall(syscall.SYS_GETPPID, 0, 0, 0)
	}
	out("syscall", ns(time.Since(t), n), "ns")
	t = time.Now()
	for range n {
		syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
	}
	out("rawsyscall", ns(time.Since(t), n), "ns")
}

func blockSyscall(n int) {
	runtime.GOMAXPROCS(2)
	var stop atomic.Bool
	var cnt [2 * 16]atomic.Uint64
	var comp, wg sync.WaitGroup
	for i := range 2 {
		comp.Go(func() {
			x := uint64(i + 1)
			for !stop.Load() {
				x = xorshift(x, 1000)
				cnt[i*16].Add(1)
			}
			if x == 0 { // the loop must not be optimized away
				panic("xorshift")
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	total := func() float64 { return float64(cnt[0].Load() + cnt[16].Load()) }
	k, t := total(), time.Now()
	time.Sleep(time.Second)
	base := (total() - k) / time.Since(t).Seconds()
	k, t = total(), time.Now()
	for range 64 {
		wg.Go(func() {
			ts := syscall.Timespec{Nsec: 1e6}
			for range n {
				syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
			}
		})
	}
	wg.Wait()
	d := time.Since(t)
	out("wall", ms(d), "ms")
	out("compute_retained", (total()-k)/d.Seconds()/base, "ratio")
	stop.Store(true)
	comp.Wait()
}

// A goroutine that ends while it is locked takes its thread along.
func threadCreate(n int) {
	done := make(chan int)
	t := time.Now()
	for i := range n {
		go func() {
			runtime.LockOSThread()
			done <- i
		}()
		if <-done != i {
			panic("thread_create")
		}
	}
	out("per_thread", ns(time.Since(t), n), "ns")
}

// On one P: from the moment before a call that blocks for 200 us until another goroutine runs.
func callHandoff(n int) {
	runtime.GOMAXPROCS(1)
	var before atomic.Int64
	var end atomic.Bool
	start := time.Now()
	go func() {
		ts := syscall.Timespec{Nsec: 200e3}
		for range n {
			before.Store(int64(time.Since(start)))
			syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
			runtime.Gosched()
		}
		end.Store(true)
	}()
	late := make([]int64, 0, n)
	var seen int64
	for !end.Load() {
		if b := before.Load(); b != seen {
			seen = b
			late = append(late, int64(time.Since(start))-b)
		}
		runtime.Gosched()
	}
	pct("late_", late)
}

func sieve(n int) {
	t := time.Now()
	c := make(chan int)
	go func(c chan int) {
		for i := 2; ; i++ {
			c <- i
		}
	}(c)
	p := 0
	for range n {
		p = <-c
		o := make(chan int)
		go func(in, o chan int, p int) {
			for {
				if v := <-in; v%p != 0 {
					o <- v
				}
			}
		}(c, o, p)
		c = o
	}
	d := time.Since(t)
	if n == 2500 && p != 22307 {
		panic("bad prime")
	}
	out("total", ms(d), "ms")
}

func fibTask(n int) int {
	if n < 2 {
		return n
	}
	var wg sync.WaitGroup
	var a, b int
	wg.Add(2)
	go func() { a = fibTask(n - 1); wg.Done() }()
	go func() { b = fibTask(n - 2); wg.Done() }()
	wg.Wait()
	return a + b
}

func fib(n int) {
	t := time.Now()
	r := fibTask(n)
	d := time.Since(t)
	if n == 27 && r != 196418 {
		panic("bad fib")
	}
	out("total", ms(d), "ms")
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func tcpEcho(n int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 64)
				for {
					if _, err := io.ReadFull(c, b); err != nil {
						c.Close()
						return
					}
					c.Write(b)
				}
			}()
		}
	}()
	var wg sync.WaitGroup
	lat := make([][]int64, 64)
	start := time.Now()
	end := start.Add(time.Duration(n) * time.Millisecond)
	for i := range lat {
		wg.Go(func() {
			c, err := net.Dial("tcp", l.Addr().String())
			check(err)
			b := make([]byte, 64)
			for {
				s := time.Now()
				if s.After(end) {
					break
				}
				_, err = c.Write(b)
				check(err)
				_, err = io.ReadFull(c, b)
				check(err)
				lat[i] = append(lat[i], int64(time.Since(s)))
			}
			c.Close()
		})
	}
	wg.Wait()
	d := time.Since(start)
	all := slices.Concat(lat...)
	out("rate", float64(len(all))/d.Seconds(), "req/s")
	pct("lat_", all)
}

func httpServe(port int) {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	check(err)
	fmt.Println("ready")
	body := []byte("Hello, World!")
	http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(body)
	}))
}

func httpRaw(port int) {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	check(err)
	fmt.Println("ready")
	resp := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!")
	for {
		c, err := l.Accept()
		check(err)
		go func() {
			defer c.Close()
			b := make([]byte, 4096)
			used := 0
			for {
				k, err := c.Read(b[used:])
				if err != nil {
					return
				}
				used += k
				for {
					e := bytes.Index(b[:used], []byte("\r\n\r\n"))
					if e < 0 {
						break
					}
					if _, err := c.Write(resp); err != nil {
						return
					}
					used = copy(b, b[e+4:used])
				}
			}
		}()
	}
}

// pipe: both ends compute between hand-offs, so a runtime that keeps the pair on one P takes twice as long.
func pipe(n int) {
	ch := make(chan uint64)
	t := time.Now()
	go func() {
		for i := range n {
			ch <- xorshift(uint64(i+1), 40000)
		}
		close(ch)
	}()
	var bad int
	for v := range ch {
		if xorshift(v, 40000) == 0 {
			bad++
		}
	}
	if bad != 0 {
		panic("pipe")
	}
	out("per_item", ns(time.Since(t), n)/1e3, "us")
}

func parmapOnce(n, p int) time.Duration {
	runtime.GOMAXPROCS(p)
	var wg sync.WaitGroup
	var sum atomic.Uint64
	t := time.Now()
	for i := range n {
		wg.Add(1)
		go func() {
			if xorshift(uint64(i+1), 2500) == 0 {
				sum.Add(1)
			}
			wg.Done()
		}()
	}
	wg.Wait()
	return time.Since(t)
}

func parmap(n int) {
	a := parmapOnce(n, 1)
	b := parmapOnce(n, 2)
	out("p1", ms(a), "ms")
	out("p2", ms(b), "ms")
	out("speedup", float64(a)/float64(b), "ratio")
}

func main() {
	table := []struct {
		name string
		n    int
		f    func(int)
	}{
		{"spawn_join", 1e6, spawnJoin},
		{"pingpong1", 1e6, func(n int) { pingpong(n, 1, func() {}) }},
		{"pingpong2", 1e6, func(n int) { pingpong(n, 2, func() {}) }},
		{"chan_mpmc", 4e6, mpmc}, {"ring", 1e6, ring}, {"skynet", 1e6, skynet},
		{"parked", 1e6, parked}, {"yield", 5e6, yield}, {"mutex", 4e6, mutex},
		{"rwmutex", 4e6, rwmutex},
		{"select4", 2e6, select4}, {"timers", 1e6, timers}, {"preempt", 3000, preempt},
		{"syscall", 5e6, sys}, {"block_syscall", 100, blockSyscall}, {"sieve", 2500, sieve},
		{"fib", 27, fib}, {"tcp_echo", 3000, tcpEcho}, {"http", 8080, httpServe},
		{"http_raw", 8080, httpRaw}, {"parmap", 1e5, parmap}, {"pipe", 1e4, pipe},
		{"locked_pingpong", 1e5, func(n int) { pingpong(n, 2, runtime.LockOSThread) }}, {"thread_create", 5000, threadCreate},
		{"call_handoff", 2000, callHandoff},
	}
	work = os.Args[1]
	for _, w := range table {
		if w.name == work {
			if len(os.Args) > 2 {
				w.n, _ = strconv.Atoi(os.Args[2])
			}
			w.f(w.n)
			return
		}
	}
	if work == "list" {
		for _, w := range table {
			fmt.Println(w.name, w.n)
		}
		return
	}
	fmt.Println(work, "skip 0 -")
}
