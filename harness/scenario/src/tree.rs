//! YAML → one tree of values, each with its place.
//!
//! The tree is what the rest of the crate walks. Nothing of the YAML parser's types leaves this file.

use std::collections::BTreeMap;

use granit_parser::{ErrorKind, Event, Marker, Options, ScalarStyle, ScanError, Span as RawSpan, Tag};

use crate::located::Span;

/// Most values of a file, once its aliases are put in.
const MAX_NODES: usize = 50_000;
/// How deep values may stand inside each other.
const MAX_DEPTH: usize = 32;

/// A value of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its place.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) kind: NodeKind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// A mapping, in the order of the file; its keys are scalars and differ.
    Map(Vec<(Scalar, Node)>),
    /// A list.
    List(Vec<Node>),
    /// Text, a number, a truth value or nothing.
    Scalar(Text),
    /// Bytes that were written as `!!binary`.
    Binary(Vec<u8>),
}

/// The text of a scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// As it reads.
    pub(crate) text: String,
    /// Whether it stands without quotes, so that it may be a number, a truth value or nothing.
    pub(crate) plain: bool,
}

/// The key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// Its place.
    pub(crate) span: Span,
    /// Its text.
    pub(crate) text: String,
}

/// A mistake of the form: place, message, what to do.
#[derive(Clone, Debug)]
pub(crate) struct Mistake {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

impl Node {
    /// A default: a plain scalar, `{}`, or a list of plain scalars in brackets.
    pub(crate) fn unwritten(text: &str) -> Node {
        let kind = match text {
            "{}" => NodeKind::Map(Vec::new()),
            "[]" => NodeKind::List(Vec::new()),
            list if list.starts_with('[') => {
                let inside = list.trim_matches(['[', ']']);
                NodeKind::List(inside.split(", ").map(Node::unwritten).collect())
            }
            text => NodeKind::Scalar(Text {
                text: text.to_owned(),
                plain: true,
            }),
        };
        Node {
            span: Span::default(),
            kind,
        }
    }

    /// An empty mapping at a place.
    pub(crate) const fn empty_map(span: Span) -> Node {
        Node {
            span,
            kind: NodeKind::Map(Vec::new()),
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&Text> {
        match &self.kind {
            NodeKind::Scalar(text) => Some(text),
            NodeKind::Map(_) | NodeKind::List(_) | NodeKind::Binary(_) => None,
        }
    }

    /// Whether nothing stands here, as behind a key without a value.
    pub(crate) fn is_null(&self) -> bool {
        self.text()
            .is_some_and(|s| s.plain && matches!(s.text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value behind a key, if this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            NodeKind::Map(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(_, v)| v),
            NodeKind::List(_) | NodeKind::Scalar(_) | NodeKind::Binary(_) => None,
        }
    }

    /// The entries of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.kind {
            NodeKind::List(items) => items,
            NodeKind::Map(_) | NodeKind::Scalar(_) | NodeKind::Binary(_) => &[],
        }
    }

    /// What it is, in a few words.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            NodeKind::Map(_) => "a mapping".to_owned(),
            NodeKind::List(_) => "a list".to_owned(),
            NodeKind::Binary(_) => "bytes".to_owned(),
            NodeKind::Scalar(_) if self.is_null() => "nothing".to_owned(),
            NodeKind::Scalar(text) => format!("`{}`", text.text),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            NodeKind::Map(entries) => entries.iter().map(|(_, value)| 1 + value.size()).sum(),
            NodeKind::List(items) => items.iter().map(Node::size).sum(),
            NodeKind::Scalar(_) | NodeKind::Binary(_) => 0,
        }
    }
}

/// Reads the one document of a file. The tree is there as far as the form is right; mistakes of the form that
/// leave a tree, such as a key that is there twice, come beside it.
pub(crate) fn read(text: &str) -> (Option<Node>, Vec<Mistake>) {
    let mut options = Options::default();
    options.flow_nesting_limit = 2 * MAX_DEPTH;
    options.block_nesting_limit = 2 * MAX_DEPTH;
    let mut builder = Builder {
        parser: granit_parser::Parser::new_from_str_with_options(text, options),
        text,
        anchors: BTreeMap::new(),
        nodes: 0,
        mistakes: Vec::new(),
    };
    let node = match builder.document() {
        Ok(node) => node,
        Err(mistake) => {
            builder.mistakes.push(mistake);
            None
        }
    };
    (node, builder.mistakes)
}

