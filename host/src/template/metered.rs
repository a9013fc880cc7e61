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

fn statements<'a>(list: &[Stmt<'a>]) -> Vec<Stmt<'a>> {
    list.iter().map(statement).collect()
}

fn statement<'a>(stmt: &Stmt<'a>) -> Stmt<'a> {
    match stmt {
        Stmt::Template(s) => template(s),
        Stmt::EmitExpr(s) => emit(s),
        Stmt::EmitRaw(s) => Stmt::EmitRaw(Spanned::new(EmitRaw { raw: s.raw }, s.span())),
        Stmt::ForLoop(s) => for_loop(s),
        Stmt::IfCond(s) => if_cond(s),
        Stmt::WithBlock(s) => with_block(s),
        Stmt::Set(s) => set(s),
        Stmt::Continue(s) => Stmt::Continue(Spanned::new(Continue, s.span())),
        Stmt::Break(s) => Stmt::Break(Spanned::new(Break, s.span())),
        _ => unreachable!("refused when the template was inspected"),
    }
}

fn template<'a>(s: &Spanned<Template<'a>>) -> Stmt<'a> {
    let children = statements(&s.children);
    Stmt::Template(Spanned::new(Template { children }, s.span()))
}

fn emit<'a>(s: &Spanned<EmitExpr<'a>>) -> Stmt<'a> {
    let expr = plain(&s.expr);
    Stmt::EmitExpr(Spanned::new(EmitExpr { expr }, s.span()))
}

fn for_loop<'a>(s: &Spanned<ForLoop<'a>>) -> Stmt<'a> {
    let node = ForLoop {
        target: plain(&s.target),
        iter: through(TEXT, &s.iter),
        filter_expr: s.filter_expr.as_ref().map(plain),
        recursive: s.recursive,
        body: statements(&s.body),
        else_body: statements(&s.else_body),
    };
    Stmt::ForLoop(Spanned::new(node, s.span()))
}

fn if_cond<'a>(s: &Spanned<IfCond<'a>>) -> Stmt<'a> {
    let node = IfCond {
        expr: plain(&s.expr),
        true_body: statements(&s.true_body),
        false_body: statements(&s.false_body),
    };
    Stmt::IfCond(Spanned::new(node, s.span()))
}

fn with_block<'a>(s: &Spanned<WithBlock<'a>>) -> Stmt<'a> {
    let pair = |(target, value): &(Expr<'a>, Expr<'a>)| (plain(target), plain(value));
    let node = WithBlock {
        assignments: s.assignments.iter().map(pair).collect(),
        body: statements(&s.body),
    };
    Stmt::WithBlock(Spanned::new(node, s.span()))
}

fn set<'a>(s: &Spanned<Set<'a>>) -> Stmt<'a> {
    let (target, expr) = (plain(&s.target), plain(&s.expr));
    Stmt::Set(Spanned::new(Set { target, expr }, s.span()))
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

/// An operand of which only the outside is looked at. One function for each kind
/// of node: this recurses as deep as an expression is long.
fn plain<'a>(expr: &Expr<'a>) -> Expr<'a> {
    match expr {
        Expr::Var(e) => Expr::Var(Spanned::new(Var { id: e.id }, e.span())),
        Expr::Const(e) => constant(e),
        Expr::Slice(e) => slice(e),
        Expr::UnaryOp(e) => unary(e),
        Expr::BinOp(e) => binary(e),
        Expr::Compare(e) => compare(e),
        Expr::IfExpr(e) => either(e),
        Expr::Filter(e) => filter(e),
        Expr::Test(e) => test(e),
        Expr::GetAttr(e) => attribute(e),
        Expr::GetItem(e) => item(e),
        Expr::Call(e) => call(e),
        Expr::List(e) => list(e),
        Expr::Tuple(e) => tuple(e),
        Expr::Map(e) => map(e),
    }
}

fn constant<'a>(e: &Spanned<Const>) -> Expr<'a> {
    let value = e.value.clone();
    Expr::Const(Spanned::new(Const { value }, e.span()))
}

