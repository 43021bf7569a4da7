//! The source files of the workspace, as text without comments, strings and tests.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file.
pub(crate) struct File {
    /// Path below the root of the repository.
    pub(crate) path: String,
    /// The text. Comments, strings and `mod tests { … }` are blanked; line breaks stay.
    pub(crate) code: String,
}

impl File {
    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The source directories of all crates: the root's `src` and those below `harness`.
pub(crate) fn crates() -> Vec<PathBuf> {
    let mut out = vec![root().join("src")];
    let mut folders = vec![root().join("harness")];
    while let Some(folder) = folders.pop() {
        for entry in sorted(&folder) {
            if entry.join("Cargo.toml").is_file() {
                out.push(entry.join("src"));
            } else if entry.is_dir() {
                folders.push(entry);
            }
        }
    }
    assert!(
        out.len() > 10,
        "the crates are not where this test looks: {out:?}"
    );
    out
}

/// Every Rust file below a directory.
pub(crate) fn files(folder: &Path) -> Vec<File> {
    let mut out = Vec::new();
    for entry in sorted(folder) {
        if entry.is_dir() {
            out.extend(files(&entry));
        } else if entry.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&entry).unwrap_or_else(|e| panic!("{}: {e}", entry.display()));
            let path = entry.strip_prefix(root()).expect("it is below the root");
            out.push(File {
                path: path.display().to_string().replace('\\', "/"),
                code: without_tests(&blank(&text)),
            });
        }
    }
    out
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut out: Vec<PathBuf> = entries.map(|e| e.expect("readable").path()).collect();
    out.sort();
    out
}

/// Replaces comments and the contents of strings by blanks of the same length.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => find(bytes, at, b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => find(bytes, at + 2, b"*/") + 2,
            b'r' if raw_string(bytes, at).is_some() => raw_string(bytes, at).unwrap_or(at + 1),
            b'"' => string_end(bytes, at),
            b'\'' if char_end(bytes, at).is_some() => char_end(bytes, at).unwrap_or(at + 1),
            _ => {
                at += 1;
                continue;
            }
        };
        let end = end.min(bytes.len());
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(out).expect("blanks are ASCII and whole strings are replaced")
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    bytes[from.min(bytes.len())..]
        .windows(what.len())
        .position(|w| w == what)
        .map_or(bytes.len(), |n| from + n)
}

/// The end of a raw string that starts at `at`, if one does.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if word_before && bytes[at - 1] != b'b' {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    Some(find(bytes, at + 2 + hashes, &close) + close.len())
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    end + 1
}

/// The end of a character literal; `None` for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at + 1) == Some(&b'\\') {
        return Some(find(bytes, at + 3, b"'") + 1);
    }
    let longest = (at + 6).min(bytes.len());
    let close = (at + 2..longest).find(|n| bytes[*n] == b'\'')?;
    let one = std::str::from_utf8(&bytes[at + 1..close]).ok()?;
    (one.chars().count() == 1).then_some(close + 1)
}

/// Blanks what stands behind `#[cfg(test)]` as a block.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(at) = out[from..].find("#[cfg(test)]").map(|n| from + n) {
        from = at + 1;
        let block = out[at..].find('{').map(|n| at + n);
        let statement = out[at..].find(';').map(|n| at + n);
        let end = match (block, statement) {
            (Some(block), Some(statement)) if statement < block => statement + 1,
            (Some(block), _) => closing(&out, block),
            (None, Some(statement)) => statement + 1,
            (None, None) => out.len(),
        };
        let blanks: String = out[at..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(at..end, &blanks);
    }
    out
}

/// The offset behind the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (n, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return n + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_strings_and_tests_are_blank() {
    let text = "use a; // use b;\nlet s = \"use c; \\\" {\"; let c = '{'; let r = r#\"\"use d\"\"#; fn f<'a>() {}\n\
                #[cfg(test)]\nmod tests { use e; }\nuse g;";
    let code = without_tests(&blank(text));
    for gone in ["use b", "use c", "use d", "use e", "'{'"] {
        assert!(!code.contains(gone), "{gone} in {code}");
    }
    assert!(
        code.contains("use a;") && code.contains("use g;") && code.contains("fn f<'a>() {}"),
        "{code}"
    );
    assert_eq!(code.matches('\n').count(), text.matches('\n').count());
}
