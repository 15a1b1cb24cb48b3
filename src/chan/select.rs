//! `select`: one of several sends and receives, whichever can go on first.
//!
//! 1. Which one goes on is chosen uniformly at random among those that can. Of several cases of one channel that wait in the same queue the first one is served, so they
//!    are put there in a random order.
//! 2. First a look without locks; what seems ready is tried under its channel's lock. Else all channels are locked, in the order of their addresses, and looked at
//!    again: so a `default` means that there was a moment at which nothing could go on, and nothing that becomes ready is missed.
//! 3. Who waits has a waiter in each channel's queue, all of one `Choice` (`sched::waitq`, invariant 4), lets go of all the locks, and leaves its stack; the commit
//!    of the switch opens the choice. So a waker that spins on a choice which is not open yet waits for somebody who holds no lock.
//! 4. Once it goes on, it takes its other waiters out of their queues, each under its channel's lock, and only then are its slots its own again.
//! 5. A case without a channel (a nil one) never goes on.
//! 6. Preemption is disabled while all locks are held and until all waiters are out: in proportion to the cases, for thousands of them beyond the bound of R1.
//!
//! Rejected: to lock all channels at once in each case (four exchanges where one will do); to enqueue channel by channel (a waker would spin on somebody who waits
//! for a lock).
//!
//! Source: the Go specification, Select statements.

#![allow(unsafe_code)]

use super::SendError;
use super::raw::{AnyChannel, Attempt, Direction, Raw};
use crate::arch::switch::Commit;
use crate::base::NoPreempt;
use crate::base::lock::Rank;
use crate::base::tune::SELECT_ON_STACK;
use crate::gmp::{G, WaitReason};
use crate::sched::group;
use crate::sched::waitq::{Choice, OPEN, Waiter};
use crate::sched::{park, poll, random_below, ready};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr;

/// One case, of a channel of whatever type.
pub struct Case<'a> {
    channel: Option<&'a dyn AnyChannel>,
    direction: Direction,
    /// Was it the one that went on?
    is_done: bool,
    waiter: Waiter,
}

impl<'a> Case<'a> {
    /// Panics if the channel is of a bubble that the running goroutine is not of.
    #[track_caller]
    fn new<T: 'a>(channel: Option<&'a Raw<T>>, direction: Direction) -> Case<'a> {
        if let Some(raw) = channel {
            raw.check("select on");
        }
        Case { channel: channel.map(|raw| raw as &dyn AnyChannel), direction, is_done: false, waiter: Waiter::new(ptr::null_mut()) }
    }

    /// Its value is at `slot`, or is to be, and stays there; the running goroutine is the one that waits.
    fn begin(&mut self, slot: *mut u8) -> &mut Case<'a> {
        self.waiter = Waiter::new(slot);
        self
    }

    /// In the order in which channels are locked.
    fn address(&self) -> usize {
        self.channel.map_or(0, |channel| ptr::from_ref(channel).cast::<()>() as usize)
    }

    fn seems_ready(&self) -> bool {
        self.channel.is_some_and(|channel| channel.seems_ready(self.direction))
    }

    /// Its channel's lock held: does it, if that is possible. The goroutine in the result is to be made ready, without the locks.
    fn attempt(&self, channel: &dyn AnyChannel) -> Option<*mut G> {
        // SAFETY: the slot is this case's own, as its direction says: nobody else has it, for the waiter is in no queue.
        match unsafe { channel.attempt(self.direction, self.waiter.slot) } {
            Attempt::Served(g) => {
                self.waiter.served.set(true);
                Some(g)
            }
            Attempt::Closed => Some(ptr::null_mut()),
            Attempt::Wait => None,
        }
    }
}

/// Does one of `cases`, and says which; waits for that if it has to. None: nothing could go on, and it was not to wait.
///
/// Cases whose `waiter.served` is false then have had nothing done to them, or, the one in the result, a closed channel.
pub fn run(cases: &mut [&mut Case], waits: bool) -> Option<usize> {
    let done = run_one(cases, waits);
    if let Some(n) = done {
        cases[n].is_done = true;
    }
    done
}

