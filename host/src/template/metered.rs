//! The syntax tree of a template, in which every operand that is looked at as a
//! whole is paid for first.
//!
//! The template engine charges for what it makes and for the items of a list,
//! but not for comparing two texts, for hashing a key or for what a list holds
//! inside when it is turned into text. So `{{ a ~ b }}` is run as
//! `{{ meter[a] ~ meter[b] }}`, where `meter[x]` is `x`, and so on. Places in the
//! source stay as they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use minijinja::machinery::ast::*;
use minijinja::machinery::{CodeGenerator, Instructions, parse};
use minijinja::value::{Object, Value};
use minijinja::{Environment, Error, ErrorKind};

use super::convert::MAX_DEPTH;
use super::measure::{self, Unmeasured};

/// Names of meters, which no template can write.
pub(super) const WHOLE: &str = "@whole";
pub(super) const TEXT: &str = "@text";

/// What a template may look at, counted as memory: 2 million numbers, or half a
/// gigabyte of text.
const LOOK_BYTES: usize = 64 << 20;

/// The meters of one rendering.
pub(super) struct Meters {
    pub(super) whole: Value,
    pub(super) text: Value,
}

impl Meters {
    pub(super) fn new() -> Self {
        let left = Arc::new(AtomicUsize::new(LOOK_BYTES));
        let meter = |texts_only| {
            Value::from_object(Meter {
                left: Arc::clone(&left),
                texts_only,
            })
        };
        Self {
            whole: meter(false),
            text: meter(true),
        }
    }
}

/// Gives every value for itself, once it is paid for.
#[derive(Debug)]
struct Meter {
    left: Arc<AtomicUsize>,
    /// Only texts cost something: of a list or an object one item is looked at.
    texts_only: bool,
}

impl Object for Meter {
    fn get_value(self: &Arc<Self>, value: &Value) -> Option<Value> {
        if self.texts_only && value.as_str().is_none() {
            return Some(value.clone());
        }
        let mut left = self.left.load(Relaxed);
        let taken = measure::take_look(value, &mut left);
        self.left.store(left, Relaxed);
        Some(match taken {
            Ok(()) => value.clone(),
            Err(why) => Value::from(match why {
                Unmeasured::TooLarge => Error::from(ErrorKind::OutOfFuel),
                Unmeasured::TooDeep => Error::new(
                    ErrorKind::InvalidOperation,
                    format!("the value nests deeper than {MAX_DEPTH} levels"),
                ),
                Unmeasured::Broken(message) => Error::new(ErrorKind::InvalidOperation, message),
            }),
        })
    }
}

/// Filters that don't look into what they are applied to.
const SHALLOW_FILTERS: [&str; 8] = [
    "attr", "bool", "count", "d", "default", "first", "items", "length",
];
/// Tests that do.
const DEEP_TESTS: [&str; 20] = [
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "containing",
    "endingwith",
    "eq",
    "equalto",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "le",
    "lessthan",
    "lt",
    "ne",
    "sameas",
    "startingwith",
];

/// Parses and compiles a template that pays.
pub(super) fn compile<'a>(
    name: &'a str,
    source: &'a str,
    env: &Environment<'_>,
) -> Result<Instructions<'a>, Error> {
    let tree = statement(&parse(source, name, env.syntax().clone())?);
    let mut generator = CodeGenerator::new(name, source);
    generator.compile_stmt(&tree);
    Ok(generator.finish().0)
}

fn copy<T, U>(node: &Spanned<T>, inner: impl FnOnce(&T) -> U) -> Spanned<U> {
    Spanned::new(inner(node), node.span())
}

fn statements<'a>(list: &[Stmt<'a>]) -> Vec<Stmt<'a>> {
    list.iter().map(statement).collect()
}

fn statement<'a>(stmt: &Stmt<'a>) -> Stmt<'a> {
    match stmt {
        Stmt::Template(s) => Stmt::Template(copy(s, |s| Template {
            children: statements(&s.children),
        })),
        Stmt::EmitExpr(s) => Stmt::EmitExpr(copy(s, |s| EmitExpr {
            expr: plain(&s.expr),
        })),
        Stmt::EmitRaw(s) => Stmt::EmitRaw(copy(s, |s| EmitRaw { raw: s.raw })),
        Stmt::ForLoop(s) => Stmt::ForLoop(copy(s, |s| ForLoop {
            target: plain(&s.target),
            iter: through(TEXT, &s.iter),
            filter_expr: s.filter_expr.as_ref().map(plain),
            recursive: s.recursive,
            body: statements(&s.body),
            else_body: statements(&s.else_body),
        })),
        Stmt::IfCond(s) => Stmt::IfCond(copy(s, |s| IfCond {
            expr: plain(&s.expr),
            true_body: statements(&s.true_body),
            false_body: statements(&s.false_body),
        })),
        Stmt::WithBlock(s) => Stmt::WithBlock(copy(s, |s| WithBlock {
            assignments: s
                .assignments
                .iter()
                .map(|(target, value)| (plain(target), plain(value)))
                .collect(),
            body: statements(&s.body),
        })),
        Stmt::Set(s) => Stmt::Set(copy(s, |s| Set {
            target: plain(&s.target),
            expr: plain(&s.expr),
        })),
        Stmt::Continue(s) => Stmt::Continue(copy(s, |_| Continue)),
        Stmt::Break(s) => Stmt::Break(copy(s, |_| Break)),
        _ => unreachable!("refused when the template was inspected"),
    }
}

