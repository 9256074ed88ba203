//! Column chunks of Parquet files that are encoded from the arrays of a batch.
//!
//! The writers of the crate `parquet` look the text of every row up in a dictionary of their own. The arrays of a batch
//! have dictionaries already, which are written here as they are, so that a row costs a few bits and no text.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// The longest text that statistics hold. Longer ones would make the end of the file large, which engines read first.
const MAX_STATISTICS_TEXT: usize = 256;

/// An encoded column chunk: its bytes, and what the file says about them.
pub(super) type Chunk = (Bytes, ColumnCloseResult);

/// Encodes the chunks of a file, one after the other. The memory for a page is kept for the next one, because the system
/// takes longer to hand out fresh memory than the encoding takes.
pub(super) struct ChunkEncoder {
    page: Vec<u8>,
    compressor: Compressor,
}

impl ChunkEncoder {
    pub(super) fn new() -> Self {
        Self { page: Vec::new(), compressor: Compressor { encoder: snap::raw::Encoder::new(), buffer: Vec::new() } }
    }

    /// Encodes an array of texts, of words or of lists of words. Returns `None` for arrays of other types.
    pub(super) fn encode(
        &mut self,
        column: &ColumnDescPtr,
        array: &dyn Array,
        with_statistics: bool,
    ) -> Result<Option<Chunk>> {
        let Self { page, compressor } = self;
        let mut chunk = ChunkWriter { pages: TrackedWrite::new(Vec::new()), uncompressed: 0, compressor };
        let mut data_offset = 0;
        let mut statistics = None;
        let (levels, values) = match array.data_type() {
            DataType::Utf8 => (Levels::of_values(array), Values::Texts(array.as_string())),
            DataType::Dictionary(..) => {
                let words = array.as_dictionary();
                statistics = with_statistics.then(|| statistics_of(words));
                data_offset = chunk.write_dictionary(words, page)?;
                (Levels::of_values(array), Values::Words(words))
            }
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                let words = lists.values().as_dictionary();
                data_offset = chunk.write_dictionary(words, page)?;
                (Levels::of_lists(lists.value_offsets()), Values::Words(words))
            }
            _ => return Ok(None),
        };
        page.clear();
        levels.write(column, page)?;
        let encoding = values.write(page);
        let number = u32::try_from(levels.count()).map_err(|error| ParquetError::External(Box::new(error)))?;
        chunk.write(page, |buf| Page::DataPage {
            buf,
            num_values: number,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })?;
        chunk.close(column, array.len(), number, data_offset, encoding, statistics).map(Some)
    }
}

/// The values of a data page.
enum Values<'a> {
    Texts(&'a StringArray),
    Words(&'a DictionaryArray<Int32Type>),
}

impl Values<'_> {
    /// Appends the values that are not null. Returns their encoding.
    fn write(&self, page: &mut Vec<u8>) -> Encoding {
        match self {
            Self::Texts(texts) => {
                push_plain(texts, page);
                Encoding::PLAIN
            }
            Self::Words(words) => {
                push_numbers_of(words, page);
                Encoding::RLE_DICTIONARY
            }
        }
    }
}

/// Compresses pages into a buffer that is as long as the longest of them needs.
struct Compressor {
    encoder: snap::raw::Encoder,
    buffer: Vec<u8>,
}

impl Compressor {
    /// Passes the compressed content to `take`, which must not keep it.
    fn compress<T>(&mut self, content: &[u8], take: impl FnOnce(Bytes) -> Result<T>) -> Result<T> {
        let length = snap::raw::max_compress_len(content.len());
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        let compressed = self.encoder.compress(content, &mut self.buffer);
        let length = compressed.map_err(|error| ParquetError::External(Box::new(error)))?;
        let buffer = Bytes::from(std::mem::take(&mut self.buffer));
        let taken = take(buffer.slice(..length));
        self.buffer = buffer.into();
        taken
    }
}

struct ChunkWriter<'e> {
    pages: TrackedWrite<Vec<u8>>,
    uncompressed: usize,
    compressor: &'e mut Compressor,
}

