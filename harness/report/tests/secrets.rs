//! No secret leaves in any form that a reader undoes by eye or with one command: every form in every output.
//!
//! A form is a way to print a secret on the console. For each, no run of eight characters of the secret may be found
//! in what an output has of that line, once the form is undone again. Forms that are not hidden are listed in
//! `docs/reports.md`.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use report::files::ScenarioFiles;
use report::redact::{Redactor, Rules, Scope};
use report::{Outcome, Run, html, junit, terminal};
use sim::Instant;
use vocabulary::text::printable;
use vocabulary::{Event, Kind, SCHEMA_VERSION, SerialPort, SessionChange};

const SECRETS: [(&str, &str); 4] = [
    ("permanent-token", "oc_perm_0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
    ("registration-token", "oc_reg_feedfacecafebeef0badc0ffee1234567"),
    ("wifi-password", "hunter2-wifi-pw"),
    ("session", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"),
];

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = (u32::from(chunk[0]) << 16)
            | u32::from(*chunk.get(1).unwrap_or(&0)) << 8
            | u32::from(*chunk.get(2).unwrap_or(&0));
        for i in 0..4 {
            if i <= chunk.len() {
                out.push(alphabet[(n >> (18 - 6 * i)) as usize & 63] as char);
            } else {
                out.push('=');
            }
        }
    }
    out
}

fn each(secret: &str, format: impl Fn(u8) -> String, between: &str) -> String {
    secret.bytes().map(format).collect::<Vec<_>>().join(between)
}

/// Lines of 16 bytes as `xxd`, `od` and `hexdump` print them.
fn dump(secret: &str, line: impl Fn(usize, &[u8]) -> String) -> String {
    // Each line shows eight characters or more: shorter ends can stay.
    let text = format!("{secret} and more of the line");
    let lines: Vec<String> = text
        .as_bytes()
        .chunks(16)
        .enumerate()
        .map(|(i, c)| line(16 * i, c))
        .collect();
    lines.join("\n")
}

fn column(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|b| {
            if b.is_ascii_graphic() || *b == b' ' {
                *b as char
            } else {
                '.'
            }
        })
        .collect()
}

