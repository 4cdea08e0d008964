//! How quantities and identifiers are written for people.

use std::time::Duration;

/// Characters of an identifier, or of a forwarding address, that tell it from others.
const SHORT: usize = 13;

/// A name's beginning.
pub(crate) fn short(name: &str) -> String {
    match name.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// A number of bytes, with three digits.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut scaled = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if scaled < 1e3 {
            return format!("{} {unit}", three_digits(scaled));
        }
        scaled /= 1e3;
    }
    format!("{} TB", three_digits(scaled))
}

/// A number of seconds, in one unit or two.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0 if seconds < 1e-3 => format!("{} µs", three_digits(seconds * 1e6)),
        0 => format!("{} ms", three_digits(seconds * 1e3)),
        1..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole / 60 % 60),
        _ => format!("{} d {} h", whole / 86_400, whole / 3_600 % 24),
    }
}

/// A time in milliseconds, whatever its size, so that several can be compared.
pub(crate) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    let decimals = match milliseconds {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{milliseconds:.decimals$} ms")
}

fn three_digits(number: f64) -> String {
    match number {
        _ if number.fract() == 0.0 || number >= 100.0 => format!("{number:.0}"),
        _ if number >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_three_digits_and_a_unit() {
        for (number, text) in
            [(0, "0 B"), (999, "999 B"), (1_234, "1.23 kB"), (12_345_678, "12.3 MB")]
        {
            assert_eq!(bytes(number), text);
        }
        for (number, text) in [
            (0.0, "0 µs"),
            (0.000_05, "50 µs"),
            (0.012_3, "12.3 ms"),
            (59.9, "59 s"),
            (61.0, "1 min 1 s"),
            (3_700.0, "1 h 1 min"),
            (90_000.0, "1 d 1 h"),
        ] {
            assert_eq!(duration(number), text);
        }
        for (microseconds, text) in
            [(42, "0.04 ms"), (9_870, "9.87 ms"), (45_678, "45.7 ms"), (1_234_567, "1235 ms")]
        {
            assert_eq!(milliseconds(Duration::from_micros(microseconds)), text);
        }
    }

    #[test]
    fn short_names_stay_whole() {
        assert_eq!(short("I0123456789abcdef"), "I0123456789ab…");
        assert_eq!(short("I0123456789ab"), "I0123456789ab");
    }
}