fn run_one(cases: &mut [&mut Case], waits: bool) -> Option<usize> {
    let nopreempt = NoPreempt::new();
    if let Some(n) = choose(&nopreempt, cases)
        && let Some(channel) = cases[n].channel
    {
        channel.lock().lock_raw(Rank::Sync);
        let done = cases[n].attempt(channel);
        channel.lock().unlock_raw(Rank::Sync);
        if let Some(g) = done {
            return Some(go_on(nopreempt, g, n));
        }
    }
    let mut few = [0u32; SELECT_ON_STACK];
    if cases.len() <= few.len() {
        let used = sort(cases, &mut few);
        return run_locked(nopreempt, cases, &mut few[..used], waits);
    }
    drop(nopreempt);
    let mut many = vec![0; cases.len()];
    let used = sort(cases, &mut many);
    run_locked(NoPreempt::new(), cases, &mut many[..used], waits)
}

/// Writes which cases have a channel into `order`, in the order of their channels' addresses, and returns how many.
fn sort(cases: &[&mut Case], order: &mut [u32]) -> usize {
    let mut used = 0;
    for (n, _) in cases.iter().enumerate().filter(|(_, case)| case.channel.is_some()) {
        order[used] = n as u32;
        used += 1;
    }
    order[..used].sort_unstable_by_key(|&n| cases[n as usize].address());
    used
}

/// Invariant 1, which few selects need: puts those of the same channel, which stand side by side in `order`, into a random order.
#[cold]
fn shuffle_equals(nopreempt: &NoPreempt, cases: &[&mut Case], order: &mut [u32]) {
    let mut first = 0;
    for n in 1..order.len() {
        if cases[order[n] as usize].address() != cases[order[first] as usize].address() {
            first = n;
            continue;
        }
        let other = first + random_below(nopreempt, (n - first + 1) as u32) as usize;
        order.swap(n, other);
    }
}

/// One of those that seem ready.
fn choose(nopreempt: &NoPreempt, cases: &[&mut Case]) -> Option<usize> {
    let (mut seen, mut chosen) = (0, None);
    for (n, case) in cases.iter().enumerate() {
        if case.seems_ready() {
            seen += 1;
            if seen == 1 || random_below(nopreempt, seen) == 0 {
                chosen = Some(n);
            }
        }
    }
    chosen
}

fn go_on(nopreempt: NoPreempt, g: *mut G, n: usize) -> usize {
    if !g.is_null() {
        // SAFETY: R3: it came out of a queue under its lock.
        unsafe { ready(&nopreempt, g) };
    }
    drop(nopreempt);
    poll();
    n
}

/// The same with all locks, taken in `order`: invariants 2 to 4.
fn run_locked(nopreempt: NoPreempt, cases: &mut [&mut Case], order: &mut [u32], waits: bool) -> Option<usize> {
    let mut channels = 0;
    if !order.is_empty() {
        channels = lock_all(cases, order);
        while let Some(n) = choose(&nopreempt, cases) {
            let Some(channel) = cases[n].channel else { break };
            if let Some(g) = cases[n].attempt(channel) {
                unlock_all(cases, order);
                return Some(go_on(nopreempt, g, n));
            }
            // What seemed ready was a waiter that somebody else has won. It is gone now.
        }
    }
    if !waits {
        unlock_all(cases, order);
        drop(nopreempt);
        poll();
        return None;
    }
    if channels < order.len() {
        shuffle_equals(&nopreempt, cases, order);
    }
    let order = &*order;
    let choice = Choice::new();
    for &n in order {
        let case = &mut *cases[n as usize];
        let Some(channel) = case.channel else { continue };
        let waiter = &raw mut case.waiter;
        // SAFETY: the lock is held; the choice and the waiter stay where they are until the waiter has left the queue, below.
        unsafe {
            (*waiter).choose_by(&choice);
            channel.queue(case.direction).push(waiter);
        }
    }
    unlock_all(cases, order);
    let reason = if cases.is_empty() { WaitReason::SelectNoCases } else { reason(cases) };
    // SAFETY: whoever wins the choice owns the goroutine, and nobody does before the commit. No lock is held.
    unsafe { park(&nopreempt, reason, Commit::store(choice.word(), OPEN)) };
    let mut winner = None;
    for &n in order {
        let case = &*cases[n as usize];
        if ptr::eq(&case.waiter, choice.winner()) {
            winner = Some(n as usize);
            continue;
        }
        let Some(channel) = case.channel else { continue };
        channel.lock().lock_raw(Rank::Sync);
        // SAFETY: the lock is held.
        unsafe { channel.queue(case.direction).remove_if_queued(&case.waiter) };
        channel.lock().unlock_raw(Rank::Sync);
    }
    drop(nopreempt);
    if winner.is_none() {
        crate::base::throw!("select: a goroutine goes on, and no case was won");
    }
    winner
}

