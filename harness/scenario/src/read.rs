//! From the tree to values: what every type of the format implements, and what reading needs to know.
//!
//! Reading never stops at the first mistake. [`Read::read`] notes what is wrong at its place and gives `None`; the
//! mapping or list around it goes on with its other entries.

use std::fmt;

use crate::bench::Bench;
use crate::diagnostics::Collector;
use crate::format::Format;
use crate::located::{Located, Span};
use crate::names;
use crate::quantity::TimeSpan;
use crate::tree::{Node, NodeKind, Scalar};

/// What reading knows of the rest of the file, and where it notes mistakes.
pub(crate) struct Cx<'a> {
    pub(crate) format: Format,
    pub(crate) problems: Collector<'a>,
    /// How long the run lasts; `None` while it is not known, or was written wrongly.
    pub(crate) duration: Option<TimeSpan>,
    /// The names of the faults as they are written.
    pub(crate) fault_names: Vec<String>,
    /// The bench, once it is read.
    pub(crate) bench: Option<Bench>,
    /// The pins that the file names.
    pub(crate) pins: Vec<Located<u8>>,
}

impl Cx<'_> {
    /// Notes a mistake.
    pub(crate) fn problem(
        &mut self,
        span: Span,
        message: impl Into<String>,
        label: &str,
        help: impl Into<String>,
    ) {
        self.problems.add(span, message, label, help);
    }

    /// Notes a pin: its range is known to those who know the chip.
    pub(crate) fn gpio(&mut self, pin: Located<u8>) {
        self.pins.push(pin);
    }

    /// Notes something that is not a mistake and may not be what was meant.
    pub(crate) fn warn(
        &mut self,
        span: Span,
        message: impl Into<String>,
        label: &str,
        help: impl Into<String>,
    ) {
        self.problems.warn(span, message, label, help);
    }

    /// Notes a mistake if a moment lies behind the end of the run.
    pub(crate) fn within_run(&mut self, span: Span, time: TimeSpan, what: &str) {
        if let Some(end) = self.duration.filter(|end| time > *end) {
            let message = format!("{what} at {time} is after the end of the run at {end}");
            let help = "set `bench.duration` to a longer time";
            self.problem(span, message, "after the end", help);
        }
    }
}

/// A type that is read from a value of the file.
pub(crate) trait Read: Sized {
    /// What may be written, for the schema and the reference.
    const TYPE: Type;

    /// Whether a key of this type may be left out.
    const OPTIONAL: bool = false;

    /// The value, or `None` when a mistake was noted.
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self>;

    /// What a key means that is left out and has no default.
    fn absent() -> Option<Self> {
        None
    }
}