fn slice<'a>(e: &Spanned<Slice<'a>>) -> Expr<'a> {
    let node = Slice {
        expr: through(TEXT, &e.expr),
        start: e.start.as_ref().map(plain),
        stop: e.stop.as_ref().map(plain),
        step: e.step.as_ref().map(plain),
    };
    Expr::Slice(Spanned::new(node, e.span()))
}

fn unary<'a>(e: &Spanned<UnaryOp<'a>>) -> Expr<'a> {
    #[expect(clippy::needless_match, reason = "it can't be copied")]
    let op = match e.op {
        UnaryOpKind::Not => UnaryOpKind::Not,
        UnaryOpKind::Neg => UnaryOpKind::Neg,
    };
    let expr = plain(&e.expr);
    Expr::UnaryOp(Spanned::new(UnaryOp { op, expr }, e.span()))
}

fn binary<'a>(e: &Spanned<BinOp<'a>>) -> Expr<'a> {
    let operand = match e.op {
        BinOpKind::ScAnd | BinOpKind::ScOr => plain,
        _ => paid,
    };
    let (left, right) = (operand(&e.left), operand(&e.right));
    let op = e.op;
    Expr::BinOp(Spanned::new(BinOp { op, left, right }, e.span()))
}

fn compare<'a>(e: &Spanned<Compare<'a>>) -> Expr<'a> {
    let expr = paid(&e.expr);
    let ops = e.ops.iter().map(comparison).collect();
    Expr::Compare(Spanned::new(Compare { expr, ops }, e.span()))
}

fn either<'a>(e: &Spanned<IfExpr<'a>>) -> Expr<'a> {
    let node = IfExpr {
        test_expr: plain(&e.test_expr),
        true_expr: plain(&e.true_expr),
        false_expr: e.false_expr.as_ref().map(plain),
    };
    Expr::IfExpr(Spanned::new(node, e.span()))
}

fn filter<'a>(e: &Spanned<Filter<'a>>) -> Expr<'a> {
    let input = match SHALLOW_FILTERS.contains(&e.name) {
        true => plain,
        false => paid,
    };
    let node = Filter {
        name: e.name,
        expr: e.expr.as_ref().map(input),
        args: args(&e.args),
    };
    Expr::Filter(Spanned::new(node, e.span()))
}

fn test<'a>(e: &Spanned<Test<'a>>) -> Expr<'a> {
    let input = match DEEP_TESTS.contains(&e.name) {
        true => paid,
        false => plain,
    };
    let node = Test {
        name: e.name,
        expr: input(&e.expr),
        args: args(&e.args),
    };
    Expr::Test(Spanned::new(node, e.span()))
}

fn attribute<'a>(e: &Spanned<GetAttr<'a>>) -> Expr<'a> {
    let expr = plain(&e.expr);
    let name = e.name;
    Expr::GetAttr(Spanned::new(GetAttr { expr, name }, e.span()))
}

fn item<'a>(e: &Spanned<GetItem<'a>>) -> Expr<'a> {
    let node = match &e.subscript_expr {
        Expr::Const(key) if key.value.as_str().is_some() => GetItem {
            expr: plain(&e.expr),
            subscript_expr: constant(key),
        },
        key => GetItem {
            expr: through(TEXT, &e.expr),
            subscript_expr: paid(key),
        },
    };
    Expr::GetItem(Spanned::new(node, e.span()))
}

/// What a method is called on it pays for itself.
fn call<'a>(e: &Spanned<Call<'a>>) -> Expr<'a> {
    let expr = plain(&e.expr);
    let args = args(&e.args);
    Expr::Call(Spanned::new(Call { expr, args }, e.span()))
}

fn list<'a>(e: &Spanned<List<'a>>) -> Expr<'a> {
    let items = all(&e.items, plain);
    Expr::List(Spanned::new(List { items }, e.span()))
}

fn tuple<'a>(e: &Spanned<Tuple<'a>>) -> Expr<'a> {
    let items = all(&e.items, plain);
    Expr::Tuple(Spanned::new(Tuple { items }, e.span()))
}

fn map<'a>(e: &Spanned<Map<'a>>) -> Expr<'a> {
    let node = Map {
        keys: all(&e.keys, paid),
        values: all(&e.values, plain),
    };
    Expr::Map(Spanned::new(node, e.span()))
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