/// In a bubble a select is durable if all its channels are of the bubble.
fn reason(cases: &[&mut Case]) -> WaitReason {
    match group::bubble_id() {
        0 => WaitReason::Select,
        _ if cases.iter().all(|case| case.channel.is_none_or(|channel| channel.bubble() != 0)) => WaitReason::SelectDurable,
        _ => WaitReason::Select,
    }
}

/// Locks each channel once, and says how many there are.
fn lock_all(cases: &[&mut Case], order: &[u32]) -> usize {
    let mut channels = 0;
    each_once(cases, order, |channel, is_first| {
        channels += 1;
        if is_first { channel.lock().lock_raw(Rank::Sync) } else { channel.lock().lock_another_raw(Rank::Sync) }
    });
    channels
}

fn unlock_all(cases: &[&mut Case], order: &[u32]) {
    each_once(cases, order, |channel, _| channel.lock().unlock_raw(Rank::Sync));
}

fn each_once(cases: &[&mut Case], order: &[u32], mut f: impl FnMut(&dyn AnyChannel, bool)) {
    let mut last = 0;
    for &n in order {
        let case = &cases[n as usize];
        if case.address() != last
            && let Some(channel) = case.channel
        {
            f(channel, last == 0);
            last = case.address();
        }
    }
}

/// A case that receives.
pub struct Receiving<'a, T> {
    case: Case<'a>,
    slot: MaybeUninit<T>,
}

impl<'a, T> Receiving<'a, T> {
    #[track_caller]
    pub(crate) fn new(channel: Option<&'a Raw<T>>) -> Receiving<'a, T> {
        Receiving { case: Case::new(channel, Direction::Receive), slot: MaybeUninit::uninit() }
    }

    /// For `run`; from now on it stays where it is.
    pub fn case(&mut self) -> &mut Case<'a> {
        self.case.begin(self.slot.as_mut_ptr().cast())
    }

    /// What it has received, if it was the one that went on; none from a closed channel.
    pub fn outcome(&mut self) -> Option<T> {
        // SAFETY: served: the slot was filled, and is read once.
        self.case.waiter.served.replace(false).then(|| unsafe { self.slot.assume_init_read() })
    }
}

impl<T> Drop for Receiving<'_, T> {
    fn drop(&mut self) {
        drop(self.outcome());
    }
}

/// A case that sends.
pub struct Sending<'a, T> {
    case: Case<'a>,
    /// Full until it was sent, or taken back.
    slot: MaybeUninit<T>,
    is_full: bool,
    /// Where the value goes back to if it is another case that goes on. Else it is dropped.
    home: Option<&'a mut Option<T>>,
}

impl<'a, T> Sending<'a, T> {
    #[track_caller]
    pub(crate) fn new(channel: Option<&'a Raw<T>>, value: T) -> Sending<'a, T> {
        Sending { case: Case::new(channel, Direction::Send), slot: MaybeUninit::new(value), is_full: true, home: None }
    }

    /// For `run`; from now on it stays where it is.
    pub fn case(&mut self) -> &mut Case<'a> {
        self.case.begin(self.slot.as_mut_ptr().cast())
    }

    /// If it was the one that went on, the value comes back if the channel is closed. Else it goes home, or is dropped.
    pub fn outcome(&mut self) -> Result<(), SendError<T>> {
        match self.take_back() {
            Some(value) if self.case.is_done => Err(SendError(value)),
            back => {
                self.go_home(back);
                Ok(())
            }
        }
    }

    fn go_home(&mut self, back: Option<T>) {
        if let (Some(value), Some(home)) = (back, &mut self.home) {
            **home = Some(value);
        }
    }

