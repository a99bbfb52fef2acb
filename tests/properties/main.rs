//! Rules that hold for every input: random input against an algebraic rule, one module a subject.

mod handles;
mod key_changes;
mod parameters;
mod pkce;
mod redirect_uris;
mod scope;
mod sealed_values;
mod sealing_rings;
