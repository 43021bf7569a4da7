//! Triggers and expectations on what services tell.

use vocabulary::spec::{Args, ExpectationSpec, FactSpec, ParamType, WindowKeys};

use crate::args;
use crate::expectation::Window;
use crate::located::Located;
use crate::quantity::TimeSpan;
use crate::read::{Cx, Read, Tagged, unknown};
use crate::tree::{Node, NodeKind};
use crate::trigger::Trigger;

/// A fact that a service tells, such as that a session was renewed. A bare value is a filter by its first field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactTrigger {
    /// The service.
    pub service: &'static str,
    /// The kind of fact.
    pub name: &'static str,
    /// The fields that must have these values, in the order of the service's table.
    pub filters: Vec<(&'static str, vocabulary::spec::Arg)>,
    /// Which occurrence, from 1.
    pub nth: Option<u32>,
}

impl FactTrigger {
    /// The trigger of a name that the format itself does not know.
    pub(crate) fn read(named: &Tagged<'_>, cx: &mut Cx<'_>) -> Option<Trigger> {
        let Some((service, spec)) = cx.format.facts().find(|(_, spec)| spec.name == named.name) else {
            let mut known = Trigger::CHOICE.names();
            known.extend(cx.format.facts().map(|(_, spec)| spec.name));
            unknown(named.name, named.span, &known, cx);
            return None;
        };
        let empty = Node::empty_map(named.span);
        let node = named.value.unwrap_or(&empty);
        let (args, nth) = match (&node.kind, spec.fields.first()) {
            (NodeKind::Scalar(_), Some(first)) if !node.is_null() => {
                let mut args = Args::default();
                args.0
                    .insert(first.name.to_owned(), args::arg(&first.ty, node, cx)?);
                (args, None)
            }
            _ => {
                let args = args::mapping(spec.fields, &["nth"], node, cx);
                let nth = match node.get("nth") {
                    Some(nth) => Some(u32::read(nth, cx)?),
                    None => None,
                };
                (args?, nth)
            }
        };
        Some(Trigger::Fact(FactTrigger {
            service,
            name: spec.name,
            filters: in_order(spec, args),
            nth,
        }))
    }
}

fn in_order(spec: &'static FactSpec, mut args: Args) -> Vec<(&'static str, vocabulary::spec::Arg)> {
    let fields = spec.fields.iter();
    fields
        .filter_map(|field| Some((field.name, args.0.remove(field.name)?)))
        .collect()
}

/// A state that a service tells, such as the status on a dashboard, at a moment or over time: exactly one of `is`
/// with `at`, `always`, `never` and `time-in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateExpectation {
    /// The service.
    pub service: &'static str,
    /// The kind of fact, whose first field is the state.
    pub fact: &'static str,
    /// The name of that field.
    pub field: &'static str,
    /// The state at the moment `at`.
    pub is: Option<String>,
    /// The moment for `is`.
    pub at: Option<Located<Trigger>>,
    /// The state is this one all the time; before the first one there is none.
    pub always: Option<String>,
    /// The state is this one at no time.
    pub never: Option<String>,
    /// The state whose total time is within `min` and `max`.
    pub time_in: Option<String>,
    /// The shortest total time allowed for `time-in`.
    pub min: Option<Located<TimeSpan>>,
    /// The longest total time allowed for `time-in`.
    pub max: Option<Located<TimeSpan>>,
    /// Only from this moment on.
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    pub within: Option<Located<TimeSpan>>,
}

/// The keys of an expectation of a state that hold one, each with its meaning.
pub(crate) const STATE_KEYS: [(&str, &str); 4] = [
    ("is", "The state at the moment `at`."),
    (
        "always",
        "The state is this one all the time; before the first one there is none.",
    ),
    ("never", "The state is this one at no time."),
    ("time-in", "The state whose total time is within `min` and `max`."),
];

