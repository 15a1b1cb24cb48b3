//! Values that a context carries.

use super::Context;
use super::node::{Kind, Pair};
use alloc::boxed::Box;
use core::any::{Any, type_name};
use core::fmt;

/// What a value is found by. Its type alone, or, if keys of the type differ, the type and the key.
///
/// So keys of different types are never equal, as in Go: whoever keeps the type private shares its values with nobody. And the type of the key says what
/// type the value has.
///
/// ```no_run
/// # fn main() {
/// use gort::context::{Key, background, with_value};
///
/// #[derive(PartialEq)]
/// struct RequestId;
/// impl Key for RequestId {
///     type Value = u64;
/// }
///
/// let ctx = with_value(&background(), RequestId, 17);
/// assert_eq!(ctx.value(&RequestId), Some(&17));
/// # }
/// ```
///
/// Source: Go package context, WithValue.
pub trait Key: PartialEq + Send + Sync + 'static {
    /// What it finds.
    type Value: Send + Sync + 'static;

    /// The key as a context's text has it: the type's name, unless this is written for the type (Go's `String`).
    fn fmt_key(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(type_name::<Self>())
    }

    /// The value as a context's text has it: the type's name, unless this is written for the type.
    fn fmt_value(value: &Self::Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = value;
        f.write_str(type_name::<Self::Value>())
    }
}

struct KeyAndValue<K: Key> {
    key: K,
    value: K::Value,
}

impl<K: Key> Pair for KeyAndValue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt_key(f)?;
        f.write_str(", ")?;
        K::fmt_value(&self.value, f)
    }
}

/// A context as `parent` that has `value` for `key`. For what belongs to a request and goes through many hands, not for optional arguments.
///
/// Source: Go package context, WithValue.
pub fn with_value<K: Key>(parent: &Context, key: K, value: K::Value) -> Context {
    Context::below(parent, parent.branch().cloned(), parent.deadline(), Kind::Value(Box::new(KeyAndValue { key, value })))
}

impl Context {
    /// The value for `key`: of the nearest context that has one, this one or one above it.
    ///
    /// Source: Go package context, Context.Value.
    pub fn value<K: Key>(&self, key: &K) -> Option<&K::Value> {
        self.pairs().find_map(|pair| {
            let pair: &dyn Any = pair;
            pair.downcast_ref::<KeyAndValue<K>>().filter(|pair| pair.key == *key).map(|pair| &pair.value)
        })
    }
}
