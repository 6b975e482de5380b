//! Bytes as a person reads them.

/// In one unit, rounded up: a bound is never shown smaller than it is.
pub fn at_most(bytes: u64) -> String {
    match bytes {
        ..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        10_000_000..10_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
        _ => format!("{} GB", bytes.div_ceil(1_000_000_000)),
    }
}

/// In one unit, rounded down: what is left is never shown larger than it is.
pub fn at_least(bytes: u64) -> String {
    match bytes {
        ..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_rounded_up_and_what_is_left_down() {
        assert_eq!((at_most(9_999), at_least(9_999)), ("9999 bytes".into(), "9999 bytes".into()));
        let both = |bytes| format!("{} {}", at_most(bytes), at_least(bytes));
        assert_eq!(both(2_000_000_000), "2000 MB 2000 MB");
        assert_eq!(both(10_500_000_000), "11 GB 10 GB");
        assert_eq!(both(1_000_001), "1001 kB 1000 kB");
    }
}
