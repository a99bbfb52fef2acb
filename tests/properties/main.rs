//! Rules that hold for every input: random input against an algebraic rule, one module a subject.

mod parameters;
mod scope;