impl StateExpectation {
    /// The stretch of the run that it looks at.
    pub fn window(&self) -> Window<'_> {
        Window {
            after: self.after.as_ref(),
            before: self.before.as_ref(),
            within: self.within.as_ref(),
        }
    }

    pub(crate) fn read(
        service: &'static str,
        spec: &'static FactSpec,
        node: &Node,
        cx: &mut Cx<'_>,
    ) -> Option<StateExpectation> {
        let field = spec.fields.first()?;
        let state = |key: &'static str| vocabulary::spec::ParamSpec {
            name: key,
            required: false,
            ..*field
        };
        let params = STATE_KEYS.map(|(key, _)| state(key));
        let read = args::mapping(
            &params,
            &["at", "min", "max", "after", "before", "within"],
            node,
            cx,
        );
        let at = optional(node.get("at"), cx);
        let (min, max) = (optional(node.get("min"), cx), optional(node.get("max"), cx));
        let (after, before) = (optional(node.get("after"), cx), optional(node.get("before"), cx));
        let within = optional(node.get("within"), cx);
        let read = read?;
        let word = |key: &str| read.0.get(key).map(args::shown);
        Some(StateExpectation {
            service,
            fact: spec.name,
            field: field.name,
            is: word("is"),
            at: at?,
            always: word("always"),
            never: word("never"),
            time_in: word("time-in"),
            min: min?,
            max: max?,
            after: after?,
            before: before?,
            within: within?,
        })
    }
}

/// The value of a key that may be left out.
fn optional<T: Read>(node: Option<&Node>, cx: &mut Cx<'_>) -> Option<Option<T>> {
    node.map_or(Some(None), |node| Option::read(node, cx))
}

/// An expectation that a service judges itself.
#[derive(Clone, Debug)]
pub struct ServiceExpectation {
    /// The service.
    pub service: &'static str,
    /// What the service says of it, with its judge.
    pub spec: &'static ExpectationSpec,
    /// The parameters, checked against the spec.
    pub args: Args,
    /// Only from this moment on; with [`WindowKeys::After`] and left out: from the end of the last fault on.
    pub after: Option<Located<Trigger>>,
    /// Only until this moment.
    pub before: Option<Located<Trigger>>,
    /// Only this long after `after`, or after power-on.
    pub within: Option<Located<TimeSpan>>,
}

impl PartialEq for ServiceExpectation {
    fn eq(&self, other: &ServiceExpectation) -> bool {
        (self.service, self.spec.name, &self.args) == (other.service, other.spec.name, &other.args)
            && (&self.after, &self.before, self.within) == (&other.after, &other.before, other.within)
    }
}

impl Eq for ServiceExpectation {}

impl ServiceExpectation {
    /// The stretch of the run that it looks at.
    pub fn window(&self) -> Window<'_> {
        Window {
            after: self.after.as_ref(),
            before: self.before.as_ref(),
            within: self.within.as_ref(),
        }
    }

    pub(crate) fn read(
        service: &'static str,
        spec: &'static ExpectationSpec,
        node: &Node,
        cx: &mut Cx<'_>,
    ) -> Option<ServiceExpectation> {
        let keys: &[&str] = match spec.window {
            WindowKeys::None => &[],
            WindowKeys::After => &["after"],
            WindowKeys::All => &["after", "before", "within"],
        };
        let args = args::mapping(spec.params, keys, node, cx);
        for param in spec.params.iter().filter(|p| p.ty == ParamType::Duration) {
            if let Some(value) = node.get(param.name)
                && args
                    .as_ref()
                    .and_then(|args| args.duration(param.name))
                    .is_some_and(|time| time.is_zero())
            {
                cx.problem(value.span, "a stretch without length", "this time", "");
            }
        }
        // A key that does not belong here has been told; it may be a parameter of the same name.
        let of_window = |name: &str| {
            if keys.contains(&name) {
                node.get(name)
            } else {
                None
            }
        };
        let after = optional(of_window("after"), cx);
        let before = optional(of_window("before"), cx);
        let within = optional(of_window("within"), cx);
        let expectation = ServiceExpectation {
            service,
            spec,
            args: args?,
            after: after?,
            before: before?,
            within: within?,
        };
        if spec.window == WindowKeys::After && expectation.after.is_none() && cx.fault_names.is_empty() {
            let message = format!(
                "`{}` counts from the end of the last fault, but the scenario has no fault",
                spec.name
            );
            cx.problem(node.span, message, "here", "add `faults:`, or say `after` what");
        }
        Some(expectation)
    }
}

/// Names of the keys of an expectation that services bring.
pub(crate) fn expectation_names(cx: &Cx<'_>) -> Vec<&'static str> {
    let states = cx.format.states().map(|(_, spec)| spec.name);
    let judged = cx.format.expectations().map(|(_, spec)| spec.name);
    states.chain(judged).collect()
}
