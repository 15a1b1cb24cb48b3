//! Channels: the real `chan::raw` and `sched::waitq`, over the doubles of `park` and `ready`.
//!
//! A value is the number of a cell that its sender has filled: the receiver sees what is in it, or loom says that it read too early.

use super::explore;
use crate::chan::raw::Raw;
use loom::thread;
use std::sync::Arc;

struct Mail {
    channel: Raw<usize>,
    letters: [loom::cell::UnsafeCell<usize>; 4],
}

// SAFETY: loom checks the use of the cells.
unsafe impl Sync for Mail {}
// SAFETY: as above.
unsafe impl Send for Mail {}

impl Mail {
    fn new(capacity: usize) -> Arc<Mail> {
        Arc::new(Mail { channel: Raw::new(capacity).unwrap(), letters: core::array::from_fn(|_| loom::cell::UnsafeCell::new(0)) })
    }

    fn send(&self, n: usize) -> Result<(), usize> {
        // SAFETY: loom checks that nobody else is at it.
        self.letters[n].with_mut(|letter| unsafe { *letter = n + 100 });
        self.channel.send(n)
    }

    fn recv(&self) -> Option<usize> {
        let n = self.channel.recv()?;
        // SAFETY: as above.
        self.letters[n].with_mut(|letter| unsafe { assert_eq!(*letter, n + 100) });
        Some(n)
    }
}

#[test]
fn a_value_is_handed_over_whoever_comes_first() {
    explore(6, || {
        let mail = Mail::new(0);
        let receiver = {
            let mail = mail.clone();
            thread::spawn(move || (mail.recv(), mail.recv()))
        };
        assert_eq!((mail.send(1), mail.send(2)), (Ok(()), Ok(())));
        assert_eq!(receiver.join().unwrap(), (Some(1), Some(2)));
    });
}

#[test]
fn a_buffered_value_comes_before_that_of_a_sender_who_waits() {
    explore(6, || {
        let mail = Mail::new(1);
        let receiver = {
            let mail = mail.clone();
            thread::spawn(move || [mail.recv(), mail.recv(), mail.recv()])
        };
        (1..=3).for_each(|n| assert_eq!(mail.send(n), Ok(())));
        assert_eq!(receiver.join().unwrap(), [Some(1), Some(2), Some(3)]);
    });
}

#[test]
fn close_wakes_who_waits_and_loses_no_value() {
    explore(4, || {
        let mail = Mail::new(0);
        let receivers = [0, 1].map(|_| {
            let mail = mail.clone();
            thread::spawn(move || mail.recv())
        });
        assert_eq!(mail.send(1), Ok(()));
        assert!(mail.channel.close());
        let mut got = receivers.map(|receiver| receiver.join().unwrap());
        got.sort();
        assert_eq!(got, [None, Some(1)]);
        assert_eq!(mail.send(2), Err(2));
    });
}