struct Builder<'t> {
    parser: granit_parser::Parser<'t, granit_parser::StrInput<'t>>,
    text: &'t str,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    mistakes: Vec<Mistake>,
}

impl<'t> Builder<'t> {
    fn next(&mut self) -> Result<(Event<'t>, RawSpan), Mistake> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.form(&error)),
            None => Ok((Event::StreamEnd, RawSpan::default())),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Mistake> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    let span = self.span(span);
                    self.mistakes.push(Mistake {
                        span,
                        message: "a file holds one scenario: here begins a second document".to_owned(),
                        help: "write it into a file of its own",
                    });
                    return Ok(root);
                }
                Event::DocumentStart(..) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 0)?);
                }
                _ => {}
            }
        }
        match root {
            Some(node) if !node.is_null() => Ok(Some(node)),
            Some(_) | None => Err(Mistake {
                span: Span {
                    line: 1,
                    column: 1,
                    ..Span::default()
                },
                message: "the file is empty".to_owned(),
                help: "a scenario begins with `name:` and `version: 1`",
            }),
        }
    }

    fn node(&mut self, event: Event<'t>, raw: RawSpan, depth: usize) -> Result<Node, Mistake> {
        let span = self.span(raw);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(too_large(span));
        }
        if depth > MAX_DEPTH {
            return Err(Mistake {
                span,
                message: format!("values stand more than {MAX_DEPTH} deep inside each other"),
                help: "",
            });
        }
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                (
                    anchor,
                    self.scalar(text.into_owned(), plain, tag.as_deref(), span),
                )
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, raw) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event, raw, depth + 1)?);
                }
                let kind = NodeKind::List(items);
                (anchor, Node { span, kind })
            }
            Event::MappingStart(_, anchor, _) => {
                let kind = NodeKind::Map(self.entries(depth)?);
                (anchor, Node { span, kind })
            }
            Event::Alias(id) => return self.alias(id, span),
            // The parser gives a node in these places.
            _ => (0, Node::unwritten("")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node, Mistake> {
        let Some(named) = self.anchors.get(&id) else {
            return Err(Mistake {
                span,
                message: "this alias stands inside of what it names".to_owned(),
                help: "",
            });
        };
        self.nodes += named.size();
        if self.nodes > MAX_NODES {
            return Err(too_large(span));
        }
        Ok(Node {
            span,
            kind: named.kind.clone(),
        })
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(Scalar, Node)>, Mistake> {
        let mut entries: Vec<(Scalar, Node)> = Vec::new();
        loop {
            let (event, raw) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let key = self.node(event, raw, depth + 1)?;
            let (event, raw) = self.next()?;
            let value = self.node(event, raw, depth + 1)?;
            let NodeKind::Scalar(text) = key.kind else {
                self.mistakes.push(Mistake {
                    span: key.span,
                    message: "a key is a word, not a list or a mapping".to_owned(),
                    help: "quote text that starts with `[` or `{`",
                });
                continue;
            };
            let key = Scalar {
                span: key.span,
                text: text.text,
            };
            if key.text == "<<" && text.plain {
                self.mistakes.push(Mistake {
                    span: key.span,
                    message: "merge keys (`<<`) are not known here".to_owned(),
                    help: "write the keys out, or repeat a whole value with `*name`",
                });
            } else if entries.iter().any(|(other, _)| other.text == key.text) {
                self.mistakes.push(Mistake {
                    span: key.span,
                    message: format!("the key `{}` is there twice", key.text),
                    help: "remove one of them",
                });
            } else {
                entries.push((key, value));
            }
        }
    }

    fn scalar(&mut self, text: String, plain: bool, tag: Option<&Tag>, span: Span) -> Node {
        let mut plain = plain;
        let suffix = |tag: &Tag| {
            tag.suffix_in_namespace("tag:yaml.org,2002:")
                .map(std::borrow::Cow::into_owned)
        };
        match tag.map(|tag| (suffix(tag), tag)) {
            None => {}
            Some((Some(kind), _)) if kind == "binary" => match base64(&text) {
                Some(bytes) => {
                    return Node {
                        span,
                        kind: NodeKind::Binary(bytes),
                    };
                }
                None => self.mistakes.push(Mistake {
                    span,
                    message: "these are not bytes in base64".to_owned(),
                    help: "",
                }),
            },
            Some((Some(kind), _)) if kind == "str" => plain = false,
            Some((Some(kind), _)) if ["int", "float", "bool", "null"].contains(&kind.as_str()) => {}
            Some((_, tag)) => self.mistakes.push(Mistake {
                span,
                message: format!("the tag `{}` is not known here", tag.original()),
                help: "quote text that starts with `!`",
            }),
        }
        Node {
            span,
            kind: NodeKind::Scalar(Text { text, plain }),
        }
    }

    fn span(&self, raw: RawSpan) -> Span {
        let mut span = self.place(raw.start);
        if let Some(range) = raw.byte_range() {
            span.len = range.len();
        }
        span
    }

    fn place(&self, marker: Marker) -> Span {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let offset = marker
            .byte_offset()
            .unwrap_or_else(|| offset_of(self.text, marker.line(), marker.col()));
        Span {
            offset,
            len: 0,
            line: small(marker.line().max(1)),
            column: small(marker.col() + 1),
        }
    }

    fn form(&self, error: &ScanError) -> Mistake {
        let (message, help) = form(error.kind());
        Mistake {
            span: self.place(*error.marker()),
            message,
            help,
        }
    }
}

fn too_large(span: Span) -> Mistake {
    Mistake {
        span,
        message: format!("the file holds more than {MAX_NODES} values, aliases put in"),
        help: "split it",
    }
}

/// The byte offset of a place that is known by line and column only.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let rest = text.get(start..).unwrap_or("");
    let line = rest.lines().next().unwrap_or("");
    let inside = line.char_indices().nth(column).map_or(line.len(), |(n, _)| n);
    start + inside
}

