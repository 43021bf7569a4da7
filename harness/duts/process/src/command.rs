//! A command line, split into words as a shell does it: blanks separate, quotes and backslashes hold together.
//! Nothing is expanded; `sh -c '...'` does that.

/// A command line that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    /// It has no word.
    #[error("there is no command")]
    Empty,
    /// A quote does not end.
    #[error("the quote {0} is not closed")]
    Open(char),
}

/// The words of `line`, one at least.
pub(crate) fn words(line: &str) -> Result<Vec<String>, CommandError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), end) if open == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(letters.next().unwrap_or('\\')),
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    if let Some(open) = quote {
        return Err(CommandError::Open(open));
    }
    words.extend(word);
    if words.first().is_none_or(String::is_empty) {
        return Err(CommandError::Empty);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_separate_and_quotes_hold_together() {
        for (line, expected) in [
            ("./client", vec!["./client"]),
            ("  python3  client.py -v ", vec!["python3", "client.py", "-v"]),
            (
                "sh -c 'echo \"a b\"; sleep 1'",
                vec!["sh", "-c", "echo \"a b\"; sleep 1"],
            ),
            ("a \"b \\\" c\" d\\ e ''", vec!["a", "b \" c", "d e", ""]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        assert_eq!(words(" "), Err(CommandError::Empty));
        assert_eq!(words("''"), Err(CommandError::Empty));
        assert_eq!(words("a 'b"), Err(CommandError::Open('\'')));
    }
}
