// A program of Go that waits for ever, some goroutines with it.
package main

import (
	"fmt"
	"time"
)

func main() {
	never := make(chan int)
	for range 10 {
		go func() { <-never }()
	}
	fmt.Println("idle")
	time.Sleep(time.Hour)
}
