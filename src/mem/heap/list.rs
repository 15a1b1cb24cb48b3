//! A list of headers that are linked through themselves: a ring, so that both ends are one word away.
//!
//! 1. A node is in a list of a role at most once. Who removes it knows that it is in this one.
//! 2. Every operation is constant time. All zero bytes are an empty list.
//! 3. The list lies behind the lock that guards the links of its nodes.

use core::marker::PhantomData;
use core::ptr;

/// A node's neighbours in one list.
pub struct Links<T> {
    next: *mut T,
    prev: *mut T,
}

impl<T> Links<T> {
    /// In no list.
    pub const fn new() -> Links<T> {
        Links { next: ptr::null_mut(), prev: ptr::null_mut() }
    }
}

/// What can be in a list. `Role` names which of its lists, for a type that is in several.
///
/// # Safety
/// `links` returns a field of `this`, always the same one, and reads nothing.
pub unsafe trait Linked<Role>: Sized {
    /// The field.
    ///
    /// # Safety
    /// `this` points to a live node.
    unsafe fn links(this: *mut Self) -> *mut Links<Self>;
}

/// See the head of this file.
pub struct List<T, Role> {
    first: *mut T,
    role: PhantomData<Role>,
}

impl<T: Linked<Role>, Role> List<T, Role> {
    /// An empty list.
    pub const fn new() -> List<T, Role> {
        List { first: ptr::null_mut(), role: PhantomData }
    }

    /// The node at the front; null if there is none.
    pub fn first(&self) -> *mut T {
        self.first
    }

    /// Puts `node` at the front.
    ///
    /// # Safety
    /// `node` is live until it is removed, in no list of this role, and the caller holds the lock of its links.
    pub unsafe fn push_front(&mut self, node: *mut T) {
        // SAFETY: the caller's contract; invariant 1 for the nodes that are here.
        unsafe {
            let links = T::links(node);
            if self.first.is_null() {
                *links = Links { next: node, prev: node };
            } else {
                let last = (*T::links(self.first)).prev;
                *links = Links { next: self.first, prev: last };
                (*T::links(self.first)).prev = node;
                (*T::links(last)).next = node;
            }
        }
        self.first = node;
    }

    /// Takes `node` out.
    ///
    /// # Safety
    /// It is in this list, and the caller holds the lock of its links.
    pub unsafe fn remove(&mut self, node: *mut T) {
        // SAFETY: the caller's contract: its neighbours are in this list too.
        unsafe {
            let Links { next, prev } = ptr::replace(T::links(node), Links::new());
            if next == node {
                self.first = ptr::null_mut();
                return;
            }
            (*T::links(prev)).next = next;
            (*T::links(next)).prev = prev;
            if self.first == node {
                self.first = next;
            }
        }
    }

    /// Takes the node at the back, the one that was put in first; null if there is none.
    ///
    /// # Safety
    /// The caller holds the lock of the links.
    pub unsafe fn pop_back(&mut self) -> *mut T {
        if self.first.is_null() {
            return self.first;
        }
        // SAFETY: invariant 1.
        unsafe {
            let last = (*T::links(self.first)).prev;
            self.remove(last);
            last
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;
    use std::vec::Vec;

    struct Node(Links<Node>, u32);
    struct Only;

    // SAFETY: the first field.
    unsafe impl Linked<Only> for Node {
        unsafe fn links(this: *mut Node) -> *mut Links<Node> {
            // SAFETY: the caller's contract.
            unsafe { &raw mut (*this).0 }
        }
    }

    #[test]
    fn what_went_in_first_comes_out_of_the_back_first_and_any_node_can_leave() {
        let nodes: Vec<*mut Node> = (0..5).map(|n| Box::into_raw(Box::new(Node(Links::new(), n)))).collect();
        let mut list = List::<Node, Only>::new();
        // SAFETY: the nodes live to the end of the test, and each is pushed once.
        let left: Vec<u32> = unsafe {
            nodes.iter().for_each(|&node| list.push_front(node));
            assert_eq!(list.first(), nodes[4]);
            [4, 2].iter().for_each(|&n| list.remove(nodes[n]));
            assert_eq!(list.first(), nodes[3]);
            list.push_front(nodes[2]);
            std::iter::from_fn(|| list.pop_back().as_ref()).map(|node| node.1).collect()
        };
        assert_eq!(left, [0, 1, 3, 2]);
        assert!(list.first().is_null());
        // SAFETY: made by `into_raw` above, in no list any more.
        nodes.into_iter().for_each(|node| drop(unsafe { Box::from_raw(node) }));
    }
}
