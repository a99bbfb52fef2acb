//! What lives: how many records, how many bytes, and a sum over all of them that changes with each.
//!
//! The committer keeps it up to date from what it overwrites, so it costs no reading. Two databases with the same tally
//! hold the same records, as far as accidents go: that is how a database that was written anew is judged before it takes
//! the place of the old one, and how one that is opened is judged by what was promised of it.

use super::records::COMMITS;

/// Of all records but the number of the last batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// How many there are.
    pub records: u64,
    /// How many bytes they and their keys have.
    pub bytes: u64,
    /// The sum of the digests of all of them, whatever their order.
    pub sum: u64,
}

impl Tally {
    /// Takes note that what was under a key is replaced; none: there was or will be nothing.
    pub(super) fn replace(&mut self, key: &[u8], before: Option<&[u8]>, after: Option<&[u8]>) {
        if key == COMMITS {
            return;
        }
        if let Some(value) = before {
            self.records = self.records.wrapping_sub(1);
            self.bytes = self.bytes.wrapping_sub(length(key, value));
            self.sum = self.sum.wrapping_sub(digest(key, value));
        }
        if let Some(value) = after {
            self.records = self.records.wrapping_add(1);
            self.bytes = self.bytes.wrapping_add(length(key, value));
            self.sum = self.sum.wrapping_add(digest(key, value));
        }
    }

    /// Takes note of a record that was not counted yet.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.replace(key, None, Some(value));
    }

    /// What there is in both together, of which neither has what the other has.
    pub(super) const fn with(self, other: Self) -> Self {
        Self {
            records: self.records.wrapping_add(other.records),
            bytes: self.bytes.wrapping_add(other.bytes),
            sum: self.sum.wrapping_add(other.sum),
        }
    }
}

fn length(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}

/// FNV-1a over eight bytes at a time, stirred at the end. Against accidents; nobody who may write the files needs to
/// forge it.
fn digest(key: &[u8], value: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut state = 0xcbf2_9ce4_8422_2325 ^ (key.len() as u64);
    for part in [key, value] {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME).rotate_left(29);
        }
        for byte in rest {
            state = (state ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }
    state ^= state >> 32;
    state = state.wrapping_mul(0xd6e8_feb8_6659_fd93);
    state ^ (state >> 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_bit_of_key_and_value_counts_and_so_does_where_one_ends() {
        let mut one = Tally::default();
        one.add(b"gkey", b"some value");
        for (key, value) in [(&b"gkeys"[..], &b"ome value"[..]), (b"gkez", b"some value"), (b"gkey", b"some valud")] {
            let mut other = Tally::default();
            other.add(key, value);
            assert_eq!((one.records, one.bytes), (other.records, other.bytes));
            assert_ne!(one.sum, other.sum);
        }
    }

    #[test]
    fn the_number_of_the_last_batch_is_no_record() {
        let mut tally = Tally::default();
        tally.replace(COMMITS, None, Some(b"x"));
        assert_eq!(tally, Tally::default());
    }

    proptest! {
        #[test]
        fn neither_order_nor_history_counts(
            writes in proptest::collection::vec((any::<[u8; 2]>(), proptest::option::of(any::<u64>())), 0..60),
        ) {
            let mut live = std::collections::BTreeMap::<[u8; 2], [u8; 8]>::new();
            let mut kept = Tally::default();
            for (key, value) in writes {
                let value = value.map(u64::to_le_bytes);
                let before = match value {
                    Some(value) => live.insert(key, value),
                    None => live.remove(&key),
                };
                kept.replace(&key, before.as_ref().map(|value| &value[..]), value.as_ref().map(|value| &value[..]));
            }
            let mut counted = Tally::default();
            for (key, value) in live.iter().rev() {
                counted.add(key, value);
            }
            prop_assert_eq!(kept, counted);
        }
    }
}
