//! Keys that name one record, in the tables of one job and of all jobs.

use std::fmt::Display;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::LineageInner;
use crate::model::{NONE, RawObject, indices};
use crate::names::{self, ID_PREFIX, NamedRecord, id_and_number, named_server};
use crate::view::{is_intermediate, is_routine};

/// The keys of the objects, columns and statements of one lineage.
///
/// Keys are built when they are needed, because all of them together take more memory than the model.
pub(super) struct Keys {
    pub(super) label: String,
    /// The beginning of the keys of everything that exists only in this job.
    prefix: String,
    /// The numbers of records after the first of several whose keys would be equal, from 2.
    objects: HashMap<u32, u32>,
    columns: HashMap<u32, u32>,
}

impl Keys {
    pub(super) fn new(inner: &LineageInner, label: String) -> Self {
        let mut prefix = String::from("@");
        for c in label.chars() {
            if matches!(c, '/' | '\\') {
                prefix.push('\\');
            }
            prefix.push(c);
        }
        prefix.push('/');
        let mut keys = Self { label, prefix, objects: HashMap::new(), columns: HashMap::new() };
        keys.number_objects(inner);
        keys.number_columns(inner);
        keys
    }

    fn number_objects(&mut self, inner: &LineageInner) {
        let stored = indices(&inner.model.objects)
            .filter(|&at| inner.model.objects.get(at as usize).is_some_and(|object| is_joined(inner, object)));
        let key = |at: u32, key: &mut String| self.write_object_without_number(inner, at, key);
        let mut numbers = HashMap::new();
        Repeated::default().number(stored, key, &mut numbers);
        self.objects = numbers;
    }

    fn number_columns(&mut self, inner: &LineageInner) {
        let mut repeated = Repeated::default();
        for object in inner.model.objects.iter().filter(|object| object.columns.len > 1) {
            let key = |at: u32, key: &mut String| write_column_name(inner, at, key);
            repeated.number(object.columns.indices(), key, &mut self.columns);
        }
    }

    /// Appends the key of an object.
    pub(super) fn write_object(&self, inner: &LineageInner, at: u32, key: &mut String) {
        match inner.model.objects.get(at as usize) {
            Some(object) if is_joined(inner, object) => {
                self.write_object_without_number(inner, at, key);
                write_number(self.objects.get(&at), key);
            }
            _ => {
                key.push_str(&self.prefix);
                write_id(inner, NamedRecord::Object(at), key);
            }
        }
    }

    fn write_object_without_number(&self, inner: &LineageInner, at: u32, key: &mut String) {
        // The buffer may hold other texts already.
        let start = key.len();
        let Some(object) = inner.model.objects.get(at as usize) else {
            return;
        };
        let package = inner.model.objects.get(object.within as usize).filter(|package| package.within == NONE);
        if package.is_some() {
            self.write_object(inner, object.within, key);
            key.push('.');
        } else if let Some(server) = named_server(&inner.model, object) {
            key.push_str("//");
            for c in server.to_lowercase().chars() {
                if matches!(c, '/' | '\\') {
                    key.push('\\');
                }
                key.push(c);
            }
            key.push('/');
        }
        let identity = names::identity(&inner.model, object);
        if key.len() == start && identity.starts_with(['/', '@']) {
            key.push('\\');
        }
        push_guarded(&identity, key);
        if is_routine(&inner.model, object) {
            key.push_str("()");
        }
    }

    /// Appends the end of the key of a column, after the key of its object.
    pub(super) fn write_column_after_object(&self, inner: &LineageInner, at: u32, key: &mut String) {
        key.push('.');
        write_column_name(inner, at, key);
        write_number(self.columns.get(&at), key);
    }

    /// Appends the key of a statement.
    pub(super) fn write_statement(&self, inner: &LineageInner, at: u32, key: &mut String) {
        let id = inner.model.processes.get(at as usize).map(|process| process.id).unwrap_or_default();
        key.push_str(&self.prefix);
        key.push_str("statement:");
        push_id(inner.model.texts.get(id), key);
        write_number(Some(at).filter(|&at| inner.ids().process(id) != Some(at)), key);
    }
}