impl ChunkWriter<'_> {
    /// Writes the texts of words. Returns the number of bytes written.
    fn write_dictionary(&mut self, words: &DictionaryArray<Int32Type>, page: &mut Vec<u8>) -> Result<usize> {
        let texts = words.values().as_string();
        let number = u32::try_from(texts.len()).map_err(|error| ParquetError::External(Box::new(error)))?;
        page.clear();
        push_plain(texts, page);
        self.write(page, |buf| Page::DictionaryPage {
            buf,
            num_values: number,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        })?;
        Ok(self.pages.bytes_written())
    }

    fn write(&mut self, content: &[u8], page: impl FnOnce(Bytes) -> Page) -> Result<()> {
        let Self { pages, uncompressed, compressor } = self;
        compressor.compress(content, |compressed| {
            let page = CompressedPage::new(page(compressed), content.len());
            *uncompressed += SerializedPageWriter::new(pages).write_page(page)?.uncompressed_size;
            Ok(())
        })
    }

    fn close(
        self,
        column: &ColumnDescPtr,
        rows: usize,
        values: u32,
        data_offset: usize,
        encoding: Encoding,
        statistics: Option<Statistics>,
    ) -> Result<Chunk> {
        let bytes = self.pages.into_inner()?;
        let has_dictionary = data_offset > 0;
        let dictionary = has_dictionary.then_some((PageType::DICTIONARY_PAGE, Encoding::PLAIN));
        let pages = dictionary.into_iter().chain([(PageType::DATA_PAGE, encoding)]);
        let pages = pages.map(|(page_type, encoding)| PageEncodingStats { page_type, encoding, count: 1 });
        let mut metadata = ColumnChunkMetaData::builder(column.clone())
            .set_compression(Compression::SNAPPY)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, encoding])
            .set_page_encoding_stats(pages.collect())
            .set_num_values(values.into())
            .set_total_compressed_size(long(bytes.len()))
            .set_total_uncompressed_size(long(self.uncompressed))
            .set_dictionary_page_offset(has_dictionary.then_some(0))
            .set_data_page_offset(long(data_offset));
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((bytes.into(), close))
    }
}

fn long(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The places of values among rows: which rows are null, or which list each value belongs to.
enum Levels {
    /// No row is null.
    All(usize),
    /// Some rows are null.
    Nullable(NullBuffer),
    /// The levels of repetition and of definition of each element and of each empty list.
    Lists(Vec<i32>, Vec<i32>),
}

impl Levels {
    fn of_values(array: &dyn Array) -> Self {
        match array.nulls() {
            Some(nulls) => Self::Nullable(nulls.clone()),
            None => Self::All(array.len()),
        }
    }

    fn of_lists(ends: &[i32]) -> Self {
        let (mut repetition, mut definition) = (Vec::new(), Vec::new());
        for list in ends.windows(2) {
            let length = list.iter().rev().copied().reduce(|end, start| end - start).unwrap_or_default();
            let length = usize::try_from(length).unwrap_or_default();
            repetition.push(0);
            definition.push(i32::from(length > 0));
            repetition.extend(std::iter::repeat_n(1, length.saturating_sub(1)));
            definition.extend(std::iter::repeat_n(1, length.saturating_sub(1)));
        }
        Self::Lists(repetition, definition)
    }

    fn count(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Nullable(nulls) => nulls.len(),
            Self::Lists(levels, _) => levels.len(),
        }
    }

    fn write(&self, column: &ColumnDescPtr, page: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::All(_) if column.max_def_level() == 0 => Ok(()),
            Self::All(rows) => with_length(page, |page| push_run(1, *rows, 1, page)),
            Self::Nullable(nulls) => with_length(page, |page| push_nulls(nulls, page)),
            Self::Lists(repetition, definition) => {
                with_length(page, |page| push_numbers(repetition, 1, page))?;
                with_length(page, |page| push_numbers(definition, 1, page))
            }
        }
    }
}

/// Appends a one for each row that has a value, and a zero for each row that is null.
fn push_nulls(nulls: &NullBuffer, page: &mut Vec<u8>) {
    let runs: Vec<(usize, usize)> = nulls.valid_slices().collect();
    if runs.len() > nulls.len() / MIN_ROWS_OF_RUN {
        // Arrays have the bits in the same order.
        push_varint(nulls.len().div_ceil(8) << 1 | 1, page);
        page.extend_from_slice(&nulls.inner().sliced());
        return;
    }
    let mut next = 0;
    for (start, end) in runs.into_iter().chain([(nulls.len(), nulls.len())]) {
        for (value, run) in [(0, start - next), (1, end - start)] {
            if run > 0 {
                push_run(value, run, 1, page);
            }
        }
        next = end;
    }
}

/// If a run of values has at least so many rows on average, together with the nulls before it, runs take less memory than
/// a bit for each row.
const MIN_ROWS_OF_RUN: usize = 64;

/// Appends bytes after their number.
fn with_length(page: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let start = page.len();
    page.extend([0; 4]);
    write(page);
    let length = u32::try_from(page.len() - start - 4).map_err(|error| ParquetError::External(Box::new(error)))?;
    if let Some(place) = page.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    Ok(())
}