/// An operand that is looked at as a whole.
fn paid<'a>(expr: &Expr<'a>) -> Expr<'a> {
    match expr {
        Expr::Const(_) => plain(expr),
        _ => through(WHOLE, expr),
    }
}

fn through<'a>(meter: &'static str, expr: &Expr<'a>) -> Expr<'a> {
    let item = GetItem {
        expr: Expr::Var(Spanned::new(Var { id: meter }, expr.span())),
        subscript_expr: plain(expr),
    };
    Expr::GetItem(Spanned::new(item, expr.span()))
}

fn all<'a>(list: &[Expr<'a>], each: fn(&Expr<'a>) -> Expr<'a>) -> Vec<Expr<'a>> {
    list.iter().map(each).collect()
}

/// An operand of which only the outside is looked at.
fn plain<'a>(expr: &Expr<'a>) -> Expr<'a> {
    match expr {
        Expr::Var(e) => Expr::Var(copy(e, |e| Var { id: e.id })),
        Expr::Const(e) => Expr::Const(copy(e, |e| Const {
            value: e.value.clone(),
        })),
        Expr::Slice(e) => Expr::Slice(copy(e, |e| Slice {
            expr: through(TEXT, &e.expr),
            start: e.start.as_ref().map(plain),
            stop: e.stop.as_ref().map(plain),
            step: e.step.as_ref().map(plain),
        })),
        Expr::UnaryOp(e) => Expr::UnaryOp(copy(e, |e| UnaryOp {
            op: match e.op {
                UnaryOpKind::Not => UnaryOpKind::Not,
                UnaryOpKind::Neg => UnaryOpKind::Neg,
            },
            expr: plain(&e.expr),
        })),
        Expr::BinOp(e) => Expr::BinOp(copy(e, |e| {
            let operand = match e.op {
                BinOpKind::ScAnd | BinOpKind::ScOr => plain,
                _ => paid,
            };
            BinOp {
                op: e.op,
                left: operand(&e.left),
                right: operand(&e.right),
            }
        })),
        Expr::Compare(e) => Expr::Compare(copy(e, |e| Compare {
            expr: paid(&e.expr),
            ops: e.ops.iter().map(comparison).collect(),
        })),
        Expr::IfExpr(e) => Expr::IfExpr(copy(e, |e| IfExpr {
            test_expr: plain(&e.test_expr),
            true_expr: plain(&e.true_expr),
            false_expr: e.false_expr.as_ref().map(plain),
        })),
        Expr::Filter(e) => Expr::Filter(copy(e, |e| {
            let input = match SHALLOW_FILTERS.contains(&e.name) {
                true => plain,
                false => paid,
            };
            Filter {
                name: e.name,
                expr: e.expr.as_ref().map(input),
                args: args(&e.args),
            }
        })),
        Expr::Test(e) => Expr::Test(copy(e, |e| {
            let input = match DEEP_TESTS.contains(&e.name) {
                true => paid,
                false => plain,
            };
            Test {
                name: e.name,
                expr: input(&e.expr),
                args: args(&e.args),
            }
        })),
        Expr::GetAttr(e) => Expr::GetAttr(copy(e, |e| GetAttr {
            expr: plain(&e.expr),
            name: e.name,
        })),
        Expr::GetItem(e) => Expr::GetItem(copy(e, |e| match &e.subscript_expr {
            Expr::Const(key) if key.value.as_str().is_some() => GetItem {
                expr: plain(&e.expr),
                subscript_expr: plain(&e.subscript_expr),
            },
            key => GetItem {
                expr: through(TEXT, &e.expr),
                subscript_expr: paid(key),
            },
        })),
        // What a method is called on it pays for itself.
        Expr::Call(e) => Expr::Call(copy(e, |e| Call {
            expr: plain(&e.expr),
            args: args(&e.args),
        })),
        Expr::List(e) => Expr::List(copy(e, |e| List {
            items: all(&e.items, plain),
        })),
        Expr::Tuple(e) => Expr::Tuple(copy(e, |e| Tuple {
            items: all(&e.items, plain),
        })),
        Expr::Map(e) => Expr::Map(copy(e, |e| Map {
            keys: all(&e.keys, paid),
            values: all(&e.values, plain),
        })),
    }
}

fn comparison<'a>(op: &CompareOp<'a>) -> CompareOp<'a> {
    CompareOp {
        op: op.op,
        expr: paid(&op.expr),
    }
}

fn args<'a>(list: &[CallArg<'a>]) -> Vec<CallArg<'a>> {
    list.iter()
        .map(|arg| match arg {
            CallArg::Pos(value) => CallArg::Pos(paid(value)),
            CallArg::Kwarg(name, value) => CallArg::Kwarg(name, paid(value)),
            CallArg::PosSplat(value) => CallArg::PosSplat(paid(value)),
            CallArg::KwargSplat(value) => CallArg::KwargSplat(paid(value)),
        })
        .collect()
}
