//! What both kinds of chart draw on: a white card, with text and colours that belong together.

use std::{error::Error, path::Path};

use larder_benches::Record;
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Drawn = Result<(), Box<dyn Error>>;

pub(crate) const WIDTH: i32 = 880;
pub(crate) const MARGIN: i32 = 24;
/// Below the title and its second line.
pub(crate) const HEAD: i32 = 78;

pub(crate) const INK: RGBColor = RGBColor(31, 35, 40);
pub(crate) const QUIET: RGBColor = RGBColor(101, 109, 118);
pub(crate) const RULE: RGBColor = RGBColor(225, 228, 232);

/// About what a letter takes, for places that depend on a text's length.
const LETTER: f64 = 6.6;

/// A white card with its title.
pub(crate) fn card<'a>(
    path: &'a Path,
    height: i32,
    title: &str,
    below: &str,
) -> Result<Area<'a>, Box<dyn Error>> {
    let size = (u32::try_from(WIDTH)?, u32::try_from(height)?);
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    text(&area, (MARGIN, 26), title, Look { size: 18, bold: true, ..Look::default() })?;
    text(&area, (MARGIN, 50), below, Look { size: 12, colour: QUIET, ..Look::default() })?;
    Ok(area)
}

/// The second line of a title: what the values are, and which are good.
pub(crate) fn told(record: &Record) -> String {
    let better = if record.quantity.grows_better() { "more" } else { "less" };
    let spread = record.rows.iter().any(|row| row.low < row.high);
    let measured = if spread { ", median and quartiles" } else { "" };
    let note = record.note.as_deref().map(|note| format!("{note}; ")).unwrap_or_default();
    format!("{note}{}{measured}; {better} is better", record.quantity.words())
}

/// How a text looks.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) size: i32,
    pub(crate) bold: bool,
    pub(crate) colour: RGBColor,
    pub(crate) at: HPos,
}

impl Default for Look {
    fn default() -> Self {
        Self { size: 12, bold: false, colour: INK, at: HPos::Left }
    }
}

/// A text whose middle is at the height of `place`.
pub(crate) fn text(area: &Area<'_>, place: (i32, i32), words: &str, look: Look) -> Drawn {
    let weight = if look.bold { FontStyle::Bold } else { FontStyle::Normal };
    let style = TextStyle::from(("sans-serif", look.size, weight).into_font())
        .color(&look.colour)
        .pos(Pos::new(look.at, VPos::Center));
    area.draw_text(words, &style, place)?;
    Ok(())
}

/// About how wide a text of the usual size is.
pub(crate) fn width(words: &str) -> i32 {
    (words.chars().count() as f64 * LETTER) as i32
}

/// A straight line.
pub(crate) fn rule(
    area: &Area<'_>,
    from: (i32, i32),
    to: (i32, i32),
    style: impl Into<ShapeStyle>,
) -> Drawn {
    area.draw(&PathElement::new(vec![from, to], style))?;
    Ok(())
}

/// The colour of a candidate: one for each library, and for Larder the one that stands out.
pub(crate) fn colour(candidate: &str) -> RGBColor {
    match candidate.split([' ', ':', ',']).next().unwrap_or_default() {
        "larder" => RGBColor(217, 95, 14),
        "moka" => RGBColor(91, 124, 165),
        "quick_cache" => RGBColor(106, 153, 120),
        "cached" => RGBColor(146, 119, 160),
        _ => RGBColor(140, 149, 159),
    }
}