/// The name of a form, and what the form makes of a secret.
type Form = (&'static str, Box<dyn Fn(&str) -> String>);

/// All forms; several lines are lines of the console.
fn forms() -> Vec<Form> {
    let mut all: Vec<Form> = vec![
        ("plain", Box::new(|s| format!("token {s}!"))),
        ("url", Box::new(|s| format!("GET /x?token={s}&a=1"))),
        ("json", Box::new(|s| format!("{{\"token\":\"{s}\"}}"))),
        ("upper case", Box::new(str::to_uppercase)),
        (
            "mixed case",
            Box::new(|s| {
                let flip = |(i, c): (usize, char)| if i % 2 == 0 { c.to_ascii_uppercase() } else { c };
                s.chars().enumerate().map(flip).collect()
            }),
        ),
        (
            "colour within",
            Box::new(|s| format!("{}\u{1b}[31m{}\u{1b}[0m", &s[..9], &s[9..])),
        ),
        (
            "title within",
            Box::new(|s| format!("{}\u{1b}]0;title\u{7}{}", &s[..9], &s[9..])),
        ),
        (
            "C1 within",
            Box::new(|s| format!("{}\u{9b}1m{}", &s[..9], &s[9..])),
        ),
        (
            "NUL between",
            Box::new(|s| each(s, |b| (b as char).to_string(), "\0")),
        ),
        (
            "backspace between",
            Box::new(|s| each(s, |b| (b as char).to_string(), "\u{8}")),
        ),
        (
            "spaced out",
            Box::new(|s| each(s, |b| (b as char).to_string(), " ")),
        ),
        (
            "quoted characters",
            Box::new(|s| each(s, |b| format!("'{}'", b as char), ", ")),
        ),
        ("percent", Box::new(|s| each(s, |b| format!("%{b:02X}"), ""))),
        (
            "percent twice",
            Box::new(|s| each(s, |b| format!("%25{b:02x}"), "")),
        ),
        (
            "percent in part",
            Box::new(|s| s.replace('_', "%5F").replace('e', "%65").replace('-', "%2d")),
        ),
        (
            "unicode escapes",
            Box::new(|s| each(s, |b| format!("\\u{b:04x}"), "")),
        ),
        (
            "rust escapes",
            Box::new(|s| each(s, |b| format!("\\u{{{b:x}}}"), "")),
        ),
        (
            "hex escapes",
            Box::new(|s| each(s, |b| format!("\\x{b:02x}"), "")),
        ),
        (
            "octal escapes",
            Box::new(|s| each(s, |b| format!("\\{b:03o}"), "")),
        ),
        (
            "json slashes",
            Box::new(|s| s.replace('_', "\\u005f").replace('e', "\\u0065")),
        ),
        (
            "character references",
            Box::new(|s| each(s, |b| format!("&#{b};"), "")),
        ),
        (
            "hex references",
            Box::new(|s| each(s, |b| format!("&#x{b:x};"), "")),
        ),
        ("hex", Box::new(|s| each(s, |b| format!("{b:02x}"), ""))),
        ("HEX", Box::new(|s| each(s, |b| format!("{b:02X}"), ""))),
        (
            "hex after an odd digit",
            Box::new(|s| format!("f{}", each(s, |b| format!("{b:02x}"), ""))),
        ),
        ("hex spaced", Box::new(|s| each(s, |b| format!("{b:02x}"), " "))),
        (
            "hex with colons",
            Box::new(|s| each(s, |b| format!("{b:02x}"), ":")),
        ),
        (
            "hex array",
            Box::new(|s| format!("{{ {} }}", each(s, |b| format!("0x{b:02x}"), ", "))),
        ),
        ("decimal array", Box::new(|s| format!("{:?}", s.as_bytes()))),
        ("octal dump", Box::new(|s| each(s, |b| format!("{b:03o}"), " "))),
        (
            "basic",
            Box::new(|s| {
                format!(
                    "Authorization: Basic {}",
                    base64(format!("user:{s}").as_bytes(), ALPHABET)
                )
            }),
        ),
        ("bearer", Box::new(|s| format!("authorization: bearer {s}"))),
        ("cookie", Box::new(|s| format!("Cookie: a=b; id={s}"))),
        (
            "beginning",
            Box::new(|s| format!("starts {}…", &s[..s.len().min(20)])),
        ),
        (
            "middle",
            Box::new(|s| format!("middle {} end", &s[s.len() - 10..s.len() - 1])),
        ),
        ("reversed", Box::new(|s| s.chars().rev().collect())),
        (
            "wrapped",
            Box::new(|s| {
                format!(
                    "the token is {}\n{}",
                    &s[..s.len() / 2 + 3],
                    &s[s.len() / 2 + 3..]
                )
            }),
        ),
        (
            "xxd",
            Box::new(|s| {
                dump(s, |at, c| {
                    let words: Vec<String> = c
                        .chunks(2)
                        .map(|w| w.iter().map(|b| format!("{b:02x}")).collect())
                        .collect();
                    format!("{at:08x}: {:<40} {}", words.join(" "), column(c))
                })
            }),
        ),
        (
            "hexdump -C",
            Box::new(|s| {
                dump(s, |at, c| {
                    let bytes: Vec<String> = c.iter().map(|b| format!("{b:02x}")).collect();
                    format!("{at:08x}  {}  |{}|", bytes.join(" "), column(c))
                })
            }),
        ),
        (
            "od -x",
            Box::new(|s| {
                dump(s, |at, c| {
                    let words: Vec<String> = c
                        .chunks(2)
                        .map(|w| format!("{:02x}{:02x}", w.get(1).unwrap_or(&0), w[0]))
                        .collect();
                    format!("{at:07o} {}", words.join(" "))
                })
            }),
        ),
        (
            "od -tx4",
            Box::new(|s| {
                dump(s, |at, c| {
                    let word = |w: &[u8]| {
                        (0..4).rev().fold(String::new(), |mut out, i| {
                            let _ = write!(out, "{:02x}", w.get(i).unwrap_or(&0));
                            out
                        })
                    };
                    format!("{at:07o} {}", c.chunks(4).map(word).collect::<Vec<_>>().join(" "))
                })
            }),
        ),
        (
            "esp_log_buffer_hex",
            Box::new(|s| {
                dump(s, |at, c| {
                    let bytes: Vec<String> = c.iter().map(|b| format!("{b:02x}")).collect();
                    format!("I ({at}) tag: {}", bytes.join(" "))
                })
            }),
        ),
    ];
    for (name, alphabet) in [("base64", ALPHABET), ("base64url", URL_SAFE)] {
        for shift in 0..3 {
            all.push((
                name,
                Box::new(move |s| {
                    format!(
                        "x={}",
                        base64(format!("{}{s}", &"k=="[..shift]).as_bytes(), alphabet)
                    )
                }),
            ));
        }
    }
    all
}

/// The console's lines of one form of one secret, after the session was issued.
fn events(lines: &str) -> Vec<Event> {
    let mut events = vec![Event {
        at: Instant::ZERO,
        kind: Kind::ScenarioStarted {
            schema: SCHEMA_VERSION,
            name: "s".into(),
            seed: 1,
            firmware_sha256: "00".into(),
            backend: "emulator".into(),
            epoch_unix_s: 0,
            time_scale: 1,
        },
    }];
    let mut push = |kind| {
        events.push(Event {
            at: Instant::from_secs(1),
            kind,
        });
    };
    push(Kind::Session {
        device: "d".into(),
        change: SessionChange::Issued {
            session: SECRETS[3].1.into(),
        },
    });
    for text in lines.split('\n') {
        let port = SerialPort::Uart0;
        push(Kind::SerialChunk {
            port,
            bytes: format!("{text}\r\n").into_bytes(),
        });
        push(Kind::SerialLine {
            port,
            text: text.into(),
        });
        push(Kind::Note { text: text.into() });
    }
    events
}

/// The outputs of a run, by name.
fn outputs(lines: &str) -> Vec<(&'static str, String)> {
    let mut rules = Rules::built_in();
    for (name, value) in &SECRETS[..3] {
        rules = rules.with_value(name, value);
    }
    let mut redactor = Redactor::new(&rules, Scope::Secrets);
    let dir = tempfile::tempdir().unwrap();
    let mut files = ScenarioFiles::create(dir.path(), "s.yaml").unwrap();
    let mut seen = Vec::new();
    let mut console = String::new();
    for event in events(lines) {
        let redacted = redactor.event(&event);
        files.event(&event, &redacted, &mut redactor).unwrap();
        if let Kind::SerialLine { text, .. } = &redacted.kind {
            console.push_str(&printable(text));
            console.push('\n');
        }
        if !matches!(redacted.kind, Kind::SerialChunk { .. }) {
            seen.push(redacted);
        }
    }
    let run = Run {
        name: "s".into(),
        path: "s.yaml".into(),
        repeat: "oceanrig run s.yaml".into(),
        events: seen,
        must_fail: None,
        outcome: Outcome::Failed {
            reasons: vec!["x".into()],
        },
        wall: Duration::ZERO,
        backend: "emulator".into(),
        time_scale: 1,
        attempts: Vec::new(),
        quarantine: None,
        snapshot: None,
        only_snapshot: false,
        troubles: Vec::new(),
        scenario_sha256: String::new(),
        finished_unix_ms: 0,
    };
    files.finish(&run, None, &mut redactor).unwrap();
    let read = |name: &str| String::from_utf8_lossy(&fs::read(dir.path().join(name)).unwrap()).into_owned();
    vec![
        ("serial.log", read("serial.log")),
        ("serial-timed.log", read("serial-timed.log")),
        ("events.jsonl", read("events.jsonl")),
        ("junit.xml", junit::render(&[&run], Duration::ZERO).unwrap()),
        ("report.html", data_of(&html::render(&[&run], "t")).to_owned()),
        ("terminal", terminal::failure(&run)),
        ("--verbose", console),
    ]
}

/// What a page holds of its one run.
fn data_of(page: &str) -> &str {
    let (_, data) = page.split_once("id=\"run-0\">").expect("the page has a run");
    data.split_once("</script>").expect("it ends").0
}

/// Whether a run of eight characters of what `form` makes of the secret is in `output`, apart from what stands around.
fn leaks(form: &dyn Fn(&str) -> String, secret: &str, output: &str) -> Option<String> {
    // What the form makes of another secret shows which parts are its frame.
    let other: String = secret
        .chars()
        .map(|c| match c {
            'a'..='z' => 'q',
            '0'..='9' => '5',
            c => c,
        })
        .collect();
    let (text, frame_text) = (form(secret), form(&other));
    let frame: Vec<&[u8]> = frame_text.as_bytes().windows(8).collect();
    // What stands before and behind the secret is the same for both.
    let same = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let before = same(&mut text.bytes(), &mut frame_text.bytes());
    let behind = same(&mut text.bytes().rev(), &mut frame_text.bytes().rev());
    let text = &text.as_bytes()[before..text.len() - behind.min(text.len() - before)];
    // Enough of the form to hold eight characters of the secret: as many as it makes of one, eight times.
    let per_character = (text.len() / secret.len()).max(1);
    let width = 8 * per_character + 2;
    let output = output.as_bytes();
    text.windows(width.min(text.len())).find_map(|window| {
        let framed = window.windows(8).filter(|w| frame.contains(w)).count();
        let own = window.len() - framed;
        let shown = own > window.len() / 2 && output.windows(window.len()).any(|w| w == window);
        shown.then(|| String::from_utf8_lossy(window).into_owned())
    })
}

#[test]
fn every_form_of_every_secret_is_hidden_in_every_output() {
    let mut leaked = Vec::new();
    for (name, form) in forms() {
        for (what, secret) in SECRETS {
            for (output, text) in outputs(&form(secret)) {
                // Seven characters may stay.
                let plain: Vec<&[u8]> = secret.as_bytes().windows(8).skip(8).collect();
                let shows = plain
                    .iter()
                    .any(|w| text.as_bytes().windows(8).any(|t| t.eq_ignore_ascii_case(w)));
                if shows {
                    leaked.push(format!("{name} of {what} in {output}: as it is"));
                } else if let Some(part) = leaks(&*form, secret, &text) {
                    leaked.push(format!("{name} of {what} in {output}: {part:?}"));
                }
            }
        }
    }
    assert!(
        leaked.is_empty(),
        "{} leaks:\n{}",
        leaked.len(),
        leaked.join("\n")
    );
}

#[test]
fn kept_secrets_stay_and_other_text_is_left_alone() {
    let mut rules = Rules::built_in();
    for (name, value) in SECRETS {
        rules = rules.with_value(name, value);
    }
    let mut hiding = Redactor::new(&rules, Scope::Secrets);
    for text in [
        "00000010: 2000 0000 1111 1111 ffff ffff 0000 0000  ................",
        "[BOOT] Device oc-123456, MAC 02:0c:ea:12:34:56, firmware 0123456789abcdef of 2026-01-01T00:00:00Z",
        "the tokens begin with oc_perm_ and oc_reg_; Basic authentication is off; cookie jar empty",
        "http://cloud.oceanremote.test/api/device/oc-123456/commands/?ack=0 200 OK, 12345678 bytes, heap 0x3fc8_1234",
        "SGVsbG8sIHRoaXMgaXMgbm90aGluZyBzZWNyZXQgYXQgYWxs",
    ] {
        assert_eq!(hiding.text(text), text);
    }
    let mut keeping = Redactor::new(&rules, Scope::Nothing);
    assert_eq!(keeping.text(SECRETS[0].1), SECRETS[0].1);
}

#[test]
fn a_long_line_takes_time_by_its_length_alone() {
    let mut rules = Rules::built_in();
    for (name, value) in SECRETS {
        rules = rules.with_value(name, value);
    }
    let mut redactor = Redactor::new(&rules, Scope::Secrets);
    // Every byte begins a run that almost goes on: what would be quadratic is felt here.
    let near: String = SECRETS
        .iter()
        .map(|(_, value)| &value[..value.len() - 1])
        .collect();
    let line = near.repeat(4000);
    let redacted = redactor.text(&line).into_owned();
    assert!(!redacted.contains("hunter2-wifi"), "{}", redacted.len());
    let hex: String = line.bytes().take(200_000).map(|b| format!("{b:02x}")).collect();
    assert!(redactor.text(&hex).len() < hex.len());
}