    /// The value, if it was not sent; once.
    pub fn take_back(&mut self) -> Option<T> {
        let is_here = core::mem::replace(&mut self.is_full, false) && !self.case.waiter.served.get();
        // SAFETY: it was neither sent nor taken back.
        is_here.then(|| unsafe { self.slot.assume_init_read() })
    }
}

impl<T> Drop for Sending<'_, T> {
    fn drop(&mut self) {
        let back = self.take_back();
        self.go_home(back);
    }
}

/// A select whose cases are put together while the program runs: any number of sends and receives, each with what is to be done when it is the one that goes on.
///
/// As [`select!`](crate::select), it chooses uniformly at random among those that can go on, and waits if there are none; with [`default`](Select::default) it does not wait.
///
/// ```no_run
/// # fn main() {
/// use gort::chan::{self, Select};
/// let channels: Vec<_> = (0..100).map(|_| chan::make::<u32>(0)).collect();
/// let mut select = Select::new();
/// for (n, channel) in channels.iter().enumerate() {
///     select.recv(channel, move |value| (n, value));
/// }
/// let (n, value) = select.run();
/// # let _ = (n, value);
/// # }
/// ```
///
/// Source: Go package reflect, Select.
#[must_use = "nothing happens before `run`"]
pub struct Select<'a, R> {
    cases: Vec<Box<dyn Dynamic<'a, R> + 'a>>,
    default: Option<Box<dyn FnOnce() -> R + 'a>>,
}

/// A case and what is to be done then.
trait Dynamic<'a, R> {
    fn case(&mut self) -> &mut Case<'a>;
    fn finish(self: Box<Self>) -> R;
}

impl<'a, T, R, F: FnOnce(Option<T>) -> R> Dynamic<'a, R> for (Receiving<'a, T>, F) {
    fn case(&mut self) -> &mut Case<'a> {
        self.0.case()
    }

    fn finish(mut self: Box<Self>) -> R {
        let value = self.0.outcome();
        (self.1)(value)
    }
}

impl<'a, T, R, F: FnOnce(Result<(), SendError<T>>) -> R> Dynamic<'a, R> for (Sending<'a, T>, F) {
    fn case(&mut self) -> &mut Case<'a> {
        self.0.case()
    }

    fn finish(mut self: Box<Self>) -> R {
        let result = self.0.outcome();
        (self.1)(result)
    }
}

impl<'a, R> Select<'a, R> {
    /// One without cases: it waits for ever.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Select<'a, R> {
        crate::gmp::require_runtime();
        Select { cases: Vec::new(), default: None }
    }

    /// Adds a receive; `then` gets the value, or none from a channel that is closed and empty.
    #[track_caller]
    pub fn recv<C: Receives>(&mut self, channel: &'a C, then: impl FnOnce(Option<C::Item>) -> R + 'a)
    where
        C::Item: 'a,
    {
        self.cases.push(Box::new((channel.receiving(), then)));
    }

    /// Adds a send; `then` gets the value back if the channel is closed. The value of a send that is not the one that goes on is dropped.
    #[track_caller]
    pub fn send<C: Sends>(&mut self, channel: &'a C, value: C::Item, then: impl FnOnce(Result<(), SendError<C::Item>>) -> R + 'a)
    where
        C::Item: 'a,
    {
        self.cases.push(Box::new((channel.sending(value), then)));
    }

    /// Adds a send of what is in `slot`, which goes back there if it is another case that goes on. An empty slot's case never goes on.
    pub fn send_in<C: Sends>(&mut self, channel: &'a C, slot: &'a mut Option<C::Item>, then: impl FnOnce(Result<(), SendError<C::Item>>) -> R + 'a) {
        self.cases.push(Box::new((channel.sending_in(slot), then)));
    }

    /// What is to be done if nothing can go on at once. The last one counts.
    pub fn default(&mut self, then: impl FnOnce() -> R + 'a) {
        self.default = Some(Box::new(then));
    }

    /// Does one of the cases, and then what belongs to it, and returns what that returns.
    pub fn run(mut self) -> R {
        let done = {
            let mut cases: Vec<&mut Case> = self.cases.iter_mut().map(|case| case.case()).collect();
            run(&mut cases, self.default.is_none())
        };
        match (done, self.default) {
            (Some(n), _) => {
                let case = self.cases.swap_remove(n);
                drop(self.cases);
                case.finish()
            }
            (None, Some(default)) => {
                drop(self.cases);
                default()
            }
            (None, None) => unreachable!("it waits"),
        }
    }
}

