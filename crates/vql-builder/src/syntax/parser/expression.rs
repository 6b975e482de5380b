//! Expressions: one function for each level of precedence, loosest first.

use super::{Expected, Mark, Parser, Step};
use crate::syntax::kind::{NodeKind, TokenKind};

impl Parser<'_> {
    /// `a, b, c`. After the first comma the grammar also takes expressions without one between,
    /// of which the last counts, and a comma with nothing after it.
    pub(crate) fn comma_list(&mut self) -> Step {
        let mark = self.mark();
        self.and_chain()?;
        if !self.at(TokenKind::Comma) {
            return Ok(());
        }
        while self.eat(TokenKind::Comma) {
            while !self.at(TokenKind::Comma) && self.optional(Self::and_chain)? {}
        }
        self.finish(mark, NodeKind::CommaList);
        Ok(())
    }

    /// Operands and operators of one level; a lone operand is not wrapped.
    #[inline]
    fn chain(
        &mut self,
        kind: NodeKind,
        is_operator: fn(TokenKind) -> bool,
        operand: fn(&mut Self) -> Step,
        first: fn(&mut Self) -> Step,
    ) -> Step {
        let mark = self.mark();
        first(self)?;
        let mut wrap = false;
        while is_operator(self.kind())
            && self.optional(|parser| {
                parser.pos += 1;
                operand(parser)
            })?
        {
            wrap = true;
        }
        if wrap {
            self.finish(mark, kind);
        }
        Ok(())
    }

    pub(super) fn and_chain(&mut self) -> Step {
        self.chain(
            NodeKind::AndChain,
            |kind| matches!(kind, TokenKind::And | TokenKind::Amps),
            Self::or_chain,
            Self::or_chain,
        )
    }

    fn or_chain(&mut self) -> Step {
        self.chain(
            NodeKind::OrChain,
            |kind| matches!(kind, TokenKind::Or | TokenKind::Bars),
            Self::condition,
            Self::condition,
        )
    }

    fn condition(&mut self) -> Step {
        if self.at(TokenKind::Not) {
            return self.not();
        }
        self.chain(NodeKind::Comparison, is_comparison, Self::sum, Self::sum)
    }

    fn not(&mut self) -> Step {
        let mark = self.mark();
        let before = self.furthest;
        let outcome = self.nested(|parser| {
            parser.pos += 1;
            parser.condition()
        });
        if let Err(failure) = outcome {
            self.forget(mark, before, failure)?;
            return Err(failure);
        }
        self.finish(mark, NodeKind::Not);
        Ok(())
    }

    fn sum(&mut self) -> Step {
        self.chain(
            NodeKind::Sum,
            |kind| matches!(kind, TokenKind::Plus | TokenKind::Minus),
            Self::product,
            Self::product,
        )
    }

    /// Only the first factor may have subscripts: `a * b[0]` is not in the grammar.
    fn product(&mut self) -> Step {
        self.chain(
            NodeKind::Product,
            |kind| matches!(kind, TokenKind::Star | TokenKind::Slash),
            Self::value,
            Self::access,
        )
    }

    fn access(&mut self) -> Step {
        let mark = self.mark();
        self.value()?;
        let mut wrap = false;
        loop {
            let matched = match self.kind() {
                TokenKind::BracketOpen => self.optional(Self::subscript)?,
                TokenKind::Dot => self.optional(Self::member)?,
                _ => break,
            };
            if !matched {
                break;
            }
            wrap = true;
        }
        if wrap {
            self.finish(mark, NodeKind::Access);
        }
        Ok(())
    }

    fn member(&mut self) -> Step {
        let mark = self.mark();
        self.pos += 1;
        self.expect_name(Expected::Name)?;
        self.finish(mark, NodeKind::Member);
        Ok(())
    }

    /// `[i]`, `[a:b]`. The grammar takes any number of values on both sides and any number of
    /// colons; the last value of each side counts.
    fn subscript(&mut self) -> Step {
        let mark = self.mark();
        self.nested(|parser| {
            parser.pos += 1;
            while parser.starts_value() && parser.optional(Self::value)? {}
            while parser.eat(TokenKind::Colon) {}
            while parser.starts_value() && parser.optional(Self::value)? {}
            parser.expect(TokenKind::BracketClose, Expected::SubscriptClose)
        })?;
        self.finish(mark, NodeKind::Subscript);
        Ok(())
    }

    fn starts_value(&self) -> bool {
        !matches!(self.kind(), TokenKind::Colon | TokenKind::BracketClose)
    }

    fn value(&mut self) -> Step {
        let mark = self.mark();
        match self.kind() {
            TokenKind::Name | TokenKind::QuotedName | TokenKind::NegatedName => self.symbol(),
            TokenKind::String
            | TokenKind::RawString
            | TokenKind::Number
            | TokenKind::Bool
            | TokenKind::Null => {
                self.pos += 1;
                self.finish(mark, NodeKind::Literal);
                Ok(())
            }
            TokenKind::ParenOpen => self.group(mark),
            _ => Err(self.failure(Expected::Value)),
        }
    }

    fn group(&mut self, mark: Mark) -> Step {
        let before = self.furthest;
        let outcome = self.nested(|parser| {
            parser.pos += 1;
            parser.comma_list()?;
            parser.expect(TokenKind::ParenClose, Expected::ParenClose)
        });
        if let Err(failure) = outcome {
            self.forget(mark, before, failure)?;
            return Err(failure);
        }
        self.finish(mark, NodeKind::Group);
        Ok(())
    }

    /// `a.b.c`, then any number of calls, whose arguments the engine puts together.
    fn symbol(&mut self) -> Step {
        let mark = self.mark();
        self.pos += 1;
        self.dotted_rest()?;
        while self.at(TokenKind::ParenOpen) && self.optional(Self::call)? {}
        self.finish(mark, NodeKind::Symbol);
        Ok(())
    }

    /// `.b.c` of a dotted name; a dot without a name after it is left alone.
    pub(super) fn dotted_rest(&mut self) -> Step {
        while self.at(TokenKind::Dot)
            && self.optional(|parser| {
                parser.pos += 1;
                parser.expect_name(Expected::Name)
            })?
        {}
        Ok(())
    }

    /// `(a=1, b=2)`.
    pub(super) fn call(&mut self) -> Step {
        let mark = self.mark();
        self.nested(|parser| {
            parser.pos += 1;
            if !parser.at(TokenKind::ParenClose) && parser.optional(Self::argument)? {
                while parser.at(TokenKind::Comma)
                    && parser.optional(|parser| {
                        parser.pos += 1;
                        parser.argument()
                    })?
                {}
            }
            parser.expect(TokenKind::ParenClose, Expected::CallClose)
        })?;
        self.finish(mark, NodeKind::Arguments);
        Ok(())
    }

    pub(super) fn argument(&mut self) -> Step {
        let mark = self.mark();
        self.expect_name(Expected::ArgumentName)?;
        self.expect(TokenKind::Eq, Expected::ArgumentEquals)?;
        match self.kind() {
            TokenKind::BraceOpen => self.sub_select()?,
            TokenKind::BracketOpen => self.array()?,
            _ => self.and_chain()?,
        }
        self.finish(mark, NodeKind::Argument);
        Ok(())
    }

    fn array(&mut self) -> Step {
        let mark = self.mark();
        let before = self.furthest;
        let outcome = self.nested(|parser| {
            parser.pos += 1;
            if !parser.at(TokenKind::BracketClose) {
                parser.optional(Self::comma_list)?;
            }
            parser.expect(TokenKind::BracketClose, Expected::BracketClose)
        });
        if let Err(failure) = outcome {
            self.forget(mark, before, failure)?;
            return Err(failure);
        }
        self.finish(mark, NodeKind::ArrayLiteral);
        Ok(())
    }

    /// `x, y => expression`.
    pub(crate) fn lambda(&mut self) -> Step {
        let mark = self.mark();
        self.lambda_parameters()?;
        self.expect(TokenKind::Arrow, Expected::LambdaArrow)?;
        self.and_chain()?;
        self.finish(mark, NodeKind::Lambda);
        Ok(())
    }

    fn lambda_parameters(&mut self) -> Step {
        let mark = self.mark();
        self.expect_name(Expected::Name)?;
        while self.at(TokenKind::Comma)
            && self.optional(|parser| {
                parser.pos += 1;
                parser.expect_name(Expected::Name)
            })?
        {}
        self.finish(mark, NodeKind::LambdaParameters);
        Ok(())
    }
}

const fn is_comparison(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Eq
            | TokenKind::Ne
            | TokenKind::NeAngle
            | TokenKind::Lt
            | TokenKind::Le
            | TokenKind::Gt
            | TokenKind::Ge
            | TokenKind::In
            | TokenKind::Match
    )
}
