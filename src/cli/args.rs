//! Arguments that several commands share.

use std::time::Duration;

use clap::Args;

/// Which organization a command is about.
#[derive(Debug, Args)]
pub struct OrgArgument {
    /// The organization; may be left out while there is only one
    #[arg(long = "org", value_name = "ORG")]
    pub org: Option<String>,
}

/// How a list is written.
#[derive(Debug, Args)]
pub struct ListFormat {
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// A length of time with a unit: `30m`, `12h`, `90d`, `52w`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number with `m`, `h`, `d` or `w`, as in `90d`".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return Err(wrong()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    if number == 0 {
        return Err("a time is longer than nothing".to_owned());
    }
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(duration("30m"), Ok(Duration::from_secs(1800)));
        for wrong in [
            "",
            "90",
            "d",
            "0d",
            "0m",
            "-1d",
            "+1d",
            "1.5h",
            "90 d",
            "99999999999999999999d",
            "9999999999999999999w",
            "1ä",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
