//! Asking the person in the chat.

use std::pin::Pin;

use guard::permit::ChatAnswer;

/// What came back from the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The person answered.
    Answered(ChatAnswer),
    /// The client has no way to ask, or did not ask.
    Mute,
}

/// How a caller's person is asked.
pub trait Voice: Send + Sync {
    /// Shows the card and waits for the answer.
    fn ask<'a>(&'a self, card: &'a str) -> Pin<Box<dyn Future<Output = Said> + Send + 'a>>;

    /// Whether the question goes back with the answer of this call, and the word comes with the
    /// next one: then nothing is awaited here.
    fn asks_later(&self) -> bool {
        false
    }

    /// What came with this call: the state that was given out and the word of the person.
    fn resumed(&self) -> Option<(&str, ChatAnswer)> {
        None
    }
}

/// Nobody can be asked.
#[derive(Clone, Copy, Debug)]
pub struct Mute;

impl Voice for Mute {
    fn ask<'a>(&'a self, _card: &'a str) -> Pin<Box<dyn Future<Output = Said> + Send + 'a>> {
        Box::pin(std::future::ready(Said::Mute))
    }
}
