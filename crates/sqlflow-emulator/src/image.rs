//! A drawing as a PNG image: boxes with rows, and a line for each arrow.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use font8x8::{BASIC_FONTS, GREEK_FONTS, HIRAGANA_FONTS, LATIN_FONTS, UnicodeFonts as _};

use super::envelope::Failure;
use super::layout::{CHARACTER_WIDTH, Drawing, DrawnLine, HEADER_HEIGHT, Rectangle};

/// The margin around a drawing, in units of the drawing.
const MARGIN: f64 = 20.0;

/// The maximum number of pixels. Each takes a byte while the image is made.
const MAX_PIXELS: usize = 64 * 1024 * 1024;

/// The width and height of a glyph.
const GLYPH: usize = 8;

/// A color of the palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Color {
    White,
    Black,
    Header,
    Frame,
    Direct,
    Indirect,
}

/// Red, green and blue of each color, in the order of [`Color`].
const PALETTE: [[u8; 3]; 6] =
    [[255, 255, 255], [0, 0, 0], [255, 204, 153], [150, 150, 150], [40, 80, 160], [170, 120, 60]];

/// Writes a drawing.
pub(super) fn write(drawing: &Drawing<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut canvas = Canvas::of(drawing).ok_or_else(|| {
        Failure::new(500, "The lineage is too large for an image: select a table, or export it as GraphML.")
    })?;
    for table in drawing.tables() {
        let header = Rectangle { height: HEADER_HEIGHT, ..table.rectangle() };
        canvas.fill(header, Color::Header);
        canvas.text(header, &table.label.content);
        for column in table.columns.iter() {
            canvas.frame(column.rectangle());
            canvas.text(column.rectangle(), &column.label.content);
        }
        canvas.frame(table.rectangle());
    }
    for line in drawing.lines() {
        canvas.line(&line);
    }
    canvas.write(out).map_err(Failure::internal)
}

/// The pixels of an image, each an index in the palette.
struct Canvas {
    width: usize,
    height: usize,
    /// The number of pixels for a unit of the drawing.
    scale: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Creates the canvas for a drawing, unless it would have too many pixels.
    fn of(drawing: &Drawing<'_>) -> Option<Self> {
        let (width, height) = drawing.size();
        [2, 1].into_iter().find_map(|scale| {
            let [width, height] = [width, height].map(|length| pixels(length + 2.0 * MARGIN) * scale);
            let count = width.checked_mul(height).filter(|count| *count <= MAX_PIXELS)?;
            Some(Self { width, height, scale, pixels: vec![Color::White as u8; count] })
        })
    }

    /// Returns the pixel at a position of the drawing.
    fn at(&self, position: f64) -> usize {
        pixels(position + MARGIN) * self.scale
    }

    fn set(&mut self, x: usize, y: usize, color: Color) {
        if x < self.width && y < self.height {
            self.pixels[y * self.width + x] = color as u8;
        }
    }

    fn fill(&mut self, area: Rectangle, color: Color) {
        for y in self.at(area.y)..self.at(area.y + area.height) {
            for x in self.at(area.x)..self.at(area.x + area.width) {
                self.set(x, y, color);
            }
        }
    }

    fn frame(&mut self, area: Rectangle) {
        let ([left, right], [top, bottom]) =
            ([area.x, area.x + area.width].map(|x| self.at(x)), [area.y, area.y + area.height].map(|y| self.at(y)));
        for x in left..=right {
            self.set(x, top, Color::Frame);
            self.set(x, bottom, Color::Frame);
        }
        for y in top..=bottom {
            self.set(left, y, Color::Frame);
            self.set(right, y, Color::Frame);
        }
    }

    /// Writes a text into the middle of the height of an area.
    fn text(&mut self, area: Rectangle, text: &str) {
        let (left, top) = (self.at(area.x + 6.0), self.at(area.y) + (pixels(area.height) - GLYPH) / 2 * self.scale);
        let advance = pixels(CHARACTER_WIDTH) * self.scale;
        for (number, character) in text.chars().enumerate() {
            self.glyph(left + number * advance, top, glyph(character));
        }
    }

    fn glyph(&mut self, left: usize, top: usize, rows: [u8; GLYPH]) {
        let scale = self.scale;
        for (row, bits) in rows.into_iter().enumerate() {
            for column in (0..GLYPH).filter(|column| bits >> column & 1 == 1) {
                for (x, y) in (0..scale * scale).map(|dot| (dot % scale, dot / scale)) {
                    self.set(left + column * scale + x, top + row * scale + y, Color::Black);
                }
            }
        }
    }

    /// Draws a line with an arrowhead. Lines that carry no values are dashed.
    fn line(&mut self, line: &DrawnLine) {
        let color = if line.carries_values { Color::Direct } else { Color::Indirect };
        let [from, to] = [line.from, line.to].map(|(x, y)| (self.at(x), self.at(y)));
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        for step in (0..=steps).filter(|step| line.carries_values || step / 6 % 2 == 0) {
            let between = |from: usize, to: usize| (from * (steps - step) + to * step) / steps;
            self.set(between(from.0, to.0), between(from.1, to.1), color);
        }
        for back in 0..5 * self.scale {
            for side in 0..=back / 2 {
                self.set(to.0.saturating_sub(back), to.1.saturating_sub(side), color);
                self.set(to.0.saturating_sub(back), to.1 + side, color);
            }
        }
    }

    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        out.write_all(b"\x89PNG\r\n\x1a\n")?;
        let size = [self.width, self.height].map(|length| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        // Eight bits for each pixel, with a palette, and nothing else that is special.
        write_chunk(out, *b"IHDR", &[&size[0][..], &size[1], &[8, 3, 0, 0, 0]].concat())?;
        write_chunk(out, *b"PLTE", PALETTE.as_flattened())?;
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        for row in self.pixels.chunks(self.width) {
            // The row is not filtered.
            packed.write_all(&[0])?;
            packed.write_all(row)?;
        }
        write_chunk(out, *b"IDAT", &packed.finish()?)?;
        write_chunk(out, *b"IEND", &[])
    }
}

fn write_chunk(out: &mut dyn Write, name: [u8; 4], content: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(content.len()).map_err(std::io::Error::other)?;
    let mut checksum = flate2::Crc::new();
    checksum.update(&name);
    checksum.update(content);
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&name)?;
    out.write_all(content)?;
    out.write_all(&checksum.sum().to_be_bytes())
}

/// Returns the rows of a glyph, the lowest bit on the left. A character without one is a box.
fn glyph(character: char) -> [u8; GLYPH] {
    let found = BASIC_FONTS.get(character).or_else(|| LATIN_FONTS.get(character));
    let found = found.or_else(|| GREEK_FONTS.get(character)).or_else(|| HIRAGANA_FONTS.get(character));
    found.unwrap_or([0, 0x7e, 0x42, 0x42, 0x42, 0x42, 0x7e, 0])
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "drawings have no negative positions")]
fn pixels(length: f64) -> usize {
    length as usize
}
