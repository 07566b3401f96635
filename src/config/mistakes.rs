//! What is wrong with a configuration: all of it at once, each with its place and, where one is near, the
//! word that was probably meant.

use std::fmt;

/// Where a mistake stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of the file, counted from 1.
    Line(usize),
    /// An environment variable, or an option of the command line, by its name.
    Outside(String),
    /// The file as a whole: something is missing.
    Whole,
}

/// One thing to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub place: Place,
    /// What is wrong, with the key first; lower case, no full stop.
    pub sentence: String,
    /// The nearest word that would have been right.
    pub meant: Option<String>,
}

/// Everything that is wrong with one configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    file: String,
    list: Vec<Mistake>,
}

impl Mistakes {
    /// The mistakes in `file`: those from outside it first, then by line.
    pub(super) fn new(file: &str, mut list: Vec<Mistake>) -> Mistakes {
        list.sort_by_key(|mistake| order(&mistake.place));
        list.dedup();
        Mistakes { file: file.to_owned(), list }
    }

    /// The single mistakes.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }
}

fn order(place: &Place) -> usize {
    match place {
        Place::Outside(_) | Place::Whole => 0,
        Place::Line(line) => *line,
    }
}

/// One line each: `file:line: sentence; did you mean "x"?`, or the variable's or option's name in place of file and line.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match &mistake.place {
                Place::Line(line) => write!(f, "{}:{line}: ", self.file)?,
                Place::Outside(name) => write!(f, "{name}: ")?,
                Place::Whole => write!(f, "{}: ", self.file)?,
            }
            f.write_str(&mistake.sentence)?;
            if let Some(meant) = &mistake.meant {
                write!(f, "; did you mean \"{meant}\"?")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// The candidate that `word` was probably meant to be, if one is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}
