//! From text to tree: recursive descent with a bound on depth.
//!
//! Loosest first: `or`, `and`, `not`, one comparison, sums, products, minus. `not` takes a whole
//! comparison, as people read it.

use super::function::Function;
use super::mistake::{Mistake, Span, nearest};
use super::token::{Token, tokens};
use super::tree::{Kind, Node, Power, Relation, Sign, Tree};
use super::{DEPTH_MAX, SOURCE_BYTES_MAX};
use crate::point::Decimal;

impl Tree {
    /// Reads an expression of at most [`SOURCE_BYTES_MAX`] bytes and [`DEPTH_MAX`] levels.
    pub fn parse(text: &str) -> Result<Tree, Mistake> {
        if text.len() > SOURCE_BYTES_MAX {
            let cut = text.floor_char_boundary(SOURCE_BYTES_MAX);
            let what =
                format!("{} bytes, more than the {SOURCE_BYTES_MAX} an expression may have", text.len());
            let span = Span { start: cut, end: text.len() };
            return Err(Mistake::at(text, span, what).help("make a derived point of a part of it"));
        }
        let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0 };
        let root = parser.any()?;
        match parser.peek() {
            Token::End => Ok(Tree { source: text.to_owned(), root }),
            _ => Err(parser.unexpected("an operator")),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn span(&self) -> Span {
        let end = Span { start: self.text.len(), end: self.text.len() };
        self.tokens.get(self.at).map_or(end, |(_, span)| *span)
    }

    fn next(&mut self) -> (Token, Span) {
        let next = (self.peek().clone(), self.span());
        self.at += 1;
        next
    }

    fn eat(&mut self, token: &Token) -> bool {
        let there = self.peek() == token;
        self.at += usize::from(there);
        there
    }

    /// One level deeper, while `inside` is read.
    fn deeper(&mut self, inside: impl FnOnce(&mut Self) -> Result<Node, Mistake>) -> Result<Node, Mistake> {
        if self.depth >= DEPTH_MAX {
            let what = format!("nested deeper than {DEPTH_MAX} levels");
            return Err(
                Mistake::at(self.text, self.span(), what).help("make a derived point of a part of it")
            );
        }
        self.depth += 1;
        let node = inside(self);
        self.depth -= 1;
        node
    }

    fn any(&mut self) -> Result<Node, Mistake> {
        self.chain(&Token::Or, Self::all, Kind::Any)
    }

    fn all(&mut self) -> Result<Node, Mistake> {
        self.chain(&Token::And, Self::negation, Kind::All)
    }

    fn chain(
        &mut self,
        sign: &Token,
        part: fn(&mut Self) -> Result<Node, Mistake>,
        kind: fn(Vec<Node>) -> Kind,
    ) -> Result<Node, Mistake> {
        let first = part(self)?;
        if self.peek() != sign {
            return Ok(first);
        }
        let start = first.span;
        let mut parts = vec![first];
        let mut span = start;
        while self.eat(sign) {
            let next = part(self)?;
            span = start.to(next.span);
            parts.push(next);
        }
        Ok(Node { kind: kind(parts), span })
    }

    fn negation(&mut self) -> Result<Node, Mistake> {
        let start = self.span();
        if !self.eat(&Token::Not) {
            return self.comparison();
        }
        let inner = self.deeper(Self::negation)?;
        Ok(Node { span: start.to(inner.span), kind: Kind::Not(Box::new(inner)) })
    }

    fn relation(&self) -> Option<Relation> {
        Some(match self.peek() {
            Token::Equal => Relation::Equal,
            Token::NotEqual => Relation::NotEqual,
            Token::Less => Relation::Less,
            Token::LessOrEqual => Relation::LessOrEqual,
            Token::Greater => Relation::Greater,
            Token::GreaterOrEqual => Relation::GreaterOrEqual,
            _ => return None,
        })
    }

    fn comparison(&mut self) -> Result<Node, Mistake> {
        let left = self.sum()?;
        let Some(relation) = self.relation() else { return Ok(left) };
        self.at += 1;
        let right = self.sum()?;
        if let Some(second) = self.relation() {
            let what = "a comparison has two sides";
            let help = format!("write a {} b and b {} c", relation.word(), second.word());
            return Err(Mistake::at(self.text, self.span(), what).help(help));
        }
        let span = left.span.to(right.span);
        Ok(Node { kind: Kind::Compare(relation, Box::new(left), Box::new(right)), span })
    }

    fn sum(&mut self) -> Result<Node, Mistake> {
        let first = self.product()?;
        let mut rest = Vec::new();
        loop {
            let sign = match self.peek() {
                Token::Plus => Sign::Plus,
                Token::Minus => Sign::Minus,
                _ => break,
            };
            self.at += 1;
            rest.push((sign, self.product()?));
        }
        let Some((_, last)) = rest.last() else { return Ok(first) };
        let span = first.span.to(last.span);
        Ok(Node { kind: Kind::Sum(Box::new(first), rest), span })
    }

    fn product(&mut self) -> Result<Node, Mistake> {
        let first = self.signed()?;
        let mut rest = Vec::new();
        loop {
            let power = match self.peek() {
                Token::Times => Power::Times,
                Token::Over => Power::Over,
                _ => break,
            };
            self.at += 1;
            rest.push((power, self.signed()?));
        }
        let Some((_, last)) = rest.last() else { return Ok(first) };
        let span = first.span.to(last.span);
        Ok(Node { kind: Kind::Product(Box::new(first), rest), span })
    }

    /// A minus before a number belongs to it: -5 Cel is a temperature.
    fn signed(&mut self) -> Result<Node, Mistake> {
        let start = self.span();
        if !self.eat(&Token::Minus) {
            return self.primary();
        }
        let inner = self.deeper(Self::signed)?;
        let span = start.to(inner.span);
        let kind = match inner.kind {
            // Never fails: a literal has at most 64 bits without its sign.
            Kind::Number(number, unit) => {
                Kind::Number(Decimal::ZERO.checked_sub(number).unwrap_or(number), unit)
            }
            _ => Kind::Negative(Box::new(inner)),
        };
        Ok(Node { kind, span })
    }

    fn primary(&mut self) -> Result<Node, Mistake> {
        let span = self.span();
        let kind = match self.peek().clone() {
            Token::Number(number, unit) => Kind::Number(number, unit),
            Token::Text(text) => Kind::Text(text),
            Token::Point(address) => Kind::Point(address),
            Token::Open => return self.bracket(),
            Token::Word(word) => return self.word(&word),
            Token::Not => {
                let what = "not stands before a whole condition";
                return Err(Mistake::at(self.text, span, what).help("put it in brackets: (not a)"));
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        Ok(Node { kind, span })
    }

    fn bracket(&mut self) -> Result<Node, Mistake> {
        let (_, open) = self.next();
        let inner = self.deeper(Self::any)?;
        let close = self.span();
        if !self.eat(&Token::Close) {
            return Err(self.unclosed(open));
        }
        Ok(Node { span: open.to(close), ..inner })
    }

    fn unclosed(&self, open: Span) -> Mistake {
        let column = Mistake::at(self.text, open, "").column;
        self.unexpected(&format!("the ) to the ( of column {column}"))
    }

    fn word(&mut self, word: &str) -> Result<Node, Mistake> {
        let (_, span) = self.next();
        let kind = match word {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "unknown" => Kind::Unknown,
            _ => return self.call(word, span),
        };
        Ok(Node { kind, span })
    }

    fn call(&mut self, word: &str, span: Span) -> Result<Node, Mistake> {
        let called = *self.peek() == Token::Open;
        let names = || Function::ALL.iter().map(|function| function.word());
        let Some(function) = Function::named(word) else {
            if let Some(mistake) = self.tight_minus(span) {
                return Err(mistake);
            }
            let kind = if called { "function" } else { "word" };
            let mistake = Mistake::at(self.text, span, format!("{word} is no {kind} of the language"));
            let meant = nearest(word, names().chain(["true", "false", "unknown", "and", "or", "not"]));
            return Err(match meant {
                None if word.contains(|c: char| c.is_ascii_uppercase()) => {
                    mistake.help("a name has small letters only")
                }
                None if !called => mistake.help("a point is written asset/quantity, a text in \"quotes\""),
                meant => mistake.meant(meant),
            });
        };
        if !called {
            let mistake =
                Mistake::at(self.text, span, format!("{word} is a function and needs its operands"));
            return Err(mistake.help(format!("write {}", function.usage())));
        }
        let mut operands = Vec::new();
        let open = self.span();
        self.at += 1;
        while !self.eat(&Token::Close) {
            if !operands.is_empty() && !self.eat(&Token::Comma) {
                return Err(self.unclosed(open));
            }
            operands.push(self.deeper(Self::any)?);
        }
        let end = self.tokens.get(self.at - 1).map_or(open, |(_, span)| *span);
        let node = Node { span: span.to(end), kind: Kind::Call(function, operands) };
        self.counted(node)
    }

    /// `a/b-c/d` was read as the point `a/b-c` over a word.
    fn tight_minus(&self, word: Span) -> Option<Mistake> {
        let [(Token::Point(address), point), (Token::Over, over)] =
            self.tokens.get(self.at.checked_sub(3)?..self.at - 1)?
        else {
            return None;
        };
        let (quantity, asset) = address.quantity.as_str().rsplit_once('-')?;
        if point.end != over.start || over.end != word.start {
            return None;
        }
        let whole = point.to(word);
        let mistake = Mistake::at(self.text, whole, format!("{} is no point", whole.of(self.text)));
        let help = format!("{}/{quantity} - {asset}/{}", address.asset, word.of(self.text));
        Some(mistake.help(format!("a minus has spaces around it: {help}")))
    }

    fn counted(&self, node: Node) -> Result<Node, Mistake> {
        let Kind::Call(function, operands) = &node.kind else { return Ok(node) };
        let (arity, count) = (function.arity(), operands.len());
        if arity.contains(&count) {
            return Ok(node);
        }
        let wanted = match (*arity.start(), *arity.end()) {
            (least, most) if least == most => least.to_string(),
            (least, most) if most <= 3 => format!("{least} or {most}"),
            (least, most) => format!("{least} to {most}"),
        };
        let word = function.word();
        let what = format!("{word} takes {wanted} operands and has {count}");
        let help = match function {
            Function::Min if count != 2 => "the least of several values is least(a, b, c)".to_owned(),
            Function::Max if count != 2 => "the greatest of several values is greatest(a, b, c)".to_owned(),
            Function::Avg if count != 2 => "the mean of several values is mean(a, b, c)".to_owned(),
            _ => format!("write {}", function.usage()),
        };
        Err(Mistake::at(self.text, node.span, what).help(help))
    }

    fn unexpected(&self, wanted: &str) -> Mistake {
        let span = self.span();
        let found = match self.peek() {
            Token::End => "the expression ends".to_owned(),
            _ => format!("{} stands", span.of(self.text)),
        };
        Mistake::at(self.text, span, format!("{found} where {wanted} is missing"))
    }
}
