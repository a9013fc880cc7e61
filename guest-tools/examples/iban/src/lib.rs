//! The tool `acme/iban`: checks an International Bank Account Number (ISO 13616).

mod countries;

/// What a step says of the tool itself, in fields beside `args`.
#[noetl_tool::shape]
pub struct Config {
    /// The countries whose accounts are taken, by two letters; all, if left out.
    #[serde(default)]
    countries: Option<Vec<String>>,
}

/// A step's `args`.
#[noetl_tool::shape]
pub struct Args {
    /// As people write it: with spaces, in small letters.
    iban: String,
}

/// What the step's `result.data` is.
#[noetl_tool::shape]
pub struct Checked {
    /// Whether there can be an account with this number.
    valid: bool,
    /// Why there can't.
    reason: Option<String>,
    /// The country that it is in, by two letters.
    country: Option<String>,
    /// As programs write it.
    electronic: Option<String>,
    /// As it is printed: in groups of four.
    formatted: Option<String>,
}

#[noetl_tool::tool]
fn run(args: Args, config: Config) -> Checked {
    match check(&args.iban, config.countries.as_deref()) {
        Ok(iban) => Checked {
            valid: true,
            reason: None,
            country: Some(iban[..2].into()),
            formatted: Some(in_groups(&iban)),
            electronic: Some(iban),
        },
        Err(reason) => Checked {
            valid: false,
            reason: Some(reason),
            country: None,
            electronic: None,
            formatted: None,
        },
    }
}

/// The number without spaces, or why it is none.
fn check(text: &str, countries: Option<&[String]>) -> Result<String, String> {
    let iban: String = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect();
    if let Some(other) = iban.chars().find(|c| !c.is_ascii_alphanumeric()) {
        return Err(format!("`{other}` is neither a letter nor a digit"));
    }
    let country = iban.get(..2).ok_or("it is too short")?;
    let length = countries::length(country).ok_or(format!("no country `{country}` has IBANs"))?;
    if iban.len() != length {
        return Err(format!(
            "those of {country} have {length} characters, this one has {}",
            iban.len()
        ));
    }
    if countries.is_some_and(|taken| !taken.iter().any(|c| c == country)) {
        return Err(format!("accounts in {country} are not taken"));
    }
    match remainder(&iban) {
        1 => Ok(iban),
        _ => Err("its check digits do not fit: a digit is wrong, or two have changed places".into()),
    }
}

/// Of the number that it becomes with its first four characters at the end and a
/// letter as its place in the alphabet after 9, divided by 97. It must be 1.
fn remainder(iban: &str) -> u32 {
    let (head, account) = iban.split_at(4);
    account.chars().chain(head.chars()).fold(0, |so_far, c| {
        let value = c.to_digit(36).unwrap_or_default();
        let shift = if value < 10 { 10 } else { 100 };
        (so_far * shift + value) % 97
    })
}

fn in_groups(iban: &str) -> String {
    let characters: Vec<char> = iban.chars().collect();
    let groups: Vec<String> = characters.chunks(4).map(String::from_iter).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use noetl_tool::testing;
    use serde_json::{Value, json};

    use super::Tool;

    fn check(iban: &str) -> Value {
        testing::run(Tool, json!({}), json!({"iban": iban})).unwrap()
    }

    #[test]
    fn real_numbers_are_valid() {
        for iban in [
            "DE89 3704 0044 0532 0130 00",
            "gb82 west 1234 5698 7654 32",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
        ] {
            assert_eq!(check(iban)["valid"], json!(true), "{iban}");
        }
    }

    #[test]
    fn one_wrong_digit_is_seen() {
        let reason = check("DE89 3704 0044 0532 0130 01")["reason"].to_string();
        assert!(reason.contains("check digits"), "{reason}");
    }
}
