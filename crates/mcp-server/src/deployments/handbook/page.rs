//! A text with sections, before it has a form. Code stands between back-quotes.

/// A text.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
}

/// A part of it.
pub(super) enum Block {
    Section(String),
    Line(String),
    Warning(String),
    Code(String),
    List(Vec<String>),
    /// Headings, of which all may be empty, and rows.
    Table(Vec<String>, Vec<Vec<String>>),
}

impl Page {
    pub(super) const fn new(title: String) -> Self {
        Self { title, blocks: Vec::new() }
    }

    pub(super) fn section(&mut self, title: &str) {
        self.blocks.push(Block::Section(title.to_owned()));
    }

    pub(super) fn line(&mut self, text: String) {
        self.blocks.push(Block::Line(text));
    }

    pub(super) fn warn(&mut self, text: String) {
        self.blocks.push(Block::Warning(text));
    }

    pub(super) fn block(&mut self, text: String) {
        self.blocks.push(Block::Code(text));
    }

    pub(super) fn list(&mut self, items: Vec<String>) {
        self.blocks.push(Block::List(items));
    }

    pub(super) fn table(&mut self, headings: &[&str], rows: Vec<Vec<String>>) {
        let headings = headings.iter().map(ToString::to_string).collect();
        self.blocks.push(Block::Table(headings, rows));
    }
}

/// A name or a command in a line.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", said(text))
}

/// What somebody wrote: filtered, in one line, and no code.
pub(super) fn said(text: &str) -> String {
    super::passed(text).split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'")
}

/// The pieces of a line: words, and between back-quotes code.
pub(super) fn pieces(line: &str) -> impl Iterator<Item = (bool, &str)> {
    line.split('`').enumerate().map(|(at, piece)| (at % 2 == 1, piece))
}
