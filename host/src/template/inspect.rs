//! What a template's syntax tree tells before it ever runs.

use std::collections::HashSet;
use std::ops::Range;

use minijinja::Environment;
use minijinja::machinery::ast::{Call, CallArg, CallType, Expr, Spanned, Stmt};
use minijinja::machinery::{Span, Token, parse, tokenize};

use super::compiled::Reference;
use super::environment::MARKER;
use super::vocabulary::{self, Fault, Kind, LOOP_ATTRIBUTES, Signature};
use super::{TemplateError, nearest};

/// What a template is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Text,
    Sql,
}

/// Parser, compiler and syntax tree recurse once for each link of a chain like
/// `a.b.c`, `a + b + c` or `if … elif … elif`, and the parser bounds only
/// brackets: these bounds keep the stack from running out.
const MAX_EXPRESSION_TOKENS: usize = 500;
const MAX_BLOCKS: usize = 250;
/// Each variant of a query's branches is checked; this bounds them together.
const MAX_PATHS_BYTES: usize = 4 * 1024 * 1024;

pub(crate) fn bounded(source: &str, env: &Environment<'_>) -> Result<(), TemplateError> {
    let mut tokens = 0;
    let mut blocks = 0;
    for token in tokenize(source, false, env.syntax().clone()) {
        let Ok((token, span)) = token else {
            return Ok(()); // The parser tells what is wrong.
        };
        let message = match token {
            Token::TemplateData(_) | Token::VariableStart => {
                tokens = 0;
                continue;
            }
            Token::BlockStart => {
                tokens = 0;
                blocks += 1;
                match blocks > MAX_BLOCKS {
                    true => format!("the template has more than {MAX_BLOCKS} `{{% … %}}`"),
                    false => continue,
                }
            }
            _ => {
                tokens += 1;
                match tokens > MAX_EXPRESSION_TOKENS {
                    true => format!("the expression has more than {MAX_EXPRESSION_TOKENS} parts"),
                    false => continue,
                }
            }
        };
        return Err(TemplateError::new(message)
            .hint("do it in a python step")
            .at(source, span.start_offset as usize));
    }
    Ok(())
}

/// One way through a SQL template, every expression a marker.
pub(crate) struct Path {
    /// The text with markers.
    pub text: String,
    /// For each marker its range in the source, and if it is an identifier.
    pub markers: Vec<(Range<usize>, bool)>,
    /// Where pieces of the text come from: offset in the text, in the source.
    pub origins: Vec<(usize, usize)>,
}

pub(crate) struct Facts {
    pub references: Vec<Reference>,
    /// Source ranges of the expressions that are output, in order.
    pub emits: Vec<Range<usize>>,
    /// The template is one expression with nothing but blanks around it.
    pub whole: bool,
    /// What it gives is not its source: there is an expression, a block, a comment.
    pub dynamic: bool,
}

/// What is known about a template; for SQL also texts that together take every
/// branch at least once.
pub(crate) fn facts(
    source: &str,
    env: &Environment<'_>,
    dialect: Dialect,
) -> Result<(Facts, Vec<Path>), TemplateError> {
    let tree = parse(source, "template", env.syntax().clone())
        .map_err(|error| super::compiled::explain(&error, source, &[]))?;
    let Stmt::Template(template) = &tree else {
        return Err(TemplateError::new("not a template"));
    };
    let mut walk = Walk {
        source,
        dialect,
        locals: HashSet::new(),
        references: Vec::new(),
        emits: Vec::new(),
        branches: 0,
        loops: 0,
    };
    walk.statements(&template.children)?;
    let Walk {
        locals,
        mut references,
        emits,
        branches,
        ..
    } = walk;
    references.retain(|reference| !locals.contains(&reference.root));
    let whole = emits.len() == 1
        && template.children.iter().all(|child| match child {
            Stmt::EmitRaw(raw) => raw.raw.trim().is_empty(),
            Stmt::EmitExpr(_) => true,
            _ => false,
        });
    // What `{# … #}` and `{% raw %}` leave is not the text as it is written.
    let kept = |child: &Stmt<'_>| match child {
        Stmt::EmitRaw(raw) => Some(raw.raw.len()),
        _ => None,
    };
    let lengths: Option<Vec<usize>> = template.children.iter().map(kept).collect();
    let dynamic = lengths.is_none_or(|lengths| lengths.iter().sum::<usize>() < source.len());
    let paths = match dialect {
        Dialect::Text => Vec::new(),
        Dialect::Sql => paths(source, &template.children, branches)?,
    };
    let facts = Facts {
        references,
        emits,
        whole,
        dynamic,
    };
    Ok((facts, paths))
}

