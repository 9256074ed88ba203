//! A macro for open enums: the words that this version knows, and any other word as it is spelled.

/// Defines an enum of known words with an `Other(String)` variant for all other words.
///
/// The documentation of `Other` comes first, then the known variants with their spelling, then the traits to implement:
///
/// - `From`: `From<&str>` and an infallible `FromStr`, for the exact spelling.
/// - `FromIgnoringCase`: the same, but a known word may be spelled in any case.
/// - `Display`: the word itself.
/// - `Serialize`, `Deserialize`: a string with the exact spelling.
///
/// Whatever an enum does differently it implements itself. The macro always provides `KNOWN` and `as_str`, and the
/// private function `known`, which finds the variant of an exact spelling.
///
/// ```
/// sqlflow_lineage::open_enum! {
///     /// The state of a door.
///     pub enum DoorState {
///         /// A state that this version does not know.
///         Other(String);
///         /// The door is open.
///         Open = "open",
///         /// The door is shut.
///         Shut = "shut",
///     }
///     impl From, Display;
/// }
///
/// assert_eq!(DoorState::from("shut"), DoorState::Shut);
/// assert_eq!(DoorState::from("ajar").to_string(), "ajar");
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! open_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $(#[$other_meta:meta])*
            Other(String);
            $( $(#[$variant_meta:meta])* $variant:ident = $text:literal ),+ $(,)?
        }
        $( impl $($implemented:ident),+ $(,)?; )?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(
                $(#[$variant_meta])*
                #[doc = ""]
                #[doc = concat!("Spelled `", $text, "`.")]
                $variant,
            )+
            $(#[$other_meta])*
            Other(String),
        }

        impl $name {
            /// Every variant that this version of the library knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word as servers spell it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $text, )+
                    Self::Other(text) => text,
                }
            }

            #[allow(dead_code, reason = "not every enum parses by the exact spelling")]
            fn known(text: &str) -> Option<Self> {
                match text {
                    $( $text => Some(Self::$variant), )+
                    _ => None,
                }
            }
        }

        $( $( $crate::open_enum! { @impl $implemented for $name } )+ )?
    };

    (@impl From for $name:ident) => {
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::known(text).unwrap_or_else(|| Self::Other(text.to_owned()))
            }
        }

        $crate::open_enum! { @impl FromStr for $name }
    };

    (@impl FromIgnoringCase for $name:ident) => {
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                let known = Self::KNOWN.iter().find(|known| known.as_str().eq_ignore_ascii_case(text));
                known.cloned().unwrap_or_else(|| Self::Other(text.to_owned()))
            }
        }

        $crate::open_enum! { @impl FromStr for $name }
    };

    (@impl FromStr for $name:ident) => {
        impl ::std::str::FromStr for $name {
            type Err = ::std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, ::std::convert::Infallible> {
                Ok(Self::from(text))
            }
        }
    };

    (@impl Display for $name:ident) => {
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };

    (@impl Serialize for $name:ident) => {
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };

    (@impl Deserialize for $name:ident) => {
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as ::serde::Deserialize>::deserialize(deserializer)?;
                Ok(Self::known(&text).unwrap_or(Self::Other(text)))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    #![allow(unreachable_pub, reason = "the macro defines public enums")]

    crate::open_enum! {
        /// The state of a door.
        #[derive(PartialOrd, Ord)]
        pub enum DoorState {
            /// A state that this version does not know.
            Other(String);
            /// The door is open.
            Open = "open",
            /// The door is shut.
            Shut = "shut",
        }
        impl From, Display, Serialize, Deserialize;
    }

    crate::open_enum! {
        /// The mood of a cat.
        pub enum Mood {
            /// A mood that this version does not know.
            Other(String);
            /// The cat purrs.
            Content = "content",
        }
        impl FromIgnoringCase;
    }

    #[test]
    fn a_known_word_reads_as_its_variant_and_back() {
        for state in DoorState::KNOWN {
            assert_eq!(DoorState::from(state.as_str()), *state);
            let json = serde_json::to_string(state).unwrap();
            assert_eq!(serde_json::from_str::<DoorState>(&json).unwrap(), *state);
        }
    }

    #[test]
    fn an_unknown_word_keeps_its_spelling() {
        let state: DoorState = "Shut".parse().unwrap();
        assert_eq!(state, DoorState::Other("Shut".to_owned()));
        assert_eq!(serde_json::to_string(&state).unwrap(), "\"Shut\"");
        assert_eq!(serde_json::from_str::<DoorState>("\"Shut\"").unwrap(), state);
    }

    #[test]
    fn a_word_is_padded_when_it_is_displayed() {
        assert_eq!(format!("{:>6}|{:<6}|", DoorState::Open, DoorState::from("ajar")), "  open|ajar  |");
    }

    #[test]
    fn an_enum_that_ignores_case_knows_a_word_in_any_case_and_keeps_others_as_spelled() {
        assert_eq!(Mood::from("CONTENT"), Mood::Content);
        assert_eq!(Mood::from("Grumpy"), Mood::Other("Grumpy".to_owned()));
    }

    #[test]
    fn other_words_come_after_the_known_ones_in_order() {
        let mut states = [DoorState::from("ajar"), DoorState::Shut, DoorState::Open];
        states.sort();
        assert_eq!(states, [DoorState::Open, DoorState::Shut, DoorState::from("ajar")]);
    }
}