/// Mistakes of the form in our words: what is wrong and what to do.
fn form(kind: &ErrorKind) -> (String, &'static str) {
    use ErrorKind as E;
    let (message, help) = match kind {
        E::UnexpectedEofFlowSequence | E::ExpectedFlowSequenceSeparator => (
            "a list in brackets goes wrong here",
            "separate entries by `,`, end the list with `]`, and quote text that holds `,`, `[`, `]`, `{` or `}`",
        ),
        E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::ExpectedFlowMappingSeparator => (
            "a mapping in braces goes wrong here",
            "separate entries by `,`, end the mapping with `}`, and quote text that holds `,`, `[`, `]`, `{` or `}`",
        ),
        E::UnexpectedEofBlockSequence | E::UnexpectedEofBlockMapping | E::UnexpectedEof => {
            ("the file ends in the middle of something", "")
        }
        E::UnclosedFlowCollection { open } => {
            return (
                format!("unclosed bracket '{open}'"),
                "close it, or quote text that starts with it",
            );
        }
        E::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("bracket '{open}' is closed by '{close}'"), "");
        }
        E::MisplacedFlowCollectionEnd => (
            "a bracket is closed that was not opened",
            "quote text that holds `]` or `}`",
        ),
        E::ExpectedBlockMappingKey => (
            "a key is expected here",
            "is the line indented as its neighbours are, or is text above it not quoted?",
        ),
        E::ExpectedBlockSequenceEntry => (
            "an entry of the list is expected here",
            "begin it with `- `, indented as the entries above",
        ),
        E::SimpleKeyExpected | E::InvalidSimpleKey => (
            "this line is neither a key nor an entry of a list",
            "missing `: ` behind the key?",
        ),
        E::MappingValueNotAllowed | E::InvalidColonPlacement | E::MappingKeyNotAllowed => (
            "a `: ` stands where no key can be",
            "quote text that holds `: `, and give each key a line of its own",
        ),
        E::FlowMappingValueAdjacentCollection | E::InvalidMappingValueWhitespace => {
            ("a `:` is not followed by a space", "write `key: value`")
        }
        E::BlockEntryInFlowCollection
        | E::BlockSequenceEntryNotAllowed
        | E::InvalidBlockEntryWhitespace
        | E::PlainScalarStartsWithDashFlowIndicator => (
            "a `-` stands where no list can begin",
            "begin the list in a line of its own, and quote text that starts with `-`",
        ),
        E::InvalidIndentation
        | E::InvalidFlowScalarIndent
        | E::InvalidQuotedScalarIndent
        | E::InvalidBlockScalarIndent => (
            "the line is not indented as what it belongs to",
            "keys of one mapping begin in one column",
        ),
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabAtBlockScalarStart
        | E::TabInIndentation
        | E::TabInPlainScalar => ("a tab stands where YAML allows spaces only", "indent with spaces"),
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => ("a quoted text is not closed", ""),
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => (
            "something stands behind a quoted text",
            "quote the whole text; in single quotes write `''` for `'`",
        ),
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidLowSurrogateHexEscape
        | E::InvalidLowSurrogate
        | E::MissingLowSurrogate
        | E::UnpairedLowSurrogate
        | E::InvalidUnicodeEscape => (
            "this escape is not known in double quotes",
            r"write `\\` for a backslash, or use single quotes",
        ),
        E::UnknownAnchor | E::MissingAnchorOrAliasName | E::AnchorCountOverflow => (
            "this alias names nothing",
            "quote text that starts with `*` or `&`",
        ),
        E::UnexpectedCharacter { character } => {
            return (
                format!("text cannot start with `{}` here", character.escape_default()),
                "quote it",
            );
        }
        E::ExpectedNodeContent | E::UnexpectedEndOfPlainScalar => ("a value is expected here", ""),
        E::ExpectedTagBang
        | E::ExpectedTagDirectiveBang
        | E::InvalidGlobalTagCharacter
        | E::UndeclaredTagHandle
        | E::InvalidTagTerminator
        | E::MissingTagUri
        | E::UnclosedVerbatimTag
        | E::InvalidTagEscape
        | E::InvalidTagUtf8LeadingByte
        | E::InvalidTagUtf8TrailingByte
        | E::InvalidTagUtf8
        | E::InvalidTagDirectiveTerminator
        | E::DuplicateTagDirective => ("this tag is not known here", "quote text that starts with `!`"),
        E::DuplicateVersionDirective
        | E::UnsupportedYamlMajorVersion
        | E::MissingDocumentEndBeforeDirective
        | E::InvalidDirectiveTerminator
        | E::DirectiveDisallowed
        | E::MissingYamlVersionSeparator
        | E::MissingDirectiveName
        | E::InvalidDirectiveName
        | E::DirectiveByteLimitExceeded { .. }
        | E::TooManyReservedDirectiveParams { .. }
        | E::YamlVersionTooLong
        | E::MissingYamlVersion => (
            "directives (`%`) are not known here",
            "remove the line, or quote text that starts with `%`",
        ),
        E::ExpectedDocumentStart | E::InvalidDocumentEnd | E::MultipleDocumentsUnsupported => (
            "something stands behind the end of the document",
            "a file holds one scenario",
        ),
        E::BomInsideDocument => ("a byte-order mark stands inside the file", "remove it"),
        E::CommentInterceptedScalar | E::CommentNotSeparated => (
            "a comment stands where text goes on",
            "put a space before `#`, or quote text that holds ` #`",
        ),
        E::ExpectedWhitespace => ("a space is missing here", ""),
        E::ZeroBlockScalarIndent | E::InvalidBlockScalarHeader => {
            ("text behind `|` or `>` begins in the next line", "")
        }
        E::RecursionLimitExceeded => ("values stand too deep inside each other", ""),
        E::InputDecoding { .. } => ("this is not text in UTF-8", ""),
        // What the parser says of its own sources; a text in memory has none of them, and later versions may
        // have more.
        _ => return (format!("not YAML: {kind}"), ""),
    };
    (message.to_owned(), help)
}

