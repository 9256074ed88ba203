//! The SDK and the emulator each have a table of dialects, so that a mistake in one cannot hide in the other. These
//! tests compare the two.

use std::collections::BTreeSet;

use sqlflow_client::Vendor;
use sqlflow_client::emulator::{vendor_aliases, vendors};

#[test]
fn the_emulator_and_the_sdk_know_the_same_dialects() {
    let emulator: BTreeSet<String> = vendors().map(str::to_owned).collect();
    let sdk: BTreeSet<String> = Vendor::KNOWN.iter().map(|vendor| vendor.as_str().to_owned()).collect();
    let only_emulator: Vec<_> = emulator.difference(&sdk).map(String::as_str).collect();
    let only_sdk: Vec<_> = sdk.difference(&emulator).map(String::as_str).collect();
    // A name of the vendor's tools that the emulator reads as an alias.
    assert_eq!((only_emulator, only_sdk), (Vec::new(), vec!["dbvazure"]));
}

#[test]
fn the_aliases_of_the_sdk_mean_the_same_dialect_to_the_emulator() {
    for (alias, name) in vendor_aliases() {
        if let Ok(vendor) = alias.parse::<Vendor>() {
            let is_own_name = vendor.as_str() == format!("dbv{alias}");
            assert!(is_own_name || vendor.as_str().ends_with(name), "{alias} is {vendor} here and {name} there");
        }
    }
}