/// Returns `true` if the name of an object means the same thing in every job: a merge of lineages joins such objects.
fn is_joined(inner: &LineageInner, object: &RawObject) -> bool {
    !is_intermediate(&inner.model, object) && !inner.model.texts.get(object.name).is_empty()
}

fn write_column_name(inner: &LineageInner, at: u32, key: &mut String) {
    let name = inner.model.columns.get(at as usize).map(|column| column.name).unwrap_or_default();
    let name = inner.model.texts.get(name);
    let class = name.bytes().fold(0, |class, byte| class | CLASSES.get(usize::from(byte)).unwrap_or(&OTHER));
    if name.is_empty() {
        write_id(inner, NamedRecord::Column(at), key);
    } else if class & OTHER != 0 {
        let identity = names::column_identity(name);
        if identity.starts_with(ID_PREFIX) {
            key.push('\\');
        }
        push_guarded(&identity, key);
    } else {
        let start = key.len();
        key.push_str(name);
        if class & UPPER != 0
            && let Some(own) = key.get_mut(start..)
        {
            own.make_ascii_lowercase();
        }
    }
}

/// Appends the id of a record without a name of its own.
fn write_id(inner: &LineageInner, record: NamedRecord, key: &mut String) {
    let (id, number) = id_and_number(inner, record);
    key.push_str(ID_PREFIX);
    push_id(inner.model.texts.get(id), key);
    write_number(number, key);
}

/// Appends an id, in which dots and backslashes are preceded by a backslash, as they are in names.
fn push_id(id: &str, key: &mut String) {
    if id.contains(['.', '\\']) {
        push_guarded(&id.replace('\\', r"\\").replace('.', r"\."), key);
    } else {
        push_guarded(id, key);
    }
}

/// The class of letters that are in upper case, and that of characters that quotes or escapes may change.
const UPPER: u8 = 1;
const OTHER: u8 = 2;

/// The class of each byte of a name, zero for those that are in a key as they are.
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = u8::MAX;
    while byte > 0 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'$' | b' ' | b'-' => 0,
            b'A'..=b'Z' => UPPER,
            _ => OTHER,
        };
        byte -= 1;
    }
    classes
};

/// Appends a name or an id whose end is not taken for the number or the parentheses that follow some names.
fn push_guarded(name: &str, key: &mut String) {
    let without_digits = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let escaped = match without_digits.strip_suffix('#') {
        Some(before) if without_digits.len() < name.len() => Some(before.len()),
        _ => name.strip_suffix("()").map(str::len),
    };
    let (before, after) = escaped.and_then(|at| name.split_at_checked(at)).unwrap_or((name, ""));
    key.push_str(before);
    if !after.is_empty() {
        key.push('\\');
        key.push_str(after);
    }
}

fn write_number(number: Option<impl Display>, key: &mut String) {
    if let Some(number) = number {
        key.push('#');
        key.push_str(&number.to_string());
    }
}

/// A search for keys that several records have. The memory of one is used for the next.
#[derive(Default)]
struct Repeated {
    hasher: DefaultHashBuilder,
    key: String,
    hashed: Vec<(u64, u32)>,
}

impl Repeated {
    /// Adds the number of each record after the first of several with the same key.
    fn number(
        &mut self,
        records: impl Iterator<Item = u32>,
        write: impl Fn(u32, &mut String),
        numbers: &mut HashMap<u32, u32>,
    ) {
        let Self { hasher, key, hashed } = self;
        hashed.clear();
        for at in records {
            key.clear();
            write(at, key);
            hashed.push((hasher.hash_one(&*key), at));
        }
        hashed.sort_unstable();
        for same_hash in hashed.chunk_by(|a, b| a.0 == b.0).filter(|same_hash| same_hash.len() > 1) {
            let mut counts: HashMap<String, u32> = HashMap::new();
            for &(_, at) in same_hash {
                key.clear();
                write(at, key);
                let count = counts.entry(key.clone()).or_default();
                *count += 1;
                if *count > 1 {
                    numbers.insert(at, *count);
                }
            }
        }
    }
}
