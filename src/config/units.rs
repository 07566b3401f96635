//! Durations and sizes as people write them: a number and a unit. A bare number is refused, because nobody
//! remembers which unit was meant.

use std::time::Duration;

const DURATIONS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)];
const SIZES: [(&str, f64); 7] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1024.0 * 1024.0),
    ("GiB", 1024.0 * 1024.0 * 1024.0),
];

/// Reads `500ms`, `10s`, `1.5h`, `2d`.
///
/// # Errors
/// A sentence that names the units.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = measure(text, &DURATIONS).ok_or_else(|| wanted(text, "a duration", &DURATIONS, "10s"))?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("\"{text}\" is too long"))
}

/// Reads `64KiB`, `256MiB`, `1GB`.
///
/// # Errors
/// A sentence that names the units.
pub fn size(text: &str) -> Result<u64, String> {
    let bytes = measure(text, &SIZES).ok_or_else(|| wanted(text, "a size", &SIZES, "16MiB"))?;
    // 2^53: past it a float is not exact, and no disk is that big.
    if bytes > 9_007_199_254_740_992.0 {
        return Err(format!("\"{text}\" is too big"));
    }
    Ok(bytes as u64)
}

fn measure(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.parse::<f64>().ok().map(|number| number * factor)
}

fn wanted(text: &str, what: &str, units: &[(&str, f64)], example: &str) -> String {
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    format!("\"{text}\" is not {what}: a number with a unit ({}), like \"{example}\"", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit_is_read() {
        for (text, millis) in [("0ms", 0), ("500ms", 500), ("10s", 10_000), ("1.5h", 5_400_000), ("2 d", 172_800_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, bytes) in [("0B", 0), ("1MiB", 1 << 20), ("64kib", 65_536), ("2 GB", 2_000_000_000)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn anything_else_says_which_units_there_are() {
        for text in ["", "5", "s", "5 x", "-1s", "1.2.3s", "1e9s", "NaNs", "é"] {
            assert!(duration(text).unwrap_err().contains("ms, s, m, h, d"), "{text}");
        }
        for text in ["5", "5 bytes", "-1kB", ""] {
            assert!(size(text).unwrap_err().contains("KiB, MiB, GiB"), "{text}");
        }
        assert!(duration(&format!("{}d", "9".repeat(30))).unwrap_err().contains("too long"));
        assert!(size("99999999999999GB").unwrap_err().contains("too big"));
    }
}
