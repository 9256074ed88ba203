//! Shards: parts of a batch that run on several machines without knowing of each other.

use std::fmt;
use std::str::FromStr;

/// One of several parts of a batch.
///
/// The key of a job alone decides its part, so that a job that is added or removed moves no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    /// From 1 to `count`.
    index: u32,
    count: u32,
}

impl Shard {
    pub(super) fn index(self) -> u32 {
        self.index
    }

    pub(super) fn count(self) -> u32 {
        self.count
    }

    /// Returns `true` if the job with a key belongs to this part.
    pub(super) fn contains(self, key: &str) -> bool {
        hash(key) % u64::from(self.count) == u64::from(self.index - 1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').map(|(index, count)| (index.trim().parse(), count.trim().parse()));
        let Some((Ok(index), Ok(count))) = numbers else {
            return Err("write I/N, such as 1/8 for the first of 8 parts".to_owned());
        };
        if index == 0 || index > count {
            return Err(format!("there is no part {index} of {count}: parts are counted from 1"));
        }
        Ok(Self { index, count })
    }
}

/// Returns the hash of a key: FNV-1a, whose bits are then mixed as `splitmix64` does, because the remainder depends on
/// the low bits alone. It must never change, or jobs move between parts.
fn hash(key: &str) -> u64 {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_belongs_to_one_part_and_parts_are_about_equal() {
        let shards: Vec<Shard> = (1..=4).map(|index| Shard { index, count: 4 }).collect();
        let mut sizes = [0; 4];
        for key in (0..1000).map(|number| format!("schema_{number}")) {
            let parts: Vec<_> = shards.iter().filter(|shard| shard.contains(&key)).collect();
            assert_eq!(parts.len(), 1, "{key}");
            sizes[parts[0].index as usize - 1] += 1;
        }
        assert!(sizes.iter().all(|size| (200..300).contains(size)), "{sizes:?}");
    }

    #[test]
    fn the_hash_of_a_key_never_changes() {
        let hashes = [0xf52a_15e9_a9b5_e89b, 0x4598_7d0b_68fc_7229, 0xef5b_8450_601d_1407];
        assert_eq!(["", "orders", "Überweisungen"].map(hash), hashes);
    }

    #[test]
    fn parts_are_counted_from_1() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
        for text in ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
