//! Draws that repeat from run to run.

use tidings::filter::Path;
use tidings::query::{Direction, Query, Sort};

/// A small generator whose draws repeat from run to run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below this one.
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }

    /// Every other time a page of the rows, sorted by some of these names.
    pub fn page(&mut self, query: &mut Query, names: &[&str]) {
        if self.roll(2) == 1 {
            return;
        }
        let directions = [Direction::Ascending, Direction::Descending];
        let sorts = 0..self.roll(3);
        query.sort = sorts
            .map(|_| Sort { path: Path::parse(names[self.roll(names.len())]), direction: *self.pick(&directions) })
            .collect();
        query.limit = Some(self.roll(20));
        query.skip = self.roll(5);
    }
}
