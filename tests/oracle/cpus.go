// What Go says about CPUs, in the words of gort's program cpus.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "set" {
		n, _ := strconv.Atoi(os.Args[2])
		runtime.GOMAXPROCS(n)
	}
	fmt.Println("gomaxprocs", runtime.GOMAXPROCS(0), "num_cpu", runtime.NumCPU())
}
