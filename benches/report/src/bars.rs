//! A bar for each candidate.

use std::path::Path;

use larder_benches::{Record, Row};
use plotters::{prelude::*, style::text_anchor::HPos};

use crate::canvas::{
    Area, Drawn, HEAD, INK, Look, MARGIN, QUIET, RULE, WIDTH, card, colour, rule, text, told, width,
};

const STEP: i32 = 28;
const BAR: i32 = 16;
/// For the values behind the bars.
const VALUES: i32 = 150;

pub(crate) fn draw(record: &Record, path: &Path) -> Drawn {
    let height = HEAD + STEP * i32::try_from(record.rows.len())? + MARGIN;
    let first = record.rows.first().map_or("", |row| row.candidate.as_str());
    let mut below = format!("{}; x: times {first}", told(record));
    if record.rows.iter().any(|row| row.verdicts.iter().any(|verdict| verdict.bound > Some(0.0))) {
        below.push_str("; upright marks: targets");
    }
    let area = card(path, height, &record.title, &below)?;
    let names = record.rows.iter().map(|row| width(&row.candidate)).max().unwrap_or(0);
    let left = MARGIN + names + 14;
    let scale = Scale { left, wide: WIDTH - MARGIN - VALUES - left, most: most(record) };
    for (at, row) in (0..).zip(&record.rows) {
        bar(&area, record, row, HEAD + STEP * at + STEP / 2, &scale)?;
    }
    let bottom = HEAD + STEP * i32::try_from(record.rows.len())?;
    rule(&area, (left, HEAD), (left, bottom), QUIET)?;
    area.present()?;
    Ok(())
}

struct Scale {
    left: i32,
    wide: i32,
    most: f64,
}

impl Scale {
    fn x(&self, value: f64) -> i32 {
        self.left + (value.min(self.most) / self.most * f64::from(self.wide)).round() as i32
    }
}

fn most(record: &Record) -> f64 {
    record.rows.iter().map(|row| row.median * 1.05).fold(f64::MIN_POSITIVE, f64::max)
}

fn bar(area: &Area<'_>, record: &Record, row: &Row, middle: i32, scale: &Scale) -> Drawn {
    let ours = row.candidate.starts_with("larder");
    let end = scale.x(row.median);
    text(
        area,
        (scale.left - 12, middle),
        &row.candidate,
        Look { bold: ours, at: HPos::Right, ..Look::default() },
    )?;
    let (top, bottom) = (middle - BAR / 2, middle + BAR / 2);
    rule(area, (scale.left, middle), (WIDTH - MARGIN - VALUES, middle), RULE)?;
    area.draw(&Rectangle::new(
        [(scale.left, top), (end, bottom)],
        colour(&row.candidate).filled(),
    ))?;
    if row.low < row.high {
        let (low, high) = (scale.x(row.low), scale.x(row.high));
        rule(area, (low, middle), (high, middle), INK)?;
        for x in [low, high] {
            rule(area, (x, middle - 3), (x, middle + 3), INK)?;
        }
    }
    for verdict in &row.verdicts {
        if let Some(bound) = verdict.bound.filter(|bound| *bound > 0.0) {
            let x = scale.x(bound);
            let colour = if verdict.met { RGBColor(26, 127, 55) } else { RGBColor(207, 34, 46) };
            rule(area, (x, top - 4), (x, bottom + 4), colour.stroke_width(2))?;
        }
    }
    values(area, record, row, middle, ours)
}

fn values(area: &Area<'_>, record: &Record, row: &Row, middle: i32, ours: bool) -> Drawn {
    let right = WIDTH - MARGIN;
    let look = Look { bold: ours, at: HPos::Right, ..Look::default() };
    text(area, (right - 62, middle), &record.quantity.show(row.median), look)?;
    let Some(ratio) = row.ratio else { return Ok(()) };
    text(area, (right, middle), &format!("{ratio:.2} x"), Look { colour: QUIET, ..look })
}
