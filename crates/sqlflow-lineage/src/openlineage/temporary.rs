//! Temporary tables, which exist only while a session does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::datasets::{own_name, vendor, vendors};
use crate::LineageInner;
use crate::graph::walk::is_stored;
use crate::model::indices;
use crate::view::Object;

/// The vendors whose names of temporary tables begin with `#`. Other vendors can store a table of such a name.
const VENDORS_OF_HASH_NAMES: [&str; 6] = ["azure", "azuresql", "mssql", "redshift", "sqlserver", "sybase"];

/// The words for a temporary table in the fields `type` and `subType`, in lower case and with letters only.
const TEMPORARY_KINDS: [&str; 4] = ["temp", "temptable", "temporary", "temporarytable"];

/// Returns the temporary tables of a lineage, which are found once; `None` if there are none.
pub(super) fn temporary_tables(inner: &LineageInner) -> Option<&Arc<HashSet<u32>>> {
    let find = || {
        let servers = vendors(inner);
        let temporary: HashSet<u32> = indices(&inner.model.objects)
            .filter(|&at| is_stored(inner, at) && is_temporary(inner, &servers, Object::new(inner, at)))
            .collect();
        (!temporary.is_empty()).then(|| Arc::new(temporary))
    };
    inner.temporary_tables.get_or_init(find).as_ref()
}

/// Returns the temporary tables of a lineage apart from one object.
pub(super) fn temporary_tables_except(inner: &LineageInner, shown: u32) -> Option<Arc<HashSet<u32>>> {
    let all = temporary_tables(inner)?;
    if !all.contains(&shown) {
        return Some(Arc::clone(all));
    }
    Some(Arc::new(all.iter().copied().filter(|&at| at != shown).collect()))
}

fn is_temporary<'a>(inner: &'a LineageInner, servers: &HashMap<&str, Option<&'a str>>, object: Object<'a>) -> bool {
    let kinds = [Some(object.kind_text()), object.sub_type()];
    if kinds.into_iter().flatten().any(is_temporary_kind) {
        return true;
    }
    // The last identifier, in any quotes: `tempdb..#orders`, `[#orders]`. Most names hold no `#` at all.
    let name = object.name();
    if !name.contains('#') {
        return false;
    }
    let has_hash_name = own_name(object).is_some_and(|own| own.starts_with('#'));
    has_hash_name
        && vendor(inner, servers, object).is_none_or(|vendor| {
            let vendor = vendor.to_ascii_lowercase();
            VENDORS_OF_HASH_NAMES.contains(&vendor.strip_prefix("dbv").unwrap_or(&vendor))
        })
}

fn is_temporary_kind(kind: &str) -> bool {
    // Few objects have a kind of its own, so the others are not copied.
    let begins_like_one = kind.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("temp"));
    begins_like_one && {
        let letters: String = kind.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
        TEMPORARY_KINDS.contains(&letters.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_of_a_kind_does_not_matter() {
        for kind in ["temp_table", "TEMPORARY TABLE", "tempTable", "temporary"] {
            assert!(is_temporary_kind(kind), "{kind}");
        }
        for kind in ["table", "template", "temporal_table", "tem", "tém", ""] {
            assert!(!is_temporary_kind(kind), "{kind}");
        }
    }
}
