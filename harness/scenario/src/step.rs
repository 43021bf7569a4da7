//! Steps: the Wokwi automation format, as it is.

use crate::located::{Located, Span};
use crate::quantity::TimeSpan;
use crate::read::{Cx, Read, Special, Type, mapping};
use crate::scalar::text;
use crate::tree::{Node, NodeKind};

mapping! {
    /// A step: one of these keys, and a name if you like.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct RawStep = "Step" {
        /// A name for reports.
        pub(crate) name: Option<String> = "name" eg["press the button"];
        /// Waits for this time.
        pub(crate) delay: Option<Located<TimeSpan>> = "delay" eg["500ms"];
        /// Waits for this text on the serial console, from the end of the previous match on.
        pub(crate) wait_serial: Option<Located<String>> = "wait-serial" eg["'[REG] Registered'"];
        /// Types this into the serial console: text, or a list of bytes.
        pub(crate) write_serial: Option<Located<SerialInput>> = "write-serial" eg[r#""status\n""#, "[3, 4]"];
        /// Fails unless the pin has this level now.
        pub(crate) expect_pin: Option<Located<RawExpectPin>> = "expect-pin" eg["{part-id: esp, pin: GPIO4, value: 1}"];
        /// Presses or releases a button of `bench.wiring`.
        pub(crate) set_control: Option<Located<RawSetControl>> = "set-control" eg["{part-id: btn1, control: pressed, value: 1}"];
        pub(crate) take_screenshot: Option<Located<Ignored>> = "take-screenshot";
        pub(crate) touch: Option<Located<Ignored>> = "touch";
        pub(crate) touch_press: Option<Located<Ignored>> = "touch-press";
        pub(crate) touch_move: Option<Located<Ignored>> = "touch-move";
        pub(crate) touch_release: Option<Located<Ignored>> = "touch-release";
        pub(crate) expect_chip_output: Option<Located<Ignored>> = "expect-chip-output";
    }
}

/// Anything at all: the arguments of a step that is not supported.
#[derive(Clone, Debug)]
pub(crate) struct Ignored;

impl Read for Ignored {
    const TYPE: Type = Type::Text;

    fn read(_: &Node, _: &mut Cx<'_>) -> Option<Ignored> {
        Some(Ignored)
    }
}

/// What is typed into the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SerialInput(pub(crate) Vec<u8>);

impl Read for SerialInput {
    const TYPE: Type = Type::Special(Special::Bytes("serial input"));

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<SerialInput> {
        bytes(node, cx).map(SerialInput)
    }
}

/// Bytes: text, a list of bytes, or `!!binary`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Read for Bytes {
    const TYPE: Type = Type::Special(Special::Bytes("bytes"));

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Bytes> {
        bytes(node, cx).map(Bytes)
    }
}

/// Text, a list of bytes, or `!!binary`.
fn bytes(node: &Node, cx: &mut Cx<'_>) -> Option<Vec<u8>> {
    match &node.kind {
        NodeKind::List(_) => Vec::read(node, cx),
        NodeKind::Binary(bytes) => Some(bytes.clone()),
        NodeKind::Map(_) | NodeKind::Scalar(_) => {
            let text = text(node, "text, or a list of bytes from 0 to 255", cx)?;
            Some(text.text.as_bytes().to_vec())
        }
    }
}

/// The new value of a control: 0 or 1, however it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ControlValue(pub(crate) String);

impl Read for ControlValue {
    const TYPE: Type = Type::Special(Special::ControlValue);

    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<ControlValue> {
        text(node, "0 or 1", cx).map(|text| ControlValue(text.text.clone()))
    }
}

mapping! {
    /// A pin and the level that it must have.
    #[derive(Clone, Debug)]
    pub(crate) struct RawExpectPin = "ExpectPin" {
        /// The chip; any id is taken for it.
        pub(crate) _part_id: String = "part-id" eg["esp"];
        /// The pin: `GPIO4`, `IO4` or `4`. `name` is another word for it.
        pub(crate) pin: Option<Located<String>> = "pin" eg["GPIO4"];
        /// Another word for `pin`.
        pub(crate) name: Option<Located<String>> = "name" eg["'4'"];
        /// 0 or 1.
        pub(crate) value: Option<Located<u8>> = "value" eg["1"];
        /// An old word for `value`, which Wokwi's runner refuses.
        pub(crate) expected: Option<Located<u8>> = "expected" eg["1"];
    }
}

mapping! {
    /// A control of a part and its new value.
    #[derive(Clone, Debug)]
    pub(crate) struct RawSetControl = "SetControl" {
        /// The part, by its name in `bench.wiring`.
        pub(crate) part_id: Located<String> = "part-id" eg["btn1"];
        /// The control: `pressed`.
        pub(crate) name: Option<Located<String>> = "name" eg["pressed"];
        /// An older word for `name`.
        pub(crate) control: Option<Located<String>> = "control" eg["pressed"];
        /// 1 presses, 0 releases.
        pub(crate) value: Located<ControlValue> = "value" eg["1"];
    }
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it does.
    pub kind: StepKind,
    /// Its place.
    pub span: Span,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Waits for a time.
    Delay(TimeSpan),
    /// Waits for bytes on the serial console, from the end of the previous match on.
    WaitSerial(String),
    /// Types bytes into the serial console.
    WriteSerial(Vec<u8>),
    /// Fails unless a pin has a level now.
    ExpectPin {
        /// GPIO number.
        gpio: u8,
        /// True is high.
        level: bool,
    },
    /// Drives a pin.
    SetPin {
        /// GPIO number.
        gpio: u8,
        /// True is high.
        level: bool,
    },
}

/// How long the steps take at least: their delays.
pub(crate) fn least_time(steps: &[Step]) -> TimeSpan {
    let delays = steps.iter().map(|step| match step.kind {
        StepKind::Delay(delay) => delay.0,
        StepKind::WaitSerial(_)
        | StepKind::WriteSerial(_)
        | StepKind::ExpectPin { .. }
        | StepKind::SetPin { .. } => 0,
    });
    TimeSpan(delays.fold(0, u64::saturating_add))
}
