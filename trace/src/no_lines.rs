//! In place of `lines`, without its feature: there are none.

use crate::name::Name;
use crate::symtab::Source;
use crate::text::Text;

/// There is none.
#[derive(Clone, Copy)]
pub enum Lines {}

/// There is none.
#[derive(Clone, Copy)]
pub enum Line {}

impl Lines {
    /// None.
    pub fn read(_: &mut dyn Source, _: &'static [u8]) -> Option<Lines> {
        None
    }

    /// Never called.
    pub fn frames(&self, _: usize, _: &mut dyn FnMut(Option<Name<'static>>, Option<Line>, bool)) {}

    /// Never called.
    pub fn is_own(&self, _: Line) -> bool {
        false
    }

    /// Never called.
    pub fn print(&self, _: Line, _: &mut Text) {}
}
