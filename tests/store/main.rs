//! The stores: one suite of rules that every backend must keep, and what only the embedded one can get wrong.

mod backup;
mod commits;
mod crash;
mod damage;
mod power_cut;
mod sled;
mod space;
mod suite;
mod torn;
mod trouble;
