//! A preemption request that is refused is not lost (R5): the real header of a goroutine, and the real `NoPreempt`.
//!
//! A signal handler runs between two instructions of the goroutine, on its thread. In the model it is a thread of its own, and both take the CPU, a
//! lock, for each instruction and each handler. What it copies, and where it could drift: what `sched::preempt::handler` does with a goroutine,
//! what `sched::park::start_running` does as it goes on, and that the few instructions of `gort_preempt` and of a goroutine's start refuse.

use super::explore;
use crate::arch::header::{GHeader, NOTHING_PENDING};
use crate::arch::tls;
use crate::base::atomic::{AtomicU32, Ordering::Acquire, Ordering::Release};
use crate::base::{NoPreempt, hooks};
use core::cell::Cell;
use loom::sync::Mutex;
use loom::thread;
use std::sync::Arc;

#[derive(Default)]
struct Cpu {
    g: Option<*const GHeader>,
    in_stub: bool,
    refused_by_counter: bool,
    refused_by_place: bool,
    injected: bool,
}

// SAFETY: the header is used under the lock that this is in.
unsafe impl Send for Cpu {}

std::thread_local! {
    /// How often the goroutine has given way at a mark: the model's threads share one of std's.
    static GAVE_WAY: Cell<u32> = const { Cell::new(0) };
}

/// The scheduler's answer to a mark: the goroutine leaves, and goes on later with nothing pending (`start_running`).
fn give_way() {
    GAVE_WAY.set(GAVE_WAY.get() + 1);
    // SAFETY: this thread's own header.
    unsafe { (*tls::g()).nopreempt.set(NOTHING_PENDING) };
}

/// What the handler does, on the goroutine's thread.
fn signal(cpu: &Mutex<Cpu>) {
    let mut cpu = cpu.lock().unwrap();
    let Some(g) = cpu.g else { return };
    // SAFETY: the goroutine stands still while the CPU is ours, and lives until both are joined.
    let g = unsafe { &*g };
    if g.may_be_preempted() && !cpu.in_stub {
        cpu.injected = true;
        g.nopreempt.set(NOTHING_PENDING);
    } else {
        cpu.refused_by_counter |= !g.may_be_preempted();
        cpu.refused_by_place |= g.may_be_preempted();
        g.mark();
    }
}

fn fatal(message: core::fmt::Arguments) -> ! {
    panic!("fatal error: {message}")
}

/// The goroutine: a place that refuses, then a raise inside another, a place again, then a loop that never calls the runtime.
fn goroutine(cpu: &Mutex<Cpu>) {
    {
        let mut cpu = cpu.lock().unwrap();
        // SAFETY: this thread's own header; a goroutine in user code has no raise open.
        unsafe { (*tls::g()).nopreempt.set(NOTHING_PENDING) };
        cpu.g = Some(tls::g());
        cpu.in_stub = true;
    }
    cpu.lock().unwrap().in_stub = false;
    let raise = || {
        let _cpu = cpu.lock().unwrap();
        NoPreempt::new()
    };
    let lower = |guard: NoPreempt| {
        let _cpu = cpu.lock().unwrap();
        drop(guard);
    };
    let outer = raise();
    let inner = raise();
    lower(inner);
    lower(outer);
    // The last instructions of an injected call: who is refused here finds nobody any more who looks at the mark.
    cpu.lock().unwrap().in_stub = true;
    cpu.lock().unwrap().in_stub = false;
}

fn model(with_second: bool) {
    hooks::set(fatal, give_way);
    explore(4, move || {
        GAVE_WAY.set(0);
        let cpu = Arc::new(Mutex::new(Cpu::default()));
        let sender = {
            let cpu = cpu.clone();
            thread::spawn(move || signal(&cpu))
        };
        // 1: the goroutine is in its loop; 2: and may end.
        let stage = Arc::new(AtomicU32::new(0));
        let g = {
            let (cpu, stage) = (cpu.clone(), stage.clone());
            thread::spawn(move || {
                goroutine(&cpu);
                stage.store(1, Release);
                while stage.load(Acquire) != 2 {
                    thread::yield_now();
                }
            })
        };
        sender.join().unwrap();
        while stage.load(Acquire) != 1 {
            thread::yield_now();
        }
        if with_second {
            // Two milliseconds without a tick: sysmon sends again.
            signal(&cpu);
        }
        stage.store(2, Release);
        g.join().unwrap();
        let cpu = cpu.lock().unwrap();
        let gave_way = cpu.injected || GAVE_WAY.get() != 0;
        if cpu.refused_by_counter {
            assert!(gave_way, "the counter refused the request, and nobody looked at the mark");
        }
        if cpu.refused_by_place && with_second {
            assert!(gave_way, "the place refused the request, and the second one did nothing");
        }
    });
}

#[test]
fn a_request_refused_by_the_counter_is_heeded_as_it_is_lowered() {
    model(false);
}

#[test]
fn a_request_refused_by_the_place_is_heeded_when_it_is_sent_again() {
    model(true);
}