/// What may be written somewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Type {
    /// Any scalar, as text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number in a range, both ends included.
    Integer(i128, i128),
    /// A scalar with a form of its own.
    Scalar(&'static ScalarType),
    /// One of several names, each perhaps with a value.
    Choice(fn() -> &'static Choice),
    /// A mapping with fixed keys.
    Mapping(fn() -> &'static Mapping),
    /// A list.
    List(&'static Type),
    /// A mapping of free names.
    Names(&'static Type),
    /// Something whose schema is written by hand.
    Special(Special),
}

/// A scalar with a form of its own, such as a length of time.
#[derive(Debug)]
pub(crate) struct ScalarType {
    pub(crate) name: &'static str,
    /// What may be written, with an example.
    pub(crate) about: &'static str,
    /// The form, as a regular expression.
    pub(crate) pattern: &'static str,
    /// The types of JSON that an editor may take it for.
    pub(crate) types: &'static [&'static str],
}

/// Something whose schema is written by hand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Special {
    /// What a fault does.
    Action,
    /// An endpoint of a service.
    Endpoint,
    /// The author: text, or whatever another runner wants there.
    Author,
    /// The version of the format.
    Version,
    /// Parameters and their values.
    Matrix,
    /// Text, or a list of bytes.
    Bytes(&'static str),
    /// 0 or 1, or a number.
    ControlValue,
}

/// A mapping with fixed keys.
pub(crate) struct Mapping {
    /// Its name among the definitions of the schema.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) about: &'static str,
    /// Its keys, in the order of the reference.
    pub(crate) keys: &'static [Key],
    /// The key that a scalar in its place stands for.
    pub(crate) short: Option<&'static str>,
    /// What to say of a key that is not known; true if it may stand there.
    pub(crate) unknown: Unknown,
}

/// Says what is wrong with a key that is not known; true if it may stand there all the same.
pub(crate) type Unknown = fn(&Scalar, &[(Scalar, Node)], &'static Mapping, &mut Cx<'_>) -> bool;

impl Mapping {
    /// The keys that a person is told of.
    fn shown(&self) -> Vec<&'static str> {
        let keys = self.keys.iter().filter(|k| !k.about.is_empty());
        keys.map(|k| k.name).collect()
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A key that is not known is a mistake.
pub(crate) fn refuse_key(
    key: &Scalar,
    _: &[(Scalar, Node)],
    mapping: &'static Mapping,
    cx: &mut Cx<'_>,
) -> bool {
    cx.problem(
        key.span,
        format!("unknown key `{}`", key.text),
        "not known here",
        meant(&key.text, &mapping.shown()),
    );
    false
}

/// A key of a mapping.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// What it means.
    pub(crate) about: &'static str,
    /// Examples of its value, YAML in flow style.
    pub(crate) examples: &'static [&'static str],
    pub(crate) ty: Type,
    /// What is meant if it is left out, YAML; `None` where that is nothing, or the key is required.
    pub(crate) default: Option<&'static str>,
    pub(crate) required: bool,
}

/// One of several names, each perhaps with a value.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) variants: &'static [Variant],
    /// The variant that a scalar stands for.
    pub(crate) short: Option<&'static str>,
    /// Whether facts of services belong to it.
    pub(crate) also: bool,
}

/// One name of a choice.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) examples: &'static [&'static str],
    /// What stands behind it; `None` for the bare name.
    pub(crate) value: Option<Type>,
    /// Whether its value may be left out.
    pub(crate) bare: bool,
}

impl Choice {
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.variants.iter().map(|v| v.name).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.variants.iter().any(|v| v.name == name)
    }
}

/// A name and the value behind it: a bare word, or a mapping with one key.
pub(crate) struct Tagged<'n> {
    pub(crate) name: &'n str,
    pub(crate) span: Span,
    pub(crate) value: Option<&'n Node>,
}

/// Takes a word, or a mapping with one key, apart. `what` says what it is, such as "an action".
pub(crate) fn tagged<'n>(node: &'n Node, what: &dyn Fn() -> String, cx: &mut Cx<'_>) -> Option<Tagged<'n>> {
    match &node.kind {
        NodeKind::Scalar(text) if !node.is_null() => Some(Tagged {
            name: &text.text,
            span: node.span,
            value: None,
        }),
        NodeKind::Map(entries) => match entries.as_slice() {
            [(name, value)] => Some(Tagged {
                name: &name.text,
                span: name.span,
                value: (!value.is_null()).then_some(value),
            }),
            [] => {
                cx.problem(
                    node.span,
                    format!("expected {}, found an empty mapping", what()),
                    "here",
                    "",
                );
                None
            }
            [(first, _), (second, _), ..] => {
                let message = format!(
                    "only one of `{}` and `{}` can stand here",
                    first.text, second.text
                );
                cx.problem(second.span, message, "one too many", "");
                None
            }
        },
        NodeKind::List(_) | NodeKind::Binary(_) | NodeKind::Scalar(_) => {
            let message = format!("expected {}, found {}", what(), node.describe());
            cx.problem(node.span, message, "here", "");
            None
        }
    }
}

/// Notes a name that is not known, and what was meant.
pub(crate) fn unknown(name: &str, span: Span, known: &[&str], cx: &mut Cx<'_>) {
    let message = format!("`{name}` is not known here");
    cx.problem(span, message, "not known here", meant(name, known));
}

/// Names that are listed where one of them was meant.
const MOST_LISTED: usize = 16;

/// What a name may be a slip of, and all that is known.
pub(crate) fn meant(name: &str, known: &[&str]) -> String {
    let list = names::list(known);
    match names::closest(name, known.iter().copied()) {
        Some(closest) if known.len() > MOST_LISTED => format!("did you mean `{closest}`?"),
        Some(closest) => format!("did you mean `{closest}`? Known here: {list}"),
        None => format!("known here: {list}"),
    }
}

