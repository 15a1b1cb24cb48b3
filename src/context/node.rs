//! `Context`: a handle of a node, which knows its parent.
//!
//! 1. A node holds its parent; nobody holds those below it but through the tree of branches (`tree`), which has the nodes that can be cancelled alone.
//! 2. What is asked for often is kept in the node: the branch by which it is cancelled, its own or that of a node above; and its deadline.
//! 3. A chain of contexts may be of any length: it is walked, printed and dropped without recursion.
//!
//! Rejected: a trait, as Go's interface, for contexts that others make (each context below such a one needs a goroutine that waits for it, and every look
//! at a context is a virtual call; what they are made for, values and cancelling, is here).

use super::tree::Branch;
use super::{Cause, Error};
use crate::chan::Receiver;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;

/// When to stop, why, and values of a request: what goes from function to function, and from goroutine to goroutine, as their first argument.
///
/// Clones are handles of the same context. Dropping handles cancels nothing: a context that nobody has any more, nor anything of it (its channel, a context below it,
/// a call that is registered), just leaves its parent, and its timer is stopped.
///
/// ```no_run
/// # fn main() {
/// use gort::context::{self, Context};
/// use gort::prelude::*;
/// use gort::time::Duration;
///
/// fn first(ctx: &Context, answers: &Receiver<u32>) -> Result<u32, context::Error> {
///     select! {
///         recv(answers) -> answer => Ok(answer.unwrap_or(0)),
///         recv(ctx.done()) => Err(ctx.err().unwrap()),
///     }
/// }
///
/// let (ctx, cancel) = context::with_timeout(&context::background(), Duration::from_secs(1));
/// let _cancel = cancel.on_drop(); // Go's `defer cancel()`
/// let answers = chan::make(0);
/// let answer = first(&ctx, &answers.receiver());
/// # let _ = answer;
/// # }
/// ```
///
/// Source: Go package context, Context.
#[derive(Clone)]
pub struct Context {
    link: Link,
}

#[derive(Clone)]
enum Link {
    Background,
    Todo,
    Node(Arc<Node>),
}

struct Node {
    /// None once it is being dropped.
    parent: Option<Context>,
    /// Invariant 2.
    branch: Option<Arc<Branch>>,
    deadline: Option<Instant>,
    kind: Kind,
}

pub(super) enum Kind {
    /// Its branch is its own.
    Cancel,
    /// As `Cancel`, and it has a deadline of its own.
    Deadline,
    Value(Box<dyn Pair>),
    WithoutCancel,
}

/// A key and its value.
pub(super) trait Pair: Any + Send + Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// The context at the root of all: never done, without a deadline, without values. For main, for what a program begins by itself, for tests.
///
/// Source: Go package context, Background.
pub const fn background() -> Context {
    Context { link: Link::Background }
}

/// As [`background`], where it is not clear yet which context to use.
///
/// Source: Go package context, TODO.
pub const fn todo() -> Context {
    Context { link: Link::Todo }
}

/// A context with the values of `parent` that is not done when `parent` is, and has no deadline.
///
/// Source: Go package context, WithoutCancel.
pub fn without_cancel(parent: &Context) -> Context {
    Context::below(parent, None, None, Kind::WithoutCancel)
}

static NEVER: Receiver<()> = Receiver::nil();

impl Context {
    pub(super) fn below(parent: &Context, branch: Option<Arc<Branch>>, deadline: Option<Instant>, kind: Kind) -> Context {
        Context { link: Link::Node(Arc::new(Node { parent: Some(parent.clone()), branch, deadline, kind })) }
    }

    fn node(&self) -> Option<&Node> {
        match &self.link {
            Link::Node(node) => Some(node),
            _ => None,
        }
    }

    /// By which it is cancelled, if it can be.
    pub(super) fn branch(&self) -> Option<&Arc<Branch>> {
        self.node()?.branch.as_ref()
    }

    /// A channel that is closed when the context is done: for `select!`. A nil one, on which a receive waits for ever, if that can never be.
    ///
    /// Source: Go package context, Context.Done.
    pub fn done(&self) -> &Receiver<()> {
        self.branch().map_or(&NEVER, |branch| branch.done())
    }

    /// Why the context is done; none if it is not. Once it says why, it always says the same, and [`done`](Context::done) is closed.
    ///
    /// Source: Go package context, Context.Err.
    pub fn err(&self) -> Option<Error> {
        self.branch()?.error()
    }

    /// As [`err`](Context::err), for `?`: an error if the context is done.
    pub fn check(&self) -> Result<(), Error> {
        self.err().map_or(Ok(()), Err)
    }

    /// When the context is to be done, at the latest; none if there is no such time.
    ///
    /// Source: Go package context, Context.Deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.node()?.deadline
    }

    /// It and those above it, upwards, without the root.
    fn nodes(&self) -> impl Iterator<Item = &Node> {
        core::iter::successors(self.node(), |node| node.parent.as_ref()?.node())
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = &dyn Pair> {
        self.nodes().filter_map(|node| match &node.kind {
            Kind::Value(pair) => Some(&**pair),
            _ => None,
        })
    }

    fn is_todo(&self) -> bool {
        let last = self.nodes().last();
        matches!(last.map_or(&self.link, |node| node.parent.as_ref().map_or(&self.link, |parent| &parent.link)), Link::Todo)
    }

    /// How many contexts and calls are told when this one is done.
    pub(crate) fn child_count(&self) -> usize {
        self.branch().map_or(0, |branch| branch.child_count())
    }
}

/// What the context was cancelled for: the cause that was given, or its error, if none was; none as long as it is not done.
///
/// Source: Go package context, Cause.
pub fn cause(ctx: &Context) -> Option<Cause> {
    let (error, cause) = ctx.branch()?.reason()?;
    Some(cause.unwrap_or_else(|| Arc::new(error)))
}

/// As Go prints it: what it was made by, from the root on, as `context.Background.WithCancel`.
impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_todo() { "context.TODO" } else { "context.Background" })?;
        let nodes: Vec<&Node> = self.nodes().collect();
        for node in nodes.iter().rev() {
            match (&node.kind, node.deadline) {
                (Kind::Deadline, Some(deadline)) => {
                    let now = Instant::now();
                    let (sign, left) = if deadline < now { ("-", now - deadline) } else { ("", deadline - now) };
                    write!(f, ".WithDeadline({deadline:?} [{sign}{left:?}])")?;
                }
                (Kind::Cancel | Kind::Deadline, _) => f.write_str(".WithCancel")?,
                (Kind::Value(pair), _) => {
                    f.write_str(".WithValue(")?;
                    pair.fmt(f)?;
                    f.write_str(")")?;
                }
                (Kind::WithoutCancel, _) => f.write_str(".WithoutCancel")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let (Kind::Cancel | Kind::Deadline, Some(branch)) = (&self.kind, &self.branch) {
            branch.let_go();
        }
        // Invariant 3: each of those above drops without a parent.
        let mut parent = self.parent.take();
        while let Some(Context { link: Link::Node(node) }) = parent {
            parent = Arc::into_inner(node).and_then(|mut node| node.parent.take());
        }
    }
}