/// Appends the texts that are not null, each after its length.
fn push_plain(texts: &StringArray, bytes: &mut Vec<u8>) {
    bytes.reserve(texts.values().len() + 4 * texts.len());
    for text in texts.iter().flatten() {
        bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
}

/// Appends the numbers of the words that are not null, after the number of bits that each takes.
fn push_numbers_of(words: &DictionaryArray<Int32Type>, bytes: &mut Vec<u8>) {
    let last = u32::try_from(words.values().len().saturating_sub(1)).unwrap_or(u32::MAX);
    let width = u32::BITS - last.leading_zeros();
    bytes.push(u8::try_from(width).unwrap_or_default());
    let numbers = words.keys().values();
    match words.keys().nulls() {
        None => push_numbers(numbers, width, bytes),
        Some(nulls) => {
            let mut present = Vec::with_capacity(numbers.len() - nulls.null_count());
            for (start, end) in nulls.valid_slices() {
                present.extend_from_slice(numbers.get(start..end).unwrap_or_default());
            }
            push_numbers(&present, width, bytes);
        }
    }
}

/// The number of equal values from which they are written as one run.
const MIN_RUN: usize = 8;

/// Appends numbers of some bits each, in the hybrid of runs and packed bits that Parquet calls RLE.
fn push_numbers(numbers: &[i32], width: u32, bytes: &mut Vec<u8>) {
    let mut rest = numbers;
    while let Some(&first) = rest.first() {
        let run = rest.iter().take_while(|&&number| number == first).count();
        if run >= MIN_RUN {
            push_run(first, run, width, bytes);
            rest = rest.get(run..).unwrap_or_default();
        } else {
            // Numbers are packed in groups of eight, up to a group that begins a run.
            let begins_run = |group: &[i32]| {
                group.len() == MIN_RUN
                    && group.first() == group.last()
                    && group.iter().all(|it| Some(it) == group.first())
            };
            let groups = 1 + rest.chunks(MIN_RUN).skip(1).take_while(|group| !begins_run(group)).count();
            let (packed, after) = rest.split_at_checked(groups * MIN_RUN).unwrap_or((rest, &[]));
            push_packed(packed, groups, width, bytes);
            rest = after;
        }
    }
}

fn push_run(number: i32, length: usize, width: u32, bytes: &mut Vec<u8>) {
    push_varint(length << 1, bytes);
    bytes.extend(number.to_le_bytes().iter().take(width.div_ceil(8) as usize));
}

/// Appends numbers without gaps between their bits. Zeros fill the last group.
fn push_packed(numbers: &[i32], groups: usize, width: u32, bytes: &mut Vec<u8>) {
    push_varint(groups << 1 | 1, bytes);
    let end = bytes.len() + groups * width as usize;
    bytes.reserve(groups * width as usize + size_of::<u64>());
    let (mut bits, mut filled) = (0_u64, 0);
    for &number in numbers {
        bits |= u64::from(number.cast_unsigned()) << filled;
        filled += width;
        if filled >= 32 {
            bytes.extend(&bits.to_le_bytes()[..4]);
            bits >>= 32;
            filled -= 32;
        }
    }
    bytes.extend(bits.to_le_bytes());
    bytes.resize(end, 0);
}

fn push_varint(mut number: usize, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
}

/// Returns the first and the last text in alphabetical order, and the number of rows that are null.
fn statistics_of(words: &DictionaryArray<Int32Type>) -> Statistics {
    let nulls = words.null_count();
    let texts = words.values().as_string::<i32>();
    let bounds = || {
        let texts = || texts.iter().flatten().filter(|_| nulls < words.len());
        Some((texts().min()?, texts().max()?))
    };
    let bounds = bounds().filter(|(min, max)| min.len().max(max.len()) <= MAX_STATISTICS_TEXT).unzip();
    let (min, max) = (bounds.0.map(ByteArray::from), bounds.1.map(ByteArray::from));
    Statistics::byte_array(min, max, None, Some(nulls as u64), false)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{ListBuilder, StringBuilder, StringDictionaryBuilder};
    use arrow_array::{ArrayRef, BooleanArray};
    use arrow_schema::{Field, Schema};
    use fastrand::Rng;
    use parquet::arrow::ArrowSchemaConverter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::reader::FileReader;
    use parquet::file::serialized_reader::SerializedFileReader;
    use parquet::file::writer::SerializedFileWriter;

    use super::*;

    /// Writes an array as a file of one column.
    fn file_of(array: &ArrayRef, is_nullable: bool) -> Bytes {
        let schema = Schema::new(vec![Field::new("column", array.data_type().clone(), is_nullable)]);
        let schema = ArrowSchemaConverter::new().convert(&schema).unwrap().root_schema_ptr();
        let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
        let column = file.schema_descr().column(0);
        let mut group = file.next_row_group().unwrap();
        let (bytes, close) = ChunkEncoder::new().encode(&column, array, true).unwrap().unwrap();
        group.append_column(&bytes, close).unwrap();
        group.close().unwrap();
        file.into_inner().unwrap().into()
    }

    /// Reads the column of a file, as plain texts.
    fn column_of(file: Bytes) -> ArrayRef {
        let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(1 << 20).build().unwrap();
        let [batch] = &*batches.map(Result::unwrap).collect::<Vec<_>>() else { panic!("one batch is expected") };
        Arc::clone(batch.column(0))
    }

    /// Returns numbers below `distinct`, each of which is repeated between 1 and `max_run` times.
    fn numbers_with_runs(rng: &mut Rng, distinct: u32, max_run: usize) -> impl Iterator<Item = u32> {
        std::iter::from_fn(move || Some((rng.u32(..distinct), rng.usize(1..=max_run))))
            .flat_map(|(number, run)| std::iter::repeat_n(number, run))
    }

    #[test]
    fn words_are_read_as_they_were_written() {
        let mut rng = Rng::with_seed(1);
        for distinct in [1, 2, 3, 200, 257, 70_000] {
            for max_run in [1, 9, 40, 5000] {
                for nulls in [0.0, 0.01, 0.5, 1.0] {
                    for rows in [1, 7, 8, 9, 1001, 9999] {
                        let mut words = StringDictionaryBuilder::<Int32Type>::new();
                        let mut expected = StringBuilder::new();
                        let numbers: Vec<u32> = numbers_with_runs(&mut rng, distinct, max_run).take(rows).collect();
                        for number in numbers {
                            let text = (rng.f64() >= nulls).then(|| format!("word {number}"));
                            words.append_option(text.as_ref());
                            expected.append_option(text);
                        }
                        let (words, expected) = (Arc::new(words.finish()) as ArrayRef, expected.finish());
                        for is_nullable in [true, nulls > 0.0] {
                            let found = column_of(file_of(&words, is_nullable));
                            assert_eq!(found.as_string::<i32>(), &expected, "{distinct} {max_run} {nulls} {rows}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn texts_and_lists_are_read_as_they_were_written() {
        let texts: ArrayRef =
            Arc::new(StringArray::from_iter([Some("a"), None, Some(""), Some("ü".repeat(70_000).as_str())]));
        assert_eq!(&column_of(file_of(&texts, true)), &texts);
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..9999).map(|at| format!("text {at}"))));
        assert_eq!(&column_of(file_of(&texts, false)), &texts);

        let mut rng = Rng::with_seed(2);
        let element = || Field::new("element", DataType::Utf8, false);
        let words = Arc::new(
            element().with_data_type(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))),
        );
        for max_length in [0, 1, 3, 60] {
            let mut lists =
                ListBuilder::new(StringDictionaryBuilder::<Int32Type>::new()).with_field(Arc::clone(&words));
            let mut expected = ListBuilder::new(StringBuilder::new()).with_field(element());
            for _ in 0..2000 {
                for _ in 0..rng.usize(..=max_length) {
                    let text = rng.u8(..).to_string();
                    lists.values().append_value(&text);
                    expected.values().append_value(text);
                }
                lists.append(true);
                expected.append(true);
            }
            let lists: ArrayRef = Arc::new(lists.finish());
            assert_eq!(column_of(file_of(&lists, false)).as_list::<i32>(), &expected.finish());
        }
    }

    #[test]
    fn statistics_are_those_of_the_rows() {
        let statistics = |words: &[Option<&str>]| {
            let words: ArrayRef = Arc::new(words.iter().copied().collect::<DictionaryArray<Int32Type>>());
            let file = SerializedFileReader::new(file_of(&words, true)).unwrap();
            let found = file.metadata().row_group(0).column(0).statistics().unwrap().clone();
            let bound = |bound: Option<&[u8]>| bound.map(|bound| String::from_utf8(bound.to_vec()).unwrap());
            (bound(found.min_bytes_opt()), bound(found.max_bytes_opt()), found.null_count_opt())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(statistics(&[Some("b"), None, Some("ü"), Some("a"), None]), (some("a"), some("ü"), Some(2)));
        assert_eq!(statistics(&[None, None]), (None, None, Some(2)));
        assert_eq!(statistics(&[Some("a"), Some(&"b".repeat(1000))]), (None, None, Some(0)));
    }

    #[test]
    fn other_arrays_are_left_to_other_writers() {
        let flags = BooleanArray::from(vec![true]);
        let schema = Schema::new(vec![Field::new("flag", DataType::Boolean, false)]);
        let schema = ArrowSchemaConverter::new().convert(&schema).unwrap();
        assert!(ChunkEncoder::new().encode(&schema.column(0), &flags, true).unwrap().is_none());
    }
}