struct Walk<'a> {
    source: &'a str,
    dialect: Dialect,
    locals: HashSet<String>,
    references: Vec<Reference>,
    emits: Vec<Range<usize>>,
    branches: usize,
    /// How many `{% for %}` are around.
    loops: usize,
}

impl Walk<'_> {
    fn error(&self, span: Span, message: String) -> TemplateError {
        TemplateError::new(message).at(self.source, span.start_offset as usize)
    }

    fn statements(&mut self, statements: &[Stmt<'_>]) -> Result<(), TemplateError> {
        statements
            .iter()
            .try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Stmt<'_>) -> Result<(), TemplateError> {
        match statement {
            Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => Ok(()),
            Stmt::EmitExpr(emit) => {
                self.emits.push(range(emit.span()));
                self.expression(&emit.expr, self.dialect == Dialect::Sql)
            }
            Stmt::ForLoop(each) if each.recursive => {
                Err(self.unsupported(each.span(), "for … recursive"))
            }
            Stmt::ForLoop(each) => {
                self.branches += 1;
                self.locals.insert("loop".to_owned());
                self.target(&each.target)?;
                self.expression(&each.iter, false)?;
                self.optional(each.filter_expr.as_ref())?;
                self.loops += 1;
                self.statements(&each.body)?;
                self.loops -= 1;
                self.statements(&each.else_body)
            }
            Stmt::IfCond(branch) => {
                self.branches += 1;
                self.expression(&branch.expr, false)?;
                self.statements(&branch.true_body)?;
                self.statements(&branch.false_body)
            }
            Stmt::WithBlock(with) => {
                for (target, value) in &with.assignments {
                    self.target(target)?;
                    self.expression(value, false)?;
                }
                self.statements(&with.body)
            }
            Stmt::Set(set) => {
                self.target(&set.target)?;
                self.expression(&set.expr, false)
            }
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::SetBlock(s) => Err(self.unsupported(s.span(), "set … endset")),
            Stmt::AutoEscape(s) => Err(self.unsupported(s.span(), "autoescape")),
            Stmt::FilterBlock(s) => Err(self.unsupported(s.span(), "filter")),
            Stmt::Block(s) => Err(self.unsupported(s.span(), "block")),
            Stmt::Import(s) => Err(self.unsupported(s.span(), "import")),
            Stmt::FromImport(s) => Err(self.unsupported(s.span(), "from … import")),
            Stmt::Extends(s) => Err(self.unsupported(s.span(), "extends")),
            Stmt::Include(s) => Err(self.unsupported(s.span(), "include")),
            Stmt::Macro(s) => Err(self.unsupported(s.span(), "macro")),
            Stmt::CallBlock(s) => Err(self.unsupported(s.span(), "call")),
            Stmt::Do(s) => Err(self.unsupported(s.span(), "do")),
        }
    }

    fn unsupported(&self, span: Span, what: &str) -> TemplateError {
        self.error(
            span,
            format!("`{{% {what} %}}` can't be used in a playbook"),
        )
        .hint("`if`, `for`, `set x = …` and `with` can; longer work belongs in a python step")
    }

    fn target(&mut self, target: &Expr<'_>) -> Result<(), TemplateError> {
        match target {
            Expr::Var(var) => {
                if ["workload", "vars", "result", "execution_id"].contains(&var.id) {
                    return Err(self.error(
                        var.span(),
                        format!(
                            "`{}` is a name of noetl and can't be set in a template",
                            var.id
                        ),
                    ));
                }
                self.locals.insert(var.id.to_owned());
                Ok(())
            }
            Expr::List(list) => list.items.iter().try_for_each(|item| self.target(item)),
            Expr::Tuple(tuple) => tuple.items.iter().try_for_each(|item| self.target(item)),
            other => Err(self.error(other.span(), "only a name can be set here".to_owned())),
        }
    }

    fn optional(&mut self, expression: Option<&Expr<'_>>) -> Result<(), TemplateError> {
        expression.map_or(Ok(()), |expression| self.expression(expression, false))
    }

    fn all(&mut self, expressions: &[Expr<'_>]) -> Result<(), TemplateError> {
        expressions
            .iter()
            .try_for_each(|item| self.expression(item, false))
    }

    /// `ident` may stand only where an expression is output, as its last filter.
    fn expression(&mut self, expression: &Expr<'_>, ident: bool) -> Result<(), TemplateError> {
        match expression {
            Expr::Const(_) => Ok(()),
            Expr::Var(var) => {
                self.reference(var.id, None, var.span());
                Ok(())
            }
            Expr::GetAttr(get) => self.attribute(&get.expr, Some(get.name), get.span()),
            Expr::GetItem(get) => {
                let key = match &get.subscript_expr {
                    Expr::Const(constant) => {
                        let key = &constant.value;
                        let index = key.is_integer().then(|| key.to_string());
                        key.as_str().map(str::to_owned).or(index)
                    }
                    other => {
                        self.expression(other, false)?;
                        None
                    }
                };
                self.attribute(&get.expr, key.as_deref(), get.span())
            }
            Expr::Slice(slice) => {
                self.expression(&slice.expr, false)?;
                self.optional(slice.start.as_ref())?;
                self.optional(slice.stop.as_ref())?;
                self.optional(slice.step.as_ref())
            }
            Expr::UnaryOp(unary) => self.expression(&unary.expr, false),
            Expr::BinOp(binary) => {
                self.expression(&binary.left, false)?;
                self.expression(&binary.right, false)
            }
            Expr::Compare(compare) => {
                self.expression(&compare.expr, false)?;
                compare
                    .ops
                    .iter()
                    .try_for_each(|op| self.expression(&op.expr, false))
            }
            Expr::IfExpr(branch) => {
                self.expression(&branch.test_expr, false)?;
                self.expression(&branch.true_expr, false)?;
                self.optional(branch.false_expr.as_ref())
            }
            Expr::Filter(filter) => {
                if filter.name == "ident" && !ident {
                    return Err(self.misplaced_ident(filter.span()));
                }
                let signature =
                    self.known(Kind::Filter, filter.name, &filter.args, filter.span())?;
                if let Some((kind, name, args)) = signature.applied(&filter.args) {
                    if (kind, name) == (Kind::Filter, "ident") {
                        return Err(self.misplaced_ident(filter.span()));
                    }
                    self.known(kind, name, args, filter.span())?;
                }
                self.optional(filter.expr.as_ref())?;
                self.args(&filter.args)
            }
            Expr::Test(test) => {
                self.known(Kind::Test, test.name, &test.args, test.span())?;
                self.expression(&test.expr, false)?;
                self.args(&test.args)
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.all(&list.items),
            Expr::Tuple(tuple) => self.all(&tuple.items),
            Expr::Map(map) => {
                self.all(&map.keys)?;
                self.all(&map.values)
            }
        }
    }

    fn attribute(
        &mut self,
        of: &Expr<'_>,
        name: Option<&str>,
        span: Span,
    ) -> Result<(), TemplateError> {
        match of {
            Expr::Var(var) => {
                if let ("loop", Some(name), 1..) = (var.id, name, self.loops)
                    && !LOOP_ATTRIBUTES.contains(&name)
                {
                    let error = self.error(span, format!("there is no `loop.{name}`"));
                    return Err(match nearest(name, LOOP_ATTRIBUTES) {
                        Some(near) => error.hint(format!("did you mean `loop.{near}`?")),
                        None => error.hint(format!("it has {}", LOOP_ATTRIBUTES.join(", "))),
                    });
                }
                self.reference(var.id, name, span);
                Ok(())
            }
            other => self.expression(other, false),
        }
    }

    fn reference(&mut self, root: &str, attribute: Option<&str>, span: Span) {
        self.references.push(Reference {
            root: root.to_owned(),
            attribute: attribute.map(str::to_owned),
            offset: span.start_offset as usize,
        });
    }

    fn call(&mut self, call: &Spanned<Call<'_>>) -> Result<(), TemplateError> {
        match call.identify_call() {
            CallType::Function(name) => {
                self.known(Kind::Function, name, &call.args, call.span())?;
            }
            CallType::Method(object, name) => {
                let of_loop =
                    self.loops > 0 && matches!(object, Expr::Var(var) if var.id == "loop");
                let kind = match of_loop {
                    true => Kind::LoopMethod,
                    false => Kind::Method,
                };
                self.known(kind, name, &call.args, call.span())?;
                self.expression(object, false)?;
            }
            CallType::Object(object) => self.expression(object, false)?,
            CallType::Block(_) => {
                return Err(self.error(call.span(), "there are no blocks here".to_owned()));
            }
        }
        self.args(&call.args)
    }

    fn args(&mut self, args: &[CallArg<'_>]) -> Result<(), TemplateError> {
        args.iter().try_for_each(|arg| match arg {
            CallArg::Pos(value)
            | CallArg::Kwarg(_, value)
            | CallArg::PosSplat(value)
            | CallArg::KwargSplat(value) => self.expression(value, false),
        })
    }

    /// A name that exists and can take these arguments.
    fn known(
        &self,
        kind: Kind,
        name: &str,
        args: &[CallArg<'_>],
        span: Span,
    ) -> Result<&'static Signature, TemplateError> {
        vocabulary::find(kind, name)
            .and_then(|signature| signature.check(kind, args).map(|()| signature))
            .map_err(|Fault { message, hint }| self.error(span, message).hint(hint))
    }

    fn misplaced_ident(&self, span: Span) -> TemplateError {
        self.error(span, "`ident` makes an SQL identifier".to_owned())
            .hint("use it in a query, as the last filter: `{{ name | ident }}`")
    }
}

fn range(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

enum Piece {
    Raw(usize, usize),
    Marker(Range<usize>, bool),
}

fn paths(
    source: &str,
    statements: &[Stmt<'_>],
    branches: usize,
) -> Result<Vec<Path>, TemplateError> {
    if (branches + 1) * source.len() > MAX_PATHS_BYTES {
        return Err(
            TemplateError::new("the query has too many branches for its length")
                .hint("spread it over several steps"),
        );
    }
    Ok(variants(source, statements)
        .into_iter()
        .map(|pieces| {
            let mut path = Path {
                text: String::new(),
                markers: Vec::new(),
                origins: Vec::new(),
            };
            for piece in pieces {
                match piece {
                    Piece::Raw(start, end) => {
                        path.origins.push((path.text.len(), start));
                        path.text.push_str(&source[start..end]);
                    }
                    Piece::Marker(range, ident) => {
                        path.origins.push((path.text.len(), range.start));
                        path.text.push(MARKER);
                        path.markers.push((range, ident));
                    }
                }
            }
            path
        })
        .collect())
}

/// Not every combination of branches, but each branch in at least one: the
/// first variant takes every `if`, the last every `else`.
fn variants(source: &str, statements: &[Stmt<'_>]) -> Vec<Vec<Piece>> {
    let parts: Vec<Vec<Vec<Piece>>> = statements
        .iter()
        .filter_map(|statement| match statement {
            Stmt::EmitRaw(raw) => {
                let start = raw.raw.as_ptr() as usize - source.as_ptr() as usize;
                Some(vec![vec![Piece::Raw(start, start + raw.raw.len())]])
            }
            Stmt::EmitExpr(emit) => {
                let ident = matches!(&emit.expr, Expr::Filter(filter) if filter.name == "ident");
                Some(vec![vec![Piece::Marker(range(emit.span()), ident)]])
            }
            Stmt::IfCond(branch) => Some(either(source, &branch.true_body, &branch.false_body)),
            Stmt::ForLoop(each) => Some(match each.else_body.is_empty() {
                true => variants(source, &each.body),
                false => either(source, &each.body, &each.else_body),
            }),
            Stmt::WithBlock(with) => Some(variants(source, &with.body)),
            _ => None,
        })
        .collect();
    let count = parts.iter().map(Vec::len).max().unwrap_or(1);
    (0..count)
        .map(|index| {
            parts
                .iter()
                .flat_map(|variants| variants[index.min(variants.len() - 1)].iter())
                .map(|piece| match piece {
                    Piece::Raw(start, end) => Piece::Raw(*start, *end),
                    Piece::Marker(range, ident) => Piece::Marker(range.clone(), *ident),
                })
                .collect()
        })
        .collect()
}

fn either(source: &str, yes: &[Stmt<'_>], no: &[Stmt<'_>]) -> Vec<Vec<Piece>> {
    let mut both = variants(source, yes);
    both.extend(variants(source, no));
    both
}