/// The entries of a mapping while its keys are read.
pub(crate) struct Entries<'n> {
    span: Span,
    entries: &'n [(Scalar, Node)],
    /// For the key that a scalar stands for.
    short: Option<(&'static str, &'n Node)>,
    /// No mistake so far.
    pub(crate) ok: bool,
}

impl<'n> Entries<'n> {
    /// The entries of `node`; `None` if it is no mapping. Keys that are not known are noted at once.
    pub(crate) fn open(node: &'n Node, mapping: &'static Mapping, cx: &mut Cx<'_>) -> Option<Entries<'n>> {
        let mut opened = Entries {
            span: node.span,
            entries: &[],
            short: None,
            ok: true,
        };
        match &node.kind {
            NodeKind::Map(entries) => opened.entries = entries,
            NodeKind::Scalar(_) if node.is_null() => {}
            NodeKind::Scalar(_) | NodeKind::Binary(_) if mapping.short.is_some() => {
                opened.short = mapping.short.map(|key| (key, node));
            }
            NodeKind::Scalar(_) | NodeKind::List(_) | NodeKind::Binary(_) => {
                let keys: Vec<&str> = mapping.shown();
                let message = format!("expected a mapping, found {}", node.describe());
                cx.problem(
                    node.span,
                    message,
                    "here",
                    format!("its keys are {}", names::list(&keys)),
                );
                return None;
            }
        }
        for (key, _) in opened.entries {
            if !mapping.keys.iter().any(|known| known.name == key.text) {
                opened.ok &= (mapping.unknown)(key, opened.entries, mapping, cx);
            }
        }
        Some(opened)
    }

    fn find(&self, key: &str) -> Option<&'n Node> {
        match self.short {
            Some((short, node)) => (short == key).then_some(node),
            None => self.entries.iter().find(|(k, _)| k.text == key).map(|(_, v)| v),
        }
    }

    /// The value of a key, its default, or `None` after a mistake was noted.
    pub(crate) fn field<T: Read>(
        &mut self,
        key: &'static str,
        default: Option<&'static str>,
        cx: &mut Cx<'_>,
    ) -> Option<T> {
        let usual = |cx: &mut Cx<'_>| match default {
            Some(text) => T::read(&Node::unwritten(text), cx),
            None => T::absent(),
        };
        match self.find(key) {
            Some(node) => {
                let read = T::read(node, cx);
                self.ok &= read.is_some();
                read.or_else(|| usual(cx))
            }
            None => {
                let value = usual(cx);
                if value.is_none() {
                    self.ok = false;
                    let message = format!("the key `{key}` is missing");
                    cx.problem(self.span, message, "in this mapping", format!("add `{key}:`"));
                }
                value
            }
        }
    }
}

