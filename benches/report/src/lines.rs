//! A line for each candidate, over the places of an axis.

use std::path::Path;

use larder_benches::{Quantity, Record, thousands};
use plotters::{prelude::*, style::text_anchor::HPos};

use crate::canvas::{
    Area, Drawn, HEAD, Look, MARGIN, QUIET, RULE, WIDTH, card, colour, rule, text, told, width,
};

const HEIGHT: i32 = 400;
const BOTTOM: i32 = HEIGHT - 52;
/// How far apart the names at the ends of the lines stay.
const NAMES: i32 = 17;

pub(crate) fn draw(record: &Record, path: &Path) -> Drawn {
    let area = card(path, HEIGHT, &record.title, &told(record))?;
    let lines = lines(record);
    let plane = Plane::of(record, &lines);
    plane.frame(&area, record)?;
    for line in &lines {
        plane.line(&area, line)?;
    }
    plane.names(&area, &lines)?;
    area.present()?;
    Ok(())
}

struct Line<'a> {
    name: &'a str,
    /// Which one of its library it is, as these share a colour.
    turn: usize,
    /// Place on the axis, lower quartile, median, upper quartile.
    points: Vec<(f64, f64, f64, f64)>,
}

fn lines(record: &Record) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for row in &record.rows {
        let point = (row.x.unwrap_or_default(), row.low, row.median, row.high);
        if let Some(line) = lines.iter_mut().find(|line| line.name == row.candidate) {
            line.points.push(point);
            continue;
        }
        let turn = lines.iter().filter(|line| colour(line.name) == colour(&row.candidate)).count();
        lines.push(Line { name: &row.candidate, turn, points: vec![point] });
    }
    lines
}

/// Where things are: the places of the axis are as far from one another as there are steps between them.
struct Plane {
    left: i32,
    right: i32,
    places: Vec<f64>,
    low: f64,
    high: f64,
}

impl Plane {
    fn of(record: &Record, lines: &[Line<'_>]) -> Self {
        let mut places: Vec<f64> = record.rows.iter().filter_map(|row| row.x).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let highest = record.rows.iter().map(|row| row.high).fold(f64::MIN_POSITIVE, f64::max);
        let lowest = record.rows.iter().map(|row| row.low).fold(f64::MAX, f64::min);
        // Shares differ by little; everything else begins at nothing.
        let (low, high) = match record.quantity {
            Quantity::Share => ((lowest - 4.0).max(0.0), (highest + 4.0).min(100.0)),
            _ => (0.0, highest * 1.08),
        };
        let names = lines.iter().map(|line| width(line.name)).max().unwrap_or(0);
        Self { left: MARGIN + 62, right: WIDTH - MARGIN - names - 12, places, low, high }
    }

    fn x(&self, place: f64) -> i32 {
        let at = self.places.iter().position(|it| *it >= place).unwrap_or_default() as f64;
        let steps = self.places.len().saturating_sub(1).max(1) as f64;
        let inset = 16;
        self.left
            + inset
            + (at / steps * f64::from(self.right - self.left - 2 * inset)).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        BOTTOM - (share * f64::from(BOTTOM - HEAD)).round() as i32
    }

    fn frame(&self, area: &Area<'_>, record: &Record) -> Drawn {
        let quiet = Look { size: 11, colour: QUIET, ..Look::default() };
        for value in ticks(self.low, self.high) {
            let y = self.y(value);
            rule(area, (self.left, y), (self.right, y), RULE)?;
            let words = if value == 0.0 { "0".to_owned() } else { record.quantity.show(value) };
            text(area, (self.left - 8, y), &words, Look { at: HPos::Right, ..quiet })?;
        }
        let centred = Look { at: HPos::Center, ..quiet };
        for place in &self.places {
            text(area, (self.x(*place), BOTTOM + 14), &thousands(*place), centred)?;
        }
        let axis = record.axis.as_deref().unwrap_or_default();
        text(area, ((self.left + self.right) / 2, BOTTOM + 34), axis, centred)
    }

    fn line(&self, area: &Area<'_>, line: &Line<'_>) -> Drawn {
        let ours = line.name.starts_with("larder");
        let colour = shade(line);
        let place = |point: &(f64, f64, f64, f64)| (self.x(point.0), self.y(point.2));
        let path: Vec<_> = line.points.iter().map(place).collect();
        let width = if ours { 3 } else { 2 };
        for point in &line.points {
            let x = self.x(point.0);
            rule(area, (x, self.y(point.1)), (x, self.y(point.3)), colour.stroke_width(1))?;
            area.draw(&Circle::new(place(point), width + 1, colour.filled()))?;
        }
        area.draw(&PathElement::new(path, colour.stroke_width(width as u32)))?;
        Ok(())
    }

    /// The names, at the ends of their lines and not over one another.
    fn names(&self, area: &Area<'_>, lines: &[Line<'_>]) -> Drawn {
        let mut ends: Vec<_> =
            lines.iter().filter_map(|line| Some((self.y(line.points.last()?.2), line))).collect();
        ends.sort_by_key(|(y, _)| *y);
        let rooms = spaced(&ends.iter().map(|(y, _)| *y).collect::<Vec<_>>());
        for ((_, line), y) in ends.iter().zip(rooms) {
            let bold = line.name.starts_with("larder");
            let look = Look { bold, colour: shade(line), ..Look::default() };
            text(area, (self.right + 8, y), line.name, look)?;
        }
        Ok(())
    }
}

/// The same heights, in order, moved as far apart as names need, and none below the plane.
pub(crate) fn spaced(heights: &[i32]) -> Vec<i32> {
    let mut rooms: Vec<i32> = heights.to_vec();
    for at in 1..rooms.len() {
        rooms[at] = rooms[at].max(rooms[at - 1] + NAMES);
    }
    let mut limit = BOTTOM;
    for room in rooms.iter_mut().rev() {
        *room = (*room).min(limit);
        limit = *room - NAMES;
    }
    rooms
}

/// Round numbers between the two, four to nine of them.
pub(crate) fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 8.0;
    let unit = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|factor| factor * unit).into_iter().find(|it| *it >= rough);
    let step = step.unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|number| number as f64 * step).collect()
}

/// Lines of one library differ a little.
fn shade(line: &Line<'_>) -> RGBColor {
    let all = colour(line.name);
    let part = |towards: u8, from: u8| ((u16::from(towards) + u16::from(from)) / 2) as u8;
    match line.turn {
        0 => all,
        1 => RGBColor(part(60, all.0), part(20, all.1), part(0, all.2)),
        _ => RGBColor(part(250, all.0), part(180, all.1), part(90, all.2)),
    }
}
