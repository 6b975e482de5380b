//! Statements, clauses and the plugin after FROM.

use super::{Expected, Parser, Step};
use crate::literal::parse_whole_number;
use crate::syntax::kind::{NodeKind, TokenKind};

impl Parser<'_> {
    /// `LET …` or `[EXPLAIN] SELECT …`.
    pub(super) fn statement(&mut self) -> Step {
        if !self.at(TokenKind::Let) {
            return self.select(Expected::Statement);
        }
        let mark = self.mark();
        let before = self.furthest;
        // A lone LET is one token: the engine takes it back and then misses a SELECT there.
        if let Err(failure) = self.binding() {
            self.forget(mark, before, failure)?;
            return Err(failure);
        }
        Ok(())
    }

    fn binding(&mut self) -> Step {
        let mark = self.mark();
        self.pos += 1;
        self.expect_name(Expected::LetName)?;
        if self.at(TokenKind::ParenOpen) {
            self.optional(Self::parameters)?;
        }
        if !self.eat(TokenKind::Eq) && !self.eat(TokenKind::Le) {
            return Err(self.failure(Expected::LetOperator));
        }
        if matches!(self.kind(), TokenKind::Select | TokenKind::Explain) {
            self.select(Expected::Select)?;
        } else {
            self.and_chain()?;
        }
        self.finish(mark, NodeKind::Let);
        Ok(())
    }

    fn parameters(&mut self) -> Step {
        let mark = self.mark();
        self.pos += 1;
        if self.kind().is_name() {
            self.parameter()?;
            while self.at(TokenKind::Comma) && self.optional(Self::next_parameter)? {}
        }
        self.expect(TokenKind::ParenClose, Expected::CallClose)?;
        self.finish(mark, NodeKind::Parameters);
        Ok(())
    }

    fn next_parameter(&mut self) -> Step {
        self.pos += 1;
        self.parameter()
    }

    fn parameter(&mut self) -> Step {
        let mark = self.mark();
        if self.optional(Self::argument)? {
            return Ok(());
        }
        self.expect_name(Expected::Name)?;
        self.finish(mark, NodeKind::Parameter);
        Ok(())
    }

    /// `[EXPLAIN] SELECT …`; `expected` is what is missing where neither word stands.
    pub(super) fn select(&mut self, expected: Expected) -> Step {
        let mark = self.mark();
        while self.eat(TokenKind::Explain) {}
        self.expect(TokenKind::Select, expected)?;
        self.columns()?;
        self.expect(TokenKind::From, Expected::From)?;
        self.source()?;
        if self.at(TokenKind::Where) {
            self.optional(|parser| parser.list_clause(NodeKind::Where))?;
        }
        if self.at(TokenKind::GroupBy) {
            self.optional(|parser| parser.list_clause(NodeKind::GroupBy))?;
        }
        if self.at(TokenKind::OrderBy) {
            self.optional(Self::order_by)?;
        }
        let limit = self.pos;
        if self.at(TokenKind::Limit) && self.optional(Self::limit)? {
            // The engine converts the number when the query is complete.
            let number = limit + 1;
            if parse_whole_number(self.token_text(number)).is_none() {
                self.fatal = true;
                let failure = self.failure(Expected::WholeNumber);
                return Err(super::Failure { token: number as u32, ..failure });
            }
        }
        self.finish(mark, NodeKind::Select);
        Ok(())
    }

    fn columns(&mut self) -> Step {
        if self.eat(TokenKind::Star) {
            self.eat(TokenKind::Comma);
        }
        if self.at(TokenKind::From) || !self.optional(Self::column)? {
            return Ok(());
        }
        while self.at(TokenKind::Comma) && self.optional(Self::next_column)? {}
        Ok(())
    }

    fn next_column(&mut self) -> Step {
        self.pos += 1;
        self.column()
    }

    fn column(&mut self) -> Step {
        let mark = self.mark();
        if self.eat(TokenKind::Star) {
        } else if self.at(TokenKind::BraceOpen) {
            self.sub_select()?;
        } else {
            self.and_chain()?;
        }
        if self.at(TokenKind::As) {
            self.optional(|parser| {
                parser.pos += 1;
                parser.expect_name(Expected::Alias)
            })?;
        }
        self.finish(mark, NodeKind::Column);
        Ok(())
    }

    /// `{ SELECT … }`. The caller has seen the brace; alone it is taken back.
    pub(super) fn sub_select(&mut self) -> Step {
        let mark = self.mark();
        let before = self.furthest;
        let outcome = self.nested(|parser| {
            parser.pos += 1;
            parser.select(Expected::Select)?;
            parser.expect(TokenKind::BraceClose, Expected::BraceClose)
        });
        if let Err(failure) = outcome {
            self.forget(mark, before, failure)?;
            return Err(failure);
        }
        self.finish(mark, NodeKind::SubSelect);
        Ok(())
    }

    fn source(&mut self) -> Step {
        let mark = self.mark();
        self.expect_name(Expected::Source)?;
        self.dotted_rest()?;
        if self.at(TokenKind::ParenOpen) {
            self.optional(Self::call)?;
        }
        self.finish(mark, NodeKind::Source);
        Ok(())
    }

    fn list_clause(&mut self, kind: NodeKind) -> Step {
        let mark = self.mark();
        self.pos += 1;
        self.comma_list()?;
        self.finish(mark, kind);
        Ok(())
    }

    fn order_by(&mut self) -> Step {
        let mark = self.mark();
        self.pos += 1;
        self.expect_name(Expected::Name)?;
        self.eat(TokenKind::Desc);
        self.finish(mark, NodeKind::OrderBy);
        Ok(())
    }

    fn limit(&mut self) -> Step {
        let mark = self.mark();
        self.pos += 1;
        self.expect(TokenKind::Number, Expected::Number)?;
        self.finish(mark, NodeKind::Limit);
        Ok(())
    }
}
