//! Redaction: values that must not be published, and values that differ from run to run, become named
//! placeholders. The same value gets the same placeholder (`[session-1]`, `[session-2]`) in everything that
//! one [`Redactor`] has seen, so a rotated session still shows as a rotation.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::forms;
use crate::secrets::{Found, RUN, SHORTEST, Secrets};

/// How many characters of a session id tell it from others: firmware prints that many, and a line with the
/// beginning must name the same session as a request with the whole.
const SESSION_KEY_LEN: usize = 16;

/// Head fields whose whole value is a credential, lower case.
const SECRET_FIELDS: [&str; 4] = ["x-device-token", "authorization", "cookie", "set-cookie"];

/// A rule as people write it, in a scenario or in the project file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rule {
    /// What the value is: the placeholder is `[name-1]`.
    pub name: String,
    /// A regular expression (crate `regex`); a group named `value` narrows it to a part of the match.
    pub pattern: String,
    /// Whether the value is a secret and leaves every file, or only differs from run to run and leaves
    /// the snapshots.
    #[serde(default)]
    pub secret: bool,
    /// Whether different values get different numbers. Without, each is `[name]`.
    #[serde(default = "yes")]
    pub numbered: bool,
}

fn yes() -> bool {
    true
}

/// A rule that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// Its pattern is no regular expression.
    #[error("the pattern of redaction rule `{name}` is not a regular expression")]
    Pattern {
        /// The rule.
        name: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
    /// Its name cannot stand in a placeholder.
    #[error("`{0}` cannot name a redaction rule: use lower-case letters, digits and `-`")]
    Name(String),
}

/// What is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing: `--keep-secrets`.
    Nothing,
    /// Secrets: the files of a run.
    Secrets,
    /// Secrets and what differs from run to run: snapshots.
    All,
}

#[derive(Clone, Debug)]
struct Compiled {
    name: String,
    regex: Regex,
    secret: bool,
    numbered: bool,
}

/// Compiled rules in the order in which they claim text, and the secrets that are known by value.
#[derive(Clone, Debug)]
pub struct Rules {
    compiled: Vec<Compiled>,
    /// Name and value.
    values: Vec<(String, String)>,
}

