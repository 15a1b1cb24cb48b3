//! Channels, as a user would test what they build of them.

use alloc::vec::Vec;
use gort::prelude::*;

gort::test! {
    fn values_come_in_the_order_in_which_they_were_sent() {
        let channel = chan::make(3);
        for n in 0..3 {
            channel.send(n);
        }
        channel.close();
        assert_eq!(channel.iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    fn an_unbuffered_send_waits_for_its_receive() {
        let channel = chan::make(0);
        let sender = spawn({
            let channel = channel.clone();
            move || channel.send("here")
        });
        assert_eq!(channel.recv(), Some("here"));
        sender.join().unwrap();
    }

    #[should_panic(expected = "send on closed channel")]
    fn a_closed_channel_takes_nothing() {
        let channel = chan::make(1);
        channel.close();
        channel.send(1);
    }

    fn a_select_takes_what_is_ready() {
        let (full, empty) = (chan::make(1), chan::make::<i32>(0));
        full.send(7);
        select! {
            recv(full) -> value => assert_eq!(value, Some(7)),
            recv(empty) => panic!("nobody sends there"),
        }
    }
}
