//! Metrics: the snippet of the specification, and everything else that there is to read.
#![no_std]
#![no_main]

use gort::metrics::{self, Sample, Value};
use gort::prelude::*;

gort::main!(main);

fn main() {
    let mut samples = [Sample::new("/sched/gomaxprocs:threads"), Sample::new("/sched/goroutines:goroutines")];
    metrics::read(&mut samples);
    for s in &samples {
        println!("{} {}", s.name, s.value.uint64());
    }

    // Latencies are measured from their first reading on.
    let mut latencies = [Sample::new("/sched/latencies:seconds")];
    metrics::read(&mut latencies);
    scope(|s| (0..1000).for_each(|_| s.go(runtime::gosched)));

    println!("\nall of them:");
    for metric in metrics::all() {
        let mut sample = [Sample::new(metric.name)];
        metrics::read(&mut sample);
        match &sample[0].value {
            Value::Uint64(value) => println!("{} {value}", metric.name),
            Value::Float64Histogram(histogram) => println!("{} {} samples, {histogram:?}", metric.name, histogram.counts.iter().sum::<u64>()),
            other => println!("{} {other:?}", metric.name),
        }
        println!("    {}", metric.description);
    }
}