/// Name, pattern, secret, numbered.
const BUILT_IN: [(&str, &str, bool, bool); 15] = [
    ("permanent-token", r"\boc_perm_[0-9A-Za-z_-]+", true, true),
    ("registration-token", r"\boc_reg_[0-9A-Za-z_-]+", true, true),
    ("session", r"\[UPDATE\] Using session: (?P<value>\S+)", true, true),
    ("session", r#""session"\s*:\s*"(?P<value>[^"\s]+)""#, true, true),
    ("session", r"\b[0-9A-Fa-f]{32}\b", true, true),
    ("device-token", r#"[?&]token=(?P<value>[^&\s"]+)"#, true, true),
    // Head fields on a console, in a log or in a command line of curl.
    (
        "credential",
        r#"(?i)\bauthorization["']?\s*[:=]\s*["']?(?:(?:basic|bearer|token|digest)\s+)?(?P<value>[^\s"']+)"#,
        true,
        true,
    ),
    (
        "credential",
        r#"\b(?:Basic|Bearer|BEARER)\s+(?P<value>[A-Za-z0-9+/=_.~-]{16,})"#,
        true,
        true,
    ),
    (
        "credential",
        r#"(?i)\b(?:set-)?cookie["']?\s*[:=]\s*["']?(?P<value>[^\r\n"']+)"#,
        true,
        true,
    ),
    ("mac", r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b", false, true),
    (
        "time",
        r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?",
        false,
        false,
    ),
    // Unix seconds of the years 2001 to 2033, and the milliseconds in ESP-IDF's log prefix.
    ("time", r"\b1[0-9]{9}\b", false, false),
    ("time", r"^[EWIDV] \((?P<value>\d+)\)", false, false),
    ("temperature", r"(?P<value>-?\d+(?:\.\d+)?) ?°?C\b", false, false),
    (
        "temperature",
        r#""temperature"\s*:\s*(?P<value>-?\d+(?:\.\d+)?)"#,
        false,
        false,
    ),
];

impl Rules {
    /// The built-in rules alone.
    pub fn built_in() -> Rules {
        let compile = |&(name, pattern, secret, numbered): &(&str, &str, bool, bool)| Compiled {
            name: name.to_owned(),
            regex: Regex::new(pattern).expect("the built-in patterns are regular expressions"),
            secret,
            numbered,
        };
        // Compiled once for all scenarios: a compiled expression takes hundreds of kilobytes, which its clones share.
        static COMPILED: OnceLock<Vec<Compiled>> = OnceLock::new();
        Rules {
            compiled: COMPILED
                .get_or_init(|| BUILT_IN.iter().map(compile).collect())
                .clone(),
            values: Vec::new(),
        }
    }

    /// Puts `rules` before those that are there.
    ///
    /// # Errors
    /// [`RedactError`] for a rule that cannot be used.
    pub fn with(mut self, rules: &[Rule]) -> Result<Rules, RedactError> {
        let mut all = Vec::with_capacity(rules.len() + self.compiled.len());
        for rule in rules {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if rule.name.is_empty() || !rule.name.chars().all(fits) {
                return Err(RedactError::Name(rule.name.clone()));
            }
            all.push(Compiled {
                name: rule.name.clone(),
                regex: Regex::new(&rule.pattern).map_err(|source| RedactError::Pattern {
                    name: rule.name.clone(),
                    source: Box::new(source),
                })?,
                secret: rule.secret,
                numbered: rule.numbered,
            });
        }
        all.append(&mut self.compiled);
        self.compiled = all;
        Ok(self)
    }

    /// Adds a secret that is known by value, such as the WiFi password; it comes before every pattern, and is found in
    /// every form that `forms.rs` lists. A value of fewer than four characters is left alone: hiding it would hide half
    /// the log.
    #[must_use]
    pub fn with_value(mut self, name: &str, value: &str) -> Rules {
        if value.chars().count() >= SHORTEST {
            self.values.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// Texts whose redaction is remembered, and their longest length: head fields and replies come again and again.
const REMEMBERED: usize = 2048;
const LONGEST_REMEMBERED: usize = 1024;

/// Replaces values by placeholders and remembers which is which, for one scenario.
#[derive(Clone, Debug)]
pub struct Redactor {
    rules: Vec<Compiled>,
    active: bool,
    secrets: Secrets,
    known: BTreeMap<(String, String), usize>,
    counts: BTreeMap<String, usize>,
    seen: BTreeMap<String, String>,
    /// What became of a text, while nothing new is known; `None` is the same text.
    remembered: BTreeMap<String, Option<String>>,
}

/// A part of a text that is replaced.
struct Claim {
    end: usize,
    by: Claimer,
}

enum Claimer {
    /// A secret that is known by value.
    Secret(usize),
    /// A rule, and the value that it found.
    Rule(usize, String),
}

impl Redactor {
    /// A redactor that has seen nothing yet but the values in `rules`.
    pub fn new(rules: &Rules, scope: Scope) -> Redactor {
        let keep = |rule: &&Compiled| match scope {
            Scope::Nothing => false,
            Scope::Secrets => rule.secret,
            Scope::All => true,
        };
        let active = match scope {
            Scope::Nothing => false,
            Scope::Secrets | Scope::All => true,
        };
        let mut secrets = Secrets::default();
        if active {
            for (name, value) in &rules.values {
                secrets.add(name, value);
            }
        }
        Redactor {
            rules: rules.compiled.iter().filter(keep).cloned().collect(),
            active,
            secrets,
            known: BTreeMap::new(),
            counts: BTreeMap::new(),
            seen: BTreeMap::new(),
            remembered: BTreeMap::new(),
        }
    }

    /// Whether it replaces anything at all.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// The secrets replaced so far, each with its placeholder.
    pub fn secrets(&self) -> &BTreeMap<String, String> {
        &self.seen
    }

    /// A secret has come into being, and is looked for by value from now on.
    pub fn learn(&mut self, name: &str, value: &str) {
        if self.active && value.len() >= RUN && !is_placeholder(value) && self.secrets.add(name, value) {
            self.remembered.clear();
        }
    }

    /// Learns what `other` knows.
    pub fn learn_from(&mut self, other: &Redactor) {
        for (name, value) in other.secrets.iter() {
            self.learn(name, value);
        }
    }

    /// `text` with placeholders.
    pub fn text<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        if !self.active || text.len() < SHORTEST {
            return Cow::Borrowed(text);
        }
        if let Some(known) = self.remembered.get(text) {
            return known
                .as_ref()
                .map_or(Cow::Borrowed(text), |new| Cow::Owned(new.clone()));
        }
        let redacted = self
            .replaced(text.as_bytes())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if text.len() <= LONGEST_REMEMBERED {
            if self.remembered.len() >= REMEMBERED {
                self.remembered.clear();
            }
            self.remembered.insert(text.to_owned(), redacted.clone());
        }
        redacted.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// `bytes` with placeholders; what is not UTF-8 stays as it is.
    pub fn bytes<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let replaced = if self.active { self.replaced(bytes) } else { None };
        replaced.map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    fn replaced(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let claims = self.claims(bytes);
        if claims.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for (start, Claim { end, by }) in claims {
            out.extend_from_slice(&bytes[done..start]);
            out.extend_from_slice(self.placeholder(by).as_bytes());
            done = end;
        }
        out.extend_from_slice(&bytes[done..]);
        Some(out)
    }

    /// What is replaced in `bytes`, by where it starts; no two parts overlap.
    fn claims(&self, bytes: &[u8]) -> BTreeMap<usize, Claim> {
        let mut claims = self.by_value(bytes);
        // The patterns see what a person sees.
        let visible = forms::visible(bytes);
        let text = visible.as_ref().map_or(bytes, |view| &view.bytes);
        let Ok(text) = std::str::from_utf8(text) else {
            return claims;
        };
        for (i, rule) in self.rules.iter().enumerate() {
            for found in rule.regex.captures_iter(text) {
                let Some(part) = found.name("value").or_else(|| found.get(0)) else {
                    continue;
                };
                if part.is_empty() || is_placeholder(part.as_str()) {
                    continue;
                }
                let range = visible
                    .as_ref()
                    .map_or(part.range(), |view| view.original(part.range()));
                // Those that it meets start before its end, and end after its start.
                let met: Vec<usize> = claims
                    .range(..range.end)
                    .rev()
                    .take_while(|(_, claim)| claim.end > range.start)
                    .map(|(start, _)| *start)
                    .collect();
                // The pattern of a secret shows more of it than the runs that are known by value.
                let within = |start: &usize| {
                    let claim = &claims[start];
                    matches!(claim.by, Claimer::Secret(_))
                        && range.start <= *start
                        && claim.end <= range.end
                        && claim.end - start < range.len()
                };
                if met.is_empty() || (rule.secret && met.iter().all(within)) {
                    for start in met {
                        claims.remove(&start);
                    }
                    let by = Claimer::Rule(i, part.as_str().to_owned());
                    claims.insert(range.start, Claim { end: range.end, by });
                }
            }
        }
        claims
    }

    /// The parts of `bytes` that show a secret known by value; of those that overlap, one with the range of all.
    fn by_value(&self, bytes: &[u8]) -> BTreeMap<usize, Claim> {
        let mut found = self.secrets.find(bytes);
        found.sort_by_key(|f| (f.range.start, std::cmp::Reverse(f.range.end)));
        let mut out: Vec<(Range<usize>, Found)> = Vec::new();
        for part in found {
            match out.last_mut() {
                Some((range, longest)) if part.range.start < range.end => {
                    range.end = range.end.max(part.range.end);
                    if part.range.len() > longest.range.len() {
                        *longest = part;
                    }
                }
                _ => out.push((part.range.clone(), part)),
            }
        }
        out.into_iter()
            .map(|(range, longest)| {
                let by = Claimer::Secret(longest.secret);
                (range.start, Claim { end: range.end, by })
            })
            .collect()
    }

    /// The value of a head field with placeholders; a field that carries a credential loses its whole value
    /// even where no rule knows the form.
    pub fn field(&mut self, name: &str, value: &str) -> String {
        let is_secret = SECRET_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field));
        let redacted = self.text(value).into_owned();
        if !self.active || !is_secret || value.is_empty() {
            return redacted;
        }
        // A known credential behind its scheme: `Bearer [permanent-token-1]`.
        let bare = match redacted.split_once(' ') {
            Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_alphabetic()) => rest,
            _ => &redacted,
        };
        if is_placeholder(bare) {
            return redacted;
        }
        let placeholder = self.number("device-token", value, true, true);
        self.learn("device-token", value);
        placeholder
    }

    fn placeholder(&mut self, by: Claimer) -> String {
        match by {
            Claimer::Secret(index) => {
                let (name, value) = self.secrets.get(index);
                let (name, value) = (name.to_owned(), value.to_owned());
                self.number(&name, &value, true, true)
            }
            Claimer::Rule(rule, value) => {
                let Compiled {
                    name,
                    secret,
                    numbered,
                    ..
                } = &self.rules[rule];
                let (name, secret, numbered) = (name.clone(), *secret, *numbered);
                if secret {
                    self.learn(&name, &value);
                }
                self.number(&name, &value, secret, numbered)
            }
        }
    }

    fn number(&mut self, name: &str, value: &str, secret: bool, numbered: bool) -> String {
        let placeholder = if numbered {
            let mut key = value.to_ascii_lowercase();
            if name == "session"
                && let Some((end, _)) = key.char_indices().nth(SESSION_KEY_LEN)
            {
                key.truncate(end);
            }
            let count = self.counts.entry(name.to_owned()).or_default();
            let number = self.known.entry((name.to_owned(), key)).or_insert_with(|| {
                *count += 1;
                *count
            });
            format!("[{name}-{number}]")
        } else {
            format!("[{name}]")
        };
        if secret && !self.seen.contains_key(value) {
            self.seen.insert(value.to_owned(), placeholder.clone());
        }
        placeholder
    }

    /// What finds the secrets that were seen, and the placeholder of each: for bytes that keep their places.
    pub(crate) fn finder(&mut self) -> (Secrets, Vec<String>) {
        let mut finder = Secrets::default();
        let mut placeholders = Vec::new();
        if self.active {
            let all: Vec<(String, String)> = self
                .secrets
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            for (name, value) in all {
                if finder.add(&name, &value) {
                    placeholders.push(self.number(&name, &value, true, true));
                }
            }
            for (value, placeholder) in &self.seen {
                if finder.add("seen", value) {
                    placeholders.push(placeholder.clone());
                }
            }
        }
        (finder, placeholders)
    }
}

/// Whether `text` is what a redactor put there: redacting twice must change nothing.
fn is_placeholder(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    inner.is_some_and(|t| t.starts_with(|c: char| c.is_ascii_lowercase()) && t.chars().all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "0123456789abcdef0123456789abcdef";

    fn all() -> Redactor {
        Redactor::new(&Rules::built_in(), Scope::All)
    }

    #[test]
    fn the_beginning_of_a_session_is_the_same_session() {
        let mut r = all();
        assert_eq!(
            r.text("[UPDATE] Using session: 0123456789abcdef"),
            "[UPDATE] Using session: [session-1]"
        );
        assert_eq!(
            r.text(&format!(r#"{{"session":"{SESSION}"}}"#)),
            r#"{"session":"[session-1]"}"#
        );
        assert_eq!(
            r.text("renewed ffffffffffffffffffffffffffffffff"),
            "renewed [session-2]"
        );
        assert_eq!(r.text(SESSION), "[session-1]");
    }

    #[test]
    fn tokens_are_not_taken_for_sessions() {
        let mut r = all();
        let text = format!("oc_perm_{SESSION} oc_reg_abc oc_perm_{SESSION}");
        assert_eq!(
            r.text(&text),
            "[permanent-token-1] [registration-token-1] [permanent-token-1]"
        );
        assert_eq!(r.secrets().len(), 2);
    }

    #[test]
    fn a_sha256_and_plain_words_stay() {
        let mut r = all();
        let text = format!("firmware {SESSION}{SESSION} renewed after 2700 s, status 200");
        assert!(matches!(r.text(&text), Cow::Borrowed(_)));
    }

    #[test]
    fn what_differs_from_run_to_run_leaves_snapshots_but_not_files() {
        let line = "I (326) 2026-01-01T00:00:00Z 24:0a:C4:00:00:01 [UPDATE] Sending temperature: 22.4C";
        assert_eq!(
            all().text(line),
            "I ([time]) [time] [mac-1] [UPDATE] Sending temperature: [temperature]C"
        );
        assert_eq!(Redactor::new(&Rules::built_in(), Scope::Secrets).text(line), line);
    }

    #[test]
    fn the_password_goes_by_value_and_credentials_go_whole() {
        let rules = Rules::built_in().with_value("wifi-password", "correct horse (9)");
        let mut r = Redactor::new(&rules, Scope::Secrets);
        assert_eq!(
            r.text("joining with correct horse (9)!"),
            "joining with [wifi-password-1]!"
        );
        assert_eq!(r.field("X-Device-Token", "garbled"), "[device-token-1]");
        assert_eq!(
            r.field("x-device-token", &format!("oc_perm_{SESSION}")),
            "[permanent-token-1]"
        );
        assert_eq!(r.field("Host", "example.test"), "example.test");
        assert_eq!(
            r.text("GET /api/device/state/?token=abcdef&x=1"),
            "GET /api/device/state/?token=[device-token-2]&x=1"
        );
    }

    #[test]
    fn redacting_twice_changes_nothing() {
        let text = format!("[UPDATE] Using session: {SESSION} {{\"session\":\"{SESSION}\"}}");
        let once = all().text(&text).into_owned();
        assert_eq!(all().text(&once), once);
        assert_eq!(all().field("X-Device-Token", "[session-1]"), "[session-1]");
    }

    #[test]
    fn nothing_is_replaced_where_secrets_are_kept() {
        let mut r = Redactor::new(&Rules::built_in(), Scope::Nothing);
        assert_eq!(r.text(SESSION), SESSION);
        assert_eq!(r.field("X-Device-Token", "garbled"), "garbled");
    }

    #[test]
    fn rules_of_a_project_come_first_and_are_checked() {
        let rule = |name: &str, pattern: &str| Rule {
            name: name.into(),
            pattern: pattern.into(),
            secret: false,
            numbered: true,
        };
        let rules = Rules::built_in()
            .with(&[rule("build", r"build (?P<value>\w+)")])
            .unwrap();
        let mut r = Redactor::new(&rules, Scope::All);
        assert_eq!(
            r.text(&format!("build {SESSION}, build 7")),
            "build [build-1], build [build-2]"
        );
        assert!(matches!(
            Rules::built_in().with(&[rule("x", "(")]),
            Err(RedactError::Pattern { .. })
        ));
        assert!(matches!(
            Rules::built_in().with(&[rule("X y", "a")]),
            Err(RedactError::Name(_))
        ));
    }
}