/// Declares a mapping: its structure, its table of keys, and how it is read.
///
/// A field is `name: Type = "key"`, then `eg["example"]`, then `or["default"]`. Behind the structure may stand
/// `short "key"` (a scalar stands for that key), `lenient` (what is right is kept beside mistakes), `default` (the
/// mapping without keys is its `Default`) `check path` (a function that looks at the
/// whole if it is right), `change path` (a function that completes it) and `then path` (one that looks at it in any case).
macro_rules! mapping {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:ident),*)])?
        $vis:vis struct $type:ident = $name:literal {
            $(
                $(#[doc = $fdoc:literal])*
                $fvis:vis $field:ident: $ty:ty = $key:literal
                    $(eg[$($eg:literal),*])? $(or[$default:literal])?;
            )*
        }
        $(short $short:literal;)?
        $(lenient $lenient:ident;)?
        $(default $has_default:ident;)?
        $(unknown $unknown:path;)?
        $(change $change:path;)?
        $(check $check:path;)?
        $(then $then:path;)?
    ) => {
        $(#[doc = $doc])*
        $(#[derive($($derive),*)])?
        $vis struct $type {
            $($(#[doc = $fdoc])* $fvis $field: $ty,)*
        }

        impl $type {
            /// Its keys.
            pub(crate) const MAPPING: $crate::read::Mapping = $crate::read::Mapping {
                name: $name,
                about: concat!($($doc, "\n"),*),
                keys: &[$($crate::read::Key {
                    name: $key,
                    about: concat!($($fdoc, "\n"),*),
                    examples: &[$($($eg),*)?],
                    ty: <$ty as $crate::read::Read>::TYPE,
                    default: $crate::read::mapping!(@option $($default)?),
                    required: $crate::read::mapping!(@required $ty $(, $default)?),
                }),*],
                short: $crate::read::mapping!(@option $($short)?),
                unknown: $crate::read::mapping!(@unknown $($unknown)?),
            };
        }

        impl $crate::read::Read for $type {
            const TYPE: $crate::read::Type = $crate::read::Type::Mapping(|| &Self::MAPPING);

            fn read(node: &$crate::tree::Node, cx: &mut $crate::read::Cx<'_>) -> Option<Self> {
                let mut entries = $crate::read::Entries::open(node, &Self::MAPPING, cx)?;
                $(let $field: Option<$ty> =
                    entries.field($key, $crate::read::mapping!(@option $($default)?), cx);)*
                let right = entries.ok;
                let lenient = $crate::read::mapping!(@flag $($lenient)?);
                if !right && !lenient {
                    return None;
                }
                let value = $type { $($field: $field?),* };
                $(let value = { let mut value = value; $change(&mut value); value };)?
                $(if right { $check(&value, node.span, cx); })?
                $($then(&value, node, cx);)?
                Some(value)
            }
        }

        $crate::read::mapping!(@default $type $($has_default)?);
    };
    (@option) => { None };
    (@option $value:literal) => { Some($value) };
    (@unknown) => { $crate::read::refuse_key };
    (@unknown $path:path) => { $path };
    (@flag) => { false };
    (@flag $any:ident) => { true };
    (@required $ty:ty) => { !<$ty as $crate::read::Read>::OPTIONAL };
    (@required $ty:ty, $default:literal) => { false };
    (@default $type:ident) => {};
    (@default $type:ident $any:ident) => {
        impl Default for $type {
            fn default() -> $type {
                $crate::read::default_of()
            }
        }
    };
}
pub(crate) use mapping;

/// Declares a choice: its enumeration, its table of names, and how it is read.
///
/// A variant is `"name" => Variant` or `"name" => Variant(Type)`, then `eg["example"]`, then `bare` if the value may be
/// left out. Behind the enumeration may stand
/// `short "name"` (a scalar stands for that variant's value), `also Variant(Type), "doc" by path` (names that the table
/// does not have) and `default Variant`.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:ident),*)])?
        $vis:vis enum $type:ident = $name:literal {
            $(
                $(#[doc = $vdoc:literal])*
                $key:literal => $variant:ident $(($ty:ty))? $(eg[$($eg:literal),*])? $(bare $bare:tt)?;
            )*
        }
        $(short $short:literal;)?
        $(also $also:ident($also_type:ty), $also_doc:literal by $by:path;)?
        $(default $usual:ident;)?
        $(check $check:path;)?
    ) => {
        $(#[doc = $doc])*
        $(#[derive($($derive),*)])?
        $vis enum $type {
            $($(#[doc = $vdoc])* $variant $(($ty))?,)*
            $(#[doc = $also_doc] $also($also_type),)?
        }

        impl $type {
            /// Its names.
            pub(crate) const CHOICE: $crate::read::Choice = $crate::read::Choice {
                name: $name,
                about: concat!($($doc, "\n"),*),
                variants: &[$($crate::read::Variant {
                    name: $key,
                    about: concat!($($vdoc, "\n"),*),
                    examples: &[$($($eg),*)?],
                    value: $crate::read::choice!(@type $($ty)?),
                    bare: $crate::read::choice!(@flag $($bare)?),
                }),*],
                short: $crate::read::mapping!(@option $($short)?),
                also: $crate::read::choice!(@flag $($also)?),
            };

            /// Its name in files.
            pub const fn name(&self) -> &'static str {
                match self {
                    $($crate::read::choice!(@pattern $type $variant $($ty)?) => $key,)*
                    $($type::$also(other) => other.name,)?
                }
            }

            /// The variant of a name, with its value.
            pub(crate) fn variant(
                tagged: &$crate::read::Tagged<'_>,
                cx: &mut $crate::read::Cx<'_>,
            ) -> Option<Self> {
                match tagged.name {
                    $($key => $crate::read::choice!(@read $type $variant tagged cx; $($ty)?; $($bare)?),)*
                    $(_ if $crate::read::choice!(@flag $also) => $by(tagged, cx),)?
                    _ => {
                        $crate::read::unknown(tagged.name, tagged.span, &Self::CHOICE.names(), cx);
                        None
                    }
                }
            }
        }

        impl $crate::read::Read for $type {
            const TYPE: $crate::read::Type = $crate::read::Type::Choice(|| &Self::CHOICE);

            fn read(node: &$crate::tree::Node, cx: &mut $crate::read::Cx<'_>) -> Option<Self> {
                let tagged = $crate::read::choice!(@tagged node cx $($short)?);
                let value = Self::variant(&tagged, cx)?;
                $($check(&value, node.span, cx);)?
                Some(value)
            }
        }

        $(impl Default for $type {
            fn default() -> $type {
                $type::$usual
            }
        })?
    };
    (@type) => { None };
    (@type $ty:ty) => { Some(<$ty as $crate::read::Read>::TYPE) };
    (@flag) => { false };
    (@flag $any:tt) => { true };
    (@pattern $type:ident $variant:ident) => { $type::$variant };
    (@pattern $type:ident $variant:ident $ty:ty) => { $type::$variant(_) };
    (@read $type:ident $variant:ident $tagged:ident $cx:ident; ; ) => {
        $crate::read::no_value($tagged, $cx).then_some($type::$variant)
    };
    (@read $type:ident $variant:ident $tagged:ident $cx:ident; $ty:ty; $($bare:tt)?) => {
        $crate::read::value::<$ty>($tagged, $crate::read::choice!(@flag $($bare)?), $cx).map($type::$variant)
    };
    (@tagged $node:ident $cx:ident) => {
        $crate::read::tagged($node, &|| Self::CHOICE.in_words(), $cx)?
    };
    (@tagged $node:ident $cx:ident $short:literal) => {
        match &$node.kind {
            $crate::tree::NodeKind::Scalar(_) if !$node.is_null() => $crate::read::Tagged {
                name: $short,
                span: $node.span,
                value: Some($node),
            },
            _ => $crate::read::tagged($node, &|| Self::CHOICE.in_words(), $cx)?,
        }
    };
}
pub(crate) use choice;

impl Choice {
    /// What a message says that is expected.
    pub(crate) fn in_words(&self) -> String {
        names::list(&self.names())
    }
}

/// Whether nothing stands behind a bare name.
pub(crate) fn no_value(tagged: &Tagged<'_>, cx: &mut Cx<'_>) -> bool {
    if let Some(value) = tagged.value {
        let message = format!("`{}` takes no value", tagged.name);
        let help = format!("write `{}` alone", tagged.name);
        cx.problem(value.span.or(tagged.span), message, "this value", help);
    }
    tagged.value.is_none()
}

/// The value behind a name; of one that may be bare, its mapping without keys.
pub(crate) fn value<T: Read>(tagged: &Tagged<'_>, bare: bool, cx: &mut Cx<'_>) -> Option<T> {
    match tagged.value {
        Some(node) => T::read(node, cx),
        None if bare => T::read(&Node::empty_map(tagged.span), cx),
        None => {
            let message = format!("`{}` needs a value", tagged.name);
            cx.problem(tagged.span, message, "this name", "");
            None
        }
    }
}

/// The value of a mapping without keys, all of which have defaults.
pub(crate) fn default_of<T: Read>() -> T {
    let source = crate::diagnostics::Source::new("", "");
    let mut cx = Cx {
        format: Format::new(&[]),
        problems: Collector::new(&source),
        duration: None,
        fault_names: Vec::new(),
        bench: None,
        pins: Vec::new(),
    };
    let node = Node::empty_map(Span::default());
    T::read(&node, &mut cx).expect("every key has a default")
}

/// A list whose entries are kept where they are right: the mistakes in the others are noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Good<T>(pub(crate) Vec<T>);

impl<T: Read> Read for Good<T> {
    const TYPE: Type = Type::List(&T::TYPE);

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Good<T>> {
        match node.kind {
            NodeKind::List(_) => Some(Good(
                node.items().iter().filter_map(|item| T::read(item, cx)).collect(),
            )),
            NodeKind::Map(_) | NodeKind::Scalar(_) | NodeKind::Binary(_) => Vec::read(node, cx).map(Good),
        }
    }
}