impl<R> fmt::Debug for Select<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("cases", &self.cases.len()).field("default", &self.default.is_some()).finish()
    }
}

/// What a select can receive from: a handle that receives, a reference to one, or none, which never goes on (Go's nil channel).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no channel that can be received from",
    label = "not a `Chan` or a `Receiver`",
    note = "a select receives from a `Chan`, a `Receiver`, a reference to one, or an `Option` of these"
)]
pub trait Receives {
    /// Its values.
    type Item: Send;

    #[doc(hidden)]
    #[track_caller]
    fn receiving(&self) -> Receiving<'_, Self::Item>;
}

/// What a select can send on: a handle that sends, a reference to one, or none, which never goes on (Go's nil channel).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no channel that can be sent on",
    label = "not a `Chan` or a `Sender`",
    note = "a select sends on a `Chan`, a `Sender`, a reference to one, or an `Option` of these"
)]
pub trait Sends {
    /// Its values.
    type Item: Send;

    #[doc(hidden)]
    #[track_caller]
    fn sending(&self, value: Self::Item) -> Sending<'_, Self::Item>;

    #[doc(hidden)]
    #[track_caller]
    fn sending_in<'a>(&'a self, slot: &'a mut Option<Self::Item>) -> Sending<'a, Self::Item> {
        match slot.take() {
            Some(value) => {
                let mut sending = self.sending(value);
                sending.home = Some(slot);
                sending
            }
            None => Sending { case: Case::new::<Self::Item>(None, Direction::Send), slot: MaybeUninit::uninit(), is_full: false, home: None },
        }
    }
}

impl<C: Receives + ?Sized> Receives for &C {
    type Item = C::Item;
    #[track_caller]
    fn receiving(&self) -> Receiving<'_, C::Item> {
        C::receiving(self)
    }
}

impl<C: Sends + ?Sized> Sends for &C {
    type Item = C::Item;
    #[track_caller]
    fn sending(&self, value: C::Item) -> Sending<'_, C::Item> {
        C::sending(self, value)
    }
}

impl<C: Receives> Receives for Option<C> {
    type Item = C::Item;
    #[track_caller]
    fn receiving(&self) -> Receiving<'_, C::Item> {
        match self {
            Some(channel) => channel.receiving(),
            None => Receiving::new(None),
        }
    }
}

impl<C: Sends> Sends for Option<C> {
    type Item = C::Item;
    #[track_caller]
    fn sending(&self, value: C::Item) -> Sending<'_, C::Item> {
        match self {
            Some(channel) => channel.sending(value),
            None => Sending::new(None, value),
        }
    }
}

/// Waits for ever.
pub fn nothing() -> ! {
    let _ = run(&mut [], true);
    unreachable!("nobody makes it ready")
}

/// For `select!`: the cases. Methods that everything has, with bounds that not everything fulfils: so what does not fit is said once and in the words of the bound,
/// and the reference is taken without a `&` of the macro's.
pub trait Operand {
    #[track_caller]
    fn __gort_receives(&self) -> Receiving<'_, Self::Item>
    where
        Self: Receives,
    {
        self.receiving()
    }

    #[track_caller]
    fn __gort_sends(&self, value: Self::Item) -> Sending<'_, Self::Item>
    where
        Self: Sends,
    {
        self.sending(value)
    }

    #[track_caller]
    fn __gort_sends_in<'a>(&'a self, slot: &'a mut Option<Self::Item>) -> Sending<'a, Self::Item>
    where
        Self: Sends,
    {
        self.sending_in(slot)
    }

    fn __gort_slot(&mut self) -> &mut Self {
        self
    }
}

impl<T> Operand for T {}

/// For `select!`: a send that went on.
#[track_caller]
pub fn sent<T>(result: Result<(), SendError<T>>) {
    if result.is_err() {
        panic!("send on closed channel");
    }
}
