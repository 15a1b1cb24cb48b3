//! Select: the real `chan::select`, `chan::raw` and `sched::waitq`, over the doubles of `park` and `ready`.
//!
//! As in `models::channel`, a value is the number of a cell that its sender has filled.

use super::explore;
use crate::chan::raw::{AnyChannel, Direction, Raw};
use crate::chan::select::{Receiving, Sending, run};
use loom::thread;
use std::sync::Arc;

struct Mail {
    channels: [Raw<usize>; 2],
    letters: [loom::cell::UnsafeCell<usize>; 4],
}

// SAFETY: loom checks the use of the cells.
unsafe impl Sync for Mail {}
// SAFETY: as above.
unsafe impl Send for Mail {}

impl Mail {
    fn new(capacity: usize) -> Arc<Mail> {
        Arc::new(Mail { channels: [(); 2].map(|()| Raw::new(capacity).unwrap()), letters: core::array::from_fn(|_| loom::cell::UnsafeCell::new(0)) })
    }

    fn write(&self, n: usize) -> usize {
        // SAFETY: loom checks that nobody else is at it.
        self.letters[n].with_mut(|letter| unsafe { *letter = n + 100 });
        n
    }

    fn read(&self, n: usize) -> usize {
        // SAFETY: as above.
        self.letters[n].with_mut(|letter| unsafe { assert_eq!(*letter, n + 100) });
        n
    }

    /// Receives from either.
    fn either(&self) -> Option<usize> {
        let [a, b] = &self.channels;
        let (mut a, mut b) = (Receiving::new(Some(a)), Receiving::new(Some(b)));
        let done = run(&mut [a.case(), b.case()], true);
        let value = if done == Some(0) { a.outcome() } else { b.outcome() };
        self.nobody_waits_to_receive();
        value.map(|n| self.read(n))
    }

    /// The only receiver has gone on, so none is in a queue: its waiters would be on a stack that is used for other things by now.
    fn nobody_waits_to_receive(&self) {
        assert!(self.channels.iter().all(|channel| !channel.queue(Direction::Receive).seems_used()), "a waiter was left in a queue");
    }
}

#[test]
fn each_of_two_senders_is_received_from_whoever_comes_first() {
    explore(4, || {
        let mail = Mail::new(0);
        let senders = [0, 1].map(|n| {
            let mail = mail.clone();
            thread::spawn(move || assert_eq!(mail.channels[n].send(mail.write(n)), Ok(())))
        });
        let mut got = [mail.either(), mail.either()];
        got.sort();
        assert_eq!(got, [Some(0), Some(1)]);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

#[test]
fn two_selects_meet() {
    explore(3, || {
        let mail = Mail::new(0);
        let other = {
            let mail = mail.clone();
            thread::spawn(move || {
                let [a, b] = &mail.channels;
                let (mut a, mut b) = (Sending::new(Some(a), mail.write(0)), Sending::new(Some(b), mail.write(1)));
                let done = run(&mut [a.case(), b.case()], true).unwrap();
                let back = if done == 0 { b.take_back() } else { a.take_back() };
                assert_eq!(back, Some(1 - done), "the value that was not sent");
                done
            })
        };
        let got = mail.either();
        assert_eq!(got, Some(other.join().unwrap()));
    });
}

#[test]
fn a_close_ends_a_select_once_and_takes_nothing_from_a_sender() {
    explore(4, || {
        let mail = Mail::new(0);
        let closer = {
            let mail = mail.clone();
            thread::spawn(move || assert!(mail.channels[0].close()))
        };
        let sender = {
            let mail = mail.clone();
            thread::spawn(move || mail.channels[1].send(mail.write(2)))
        };
        let mut got = mail.either();
        if got.is_none() {
            // The other one still waits, or comes.
            got = mail.channels[1].recv().map(|n| mail.read(n));
        }
        assert_eq!(got, Some(2));
        closer.join().unwrap();
        assert_eq!(sender.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_default_means_that_nothing_could_go_on_at_some_moment() {
    explore(4, || {
        let mail = Mail::new(1);
        assert_eq!(mail.channels[0].send(mail.write(0)), Ok(()));
        // The second channel has a value before the first one has none.
        let mover = {
            let mail = mail.clone();
            thread::spawn(move || {
                assert_eq!(mail.channels[1].send(mail.write(1)), Ok(()));
                mail.channels[0].try_recv().is_ok()
            })
        };
        let [a, b] = &mail.channels;
        let (mut a, mut b) = (Receiving::new(Some(a)), Receiving::new(Some(b)));
        let done = run(&mut [a.case(), b.case()], false);
        let got = match done {
            Some(0) => a.outcome(),
            Some(_) => b.outcome(),
            None => panic!("a value was there all the time"),
        };
        assert_eq!(got.map(|n| mail.read(n)), done);
        assert_eq!(mover.join().unwrap(), done != Some(0));
    });
}
