//! The query string of a list: `?filter={"type":"compute"}&sort=name desc,-rank&fields=name,tags.0&limit=10&skip=20`.

use crate::api::problem::Problem;
use crate::filter::{Filter, Path};
use crate::query::{Direction, Sort};
use serde_json::Value;

/// Which rows are asked for, in which order, and which part of each.
#[derive(Debug)]
pub(super) struct Asked {
    pub filter: Filter,
    pub sort: Vec<Sort>,
    pub skip: usize,
    pub limit: Option<usize>,
    /// Empty: the whole document.
    pub fields: Vec<Path>,
}

impl Asked {
    /// Reads the parameters; an unknown one is refused, so that a misspelt filter is not no filter.
    pub fn read(parameters: &[(String, String)]) -> Result<Asked, Problem> {
        let mut asked = Asked { filter: Filter::All, sort: Vec::new(), skip: 0, limit: None, fields: Vec::new() };
        for (name, value) in parameters {
            match name.as_str() {
                "filter" => asked.filter = filter(value)?,
                "sort" => asked.sort = names(value).map(sort).collect::<Result<_, _>>()?,
                "fields" => asked.fields = names(value).map(path).collect::<Result<_, _>>()?,
                "limit" => asked.limit = Some(count("limit", value)?),
                "skip" => asked.skip = count("skip", value)?,
                _ => {
                    let known = "filter, sort, fields, limit and skip";
                    return Err(Problem::malformed(format!("{name:?} is not a parameter; there are {known}.")));
                }
            }
        }
        Ok(asked)
    }
}

/// A filter as it stands in a query string.
pub(super) fn filter(text: &str) -> Result<Filter, Problem> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Problem::malformed(format!("the filter is not JSON: {error}.")))?;
    Filter::parse(&value).map_err(|malformed| Problem::malformed(format!("{malformed}.")))
}

/// `rank`, `-rank`, `rank asc`, `rank desc`.
fn sort(text: &str) -> Result<Sort, Problem> {
    let (name, direction) = match (text.strip_prefix('-'), text.rsplit_once(' ')) {
        (Some(name), _) => (name, Direction::Descending),
        (None, Some((name, "desc"))) => (name.trim_end(), Direction::Descending),
        (None, Some((name, "asc"))) => (name.trim_end(), Direction::Ascending),
        (None, Some(_)) => return Err(Problem::malformed(format!("{text:?} is no order: asc or desc."))),
        (None, None) => (text, Direction::Ascending),
    };
    Ok(Sort { path: path(name)?, direction })
}

fn path(text: &str) -> Result<Path, Problem> {
    if text.split('.').any(str::is_empty) {
        return Err(Problem::malformed(format!("{text:?} is no name of a field.")));
    }
    Ok(Path::parse(text))
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

fn count(name: &str, text: &str) -> Result<usize, Problem> {
    text.parse().map_err(|_| Problem::malformed(format!("{name} is a number, 0 or more.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<Asked, Problem> {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Asked::read(&parameters)
    }

    #[test]
    fn an_order_has_names_and_directions() {
        let asked = read(&[("sort", "name desc, -rank,type asc,tags.0")]).unwrap();
        let order: Vec<_> = asked.sort.iter().map(|sort| (sort.path.0.join("."), sort.direction)).collect();
        assert_eq!(
            order,
            [
                ("name".into(), Direction::Descending),
                ("rank".into(), Direction::Descending),
                ("type".into(), Direction::Ascending),
                ("tags.0".into(), Direction::Ascending),
            ]
        );
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        for (name, value) in [
            ("fliter", "{}"),
            ("access_token", "x"),
            ("filter", "{"),
            ("filter", r#"{"a":{"$foo":1}}"#),
            ("limit", "-1"),
            ("limit", "ten"),
            ("skip", ""),
            ("sort", "name down"),
            ("sort", "-"),
            ("fields", "a..b"),
        ] {
            assert!(read(&[(name, value)]).is_err(), "{name}={value}");
        }
        assert!(read(&[("limit", "0"), ("skip", "3")]).is_ok());
    }
}
