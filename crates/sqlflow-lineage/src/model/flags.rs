//! Booleans that may be absent.

/// Booleans that may be absent, in two bits each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u16);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Flag {
    UiVisible,
    PrimaryKey,
    ForeignKey,
    UniqueKey,
    IsTarget,
}

impl Flags {
    pub(crate) fn set(&mut self, flag: Flag, value: Option<bool>) {
        if let Some(value) = value {
            let bits = 2 | u16::from(value);
            let shift = 2 * flag as u16;
            self.0 = (self.0 & !(3 << shift)) | (bits << shift);
        }
    }

    /// Returns these flags, and those of `other` where these are absent.
    pub(crate) fn or(self, other: Self) -> Self {
        // Every absent pair of bits becomes a mask over the pair of the other flags.
        let present = (self.0 >> 1) & 0x5555;
        let mask = !(present | present << 1);
        Self(self.0 | (other.0 & mask))
    }

    pub(crate) fn get(self, flag: Flag) -> Option<bool> {
        let bits = (self.0 >> (2 * flag as u16)) & 3;
        (bits & 2 != 0).then_some(bits & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Flag, Flags};

    #[test]
    fn a_flag_that_is_false_differs_from_one_that_is_absent() {
        let mut flags = Flags::default();
        flags.set(Flag::UiVisible, Some(false));
        flags.set(Flag::IsTarget, Some(true));
        flags.set(Flag::PrimaryKey, None);
        assert_eq!(flags.get(Flag::UiVisible), Some(false));
        assert_eq!(flags.get(Flag::IsTarget), Some(true));
        assert_eq!(flags.get(Flag::PrimaryKey), None);
    }
}