/// Bytes from base64 (RFC 4648, section 4), white space ignored.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let body = match digits.as_slice() {
        [body @ .., b'=', b'='] | [body @ .., b'='] => body,
        body => body,
    };
    if !digits.len().is_multiple_of(4) || body.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(body.len() * 3 / 4);
    for group in body.chunks(4) {
        let mut bits = 0u32;
        for digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - group.len());
        let [_, a, b, c] = bits.to_be_bytes();
        out.extend(&[a, b, c][..group.len() - 1]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_bytes() {
        for (text, bytes) in [
            ("", b"".as_slice()),
            ("/w==", b"\xff"),
            ("AAE=", b"\x00\x01"),
            ("aG\nVq", b"hej"),
        ] {
            assert_eq!(base64(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["/", "a", "====", "a=aa", "Zg", "!!!!"] {
            assert_eq!(base64(text), None, "{text}");
        }
    }

    #[test]
    fn a_tree_has_places() {
        let (node, mistakes) = read("a: &x [1, 'two']\nb: *x\n");
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let node = node.unwrap();
        let b = node.get("b").unwrap();
        assert_eq!((b.span.line, b.span.column), (2, 4));
        let two = &b.items()[1];
        assert_eq!((two.span.line, two.span.column, two.span.len), (1, 11, 5));
        assert!(!two.text().unwrap().plain);
        assert!(b.items()[0].text().unwrap().plain);
    }
}
