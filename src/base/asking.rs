//! What sysmon does about a goroutine that others wait for: ask it to give way, ask it again, ask another one as well, or wait (R7).
//!
//! 1. A request is for one slice: who is asked for the first time in it is asked by the owner of the waiting work alone.
//! 2. What has just been asked is young, also by a clock that was read before: a difference below zero is none (race 5 of wake-up preemption: it
//!    was taken for a very old request, and every pass asked everybody).

use super::tune::{ASK_AGAIN_NS, ESCALATE_NS};

/// See the head of this file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It has not been asked in this slice.
    Ask,
    /// It was, for too long in vain.
    AskAgain,
    /// It was; its thread seems not to run, so any other may do what is due.
    AskAnother,
    /// It was, just now.
    Wait,
}

/// What to do at `now` about a slice that was asked to end at `asked_ns` (0: it was not). `may_escalate`: something is due that another P can do, and
/// none has been asked for it.
#[inline]
pub fn next(asked_ns: u64, now: u64, may_escalate: bool) -> Step {
    let age = now.saturating_sub(asked_ns);
    match asked_ns {
        0 => Step::Ask,
        _ if age >= ASK_AGAIN_NS => Step::AskAgain,
        _ if may_escalate && age >= ESCALATE_NS => Step::AskAnother,
        _ => Step::Wait,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const T: u64 = 1_000_000_000;

    #[test]
    fn a_slice_is_asked_once_then_another_then_again() {
        assert_eq!(next(0, T, true), Step::Ask);
        assert_eq!(next(T, T, true), Step::Wait);
        assert_eq!(next(T, T + ESCALATE_NS - 1, true), Step::Wait);
        assert_eq!(next(T, T + ESCALATE_NS, true), Step::AskAnother);
        assert_eq!(next(T, T + ESCALATE_NS, false), Step::Wait);
        assert_eq!(next(T, T + ASK_AGAIN_NS, false), Step::AskAgain);
        assert_eq!(next(T, T + ASK_AGAIN_NS, true), Step::AskAgain);
    }

    #[test]
    fn a_request_later_than_the_look_at_the_clock_is_young() {
        for later in [1, ESCALATE_NS, ASK_AGAIN_NS, T] {
            assert_eq!(next(T + later, T, true), Step::Wait, "asked {later} ns after the clock was read");
        }
    }
}
