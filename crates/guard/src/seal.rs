//! Sealed request states, for clients that keep no session: the question goes out with the answer
//! of one call, and comes back with the person's word in the next.
//!
//! A state is bound to the caller and to the digest of the request, ends after its life, and is
//! redeemed once. It is signed and not encrypted: there is nothing in it that its bearer does not
//! know.
//!
//! The key and the list of redeemed states live with the process. So a state from before a restart
//! is not known any more and the person is asked again, which costs one question and needs no
//! secret on the disk. Lives are measured by a clock that nobody can set.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::asked::Caller;
use crate::digest::Digest;
use crate::permit::{ChatAnswer, NotInChat, Permit, Question};

/// What is signed begins with this, so that nothing else that is signed can pass for it.
const DOMAIN: &[u8] = b"megaraptor request state";
const VERSION: u8 = 1;

const KEY_ID: usize = 8;
const NONCE: usize = 16;
const TAG: usize = 32;
/// Version, key, nonce, end, digest of the request, digest of the caller.
const BODY: usize = 1 + KEY_ID + NONCE + 8 + 32 + 32;

/// More redeemed states than this are not remembered before they end by themselves.
const MOST_REDEEMED: usize = 10_000;

/// The longest life of a state.
pub const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Makes and redeems request states.
pub struct Sealer {
    key: hmac::Key,
    key_id: [u8; KEY_ID],
    start: Instant,
    /// The states that were redeemed, with their ends.
    redeemed: Mutex<HashMap<[u8; NONCE], u64>>,
    most: usize,
}

/// Why a state lets nothing run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// This process made no such thing.
    #[error(
        "the request state was not made by this process: it is forged, or from before a restart. Call again without it to be asked again"
    )]
    Forged,
    /// It is signed by nobody: something in it was changed.
    #[error("the request state was altered on its way. Call again without it to be asked again")]
    Altered,
    /// Its life is over.
    #[error("the request state has expired. Call again without it to be asked again")]
    Expired,
    /// It was redeemed.
    #[error("the request state was used before; each run is asked for by itself")]
    Replayed,
    /// It was made for somebody else.
    #[error("the request state was made for another caller")]
    OtherCaller,
    /// It was made for another request, or for this one in another state of things.
    #[error(
        "the request state was made for request {sealed}, and this is request {given}: the call, or what it would run on, has changed. Call again without it to be asked again"
    )]
    OtherRequest {
        /// The request that it was made for, its short form.
        sealed: String,
        /// This request, its short form.
        given: String,
    },
    /// Too many were redeemed within their lives.
    #[error("too many requests were answered in a short time: call again in a few minutes")]
    Busy,
    /// The answer lets nothing run.
    #[error(transparent)]
    NotInChat(#[from] NotInChat),
    /// A state that would live too long, or not at all.
    #[error("a request state cannot live for {0:?}; expected at most 1 h, and more than nothing")]
    Life(Duration),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Random,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer with a key of its own.
    ///
    /// # Errors
    ///
    /// [`SealError::Random`].
    pub fn new() -> Result<Self, SealError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>()?);
        Ok(Self {
            key,
            key_id: random_bytes()?,
            start: Instant::now(),
            redeemed: Mutex::default(),
            most: MOST_REDEEMED,
        })
    }

    /// Makes the state that goes out with a question. It says nothing about the answer.
    ///
    /// # Errors
    ///
    /// [`SealError::NotInChat`] where the chat is not enough for the question.
    pub fn seal(&self, question: &Question, life: Duration) -> Result<String, SealError> {
        self.seal_at(question, life, Instant::now())
    }

    fn seal_at(
        &self,
        question: &Question,
        life: Duration,
        now: Instant,
    ) -> Result<String, SealError> {
        question.may_be_asked_in_chat()?;
        if life.is_zero() || life > LONGEST {
            return Err(SealError::Life(life));
        }
        let mut text = Vec::with_capacity(BODY + TAG);
        text.push(VERSION);
        text.extend(self.key_id);
        text.extend(random_bytes::<NONCE>()?);
        text.extend((self.millis(now) + millis(life)).to_be_bytes());
        text.extend(question.digest().as_bytes());
        text.extend(of_caller(&question.asked().caller).as_bytes());
        let tag = self.sign(&text);
        text.extend(tag.as_ref());
        Ok(URL_SAFE_NO_PAD.encode(text))
    }

    /// Takes a state that came back, with the word of the person. It is used up by this, whatever
    /// the word is.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn redeem(
        &self,
        state: &str,
        question: Question,
        answer: ChatAnswer,
    ) -> Result<Permit, SealError> {
        self.redeem_at(state, question, answer, Instant::now())
    }

    fn redeem_at(
        &self,
        state: &str,
        question: Question,
        answer: ChatAnswer,
        now: Instant,
    ) -> Result<Permit, SealError> {
        let text = URL_SAFE_NO_PAD.decode(state).map_err(|_| SealError::Forged)?;
        let text: &[u8; BODY + TAG] = text.as_slice().try_into().map_err(|_| SealError::Forged)?;
        let (body, tag) = text.split_at(BODY);
        let mut parts = Parts(body);
        let [version] = parts.take::<1>();
        if version != VERSION || parts.take() != self.key_id {
            return Err(SealError::Forged);
        }
        hmac::verify(&self.key, &signed(body), tag).map_err(|_| SealError::Altered)?;
        let nonce: [u8; NONCE] = parts.take();
        let end = u64::from_be_bytes(parts.take());
        let (digest, caller): ([u8; 32], [u8; 32]) = (parts.take(), parts.take());
        if caller != *of_caller(&question.asked().caller).as_bytes() {
            return Err(SealError::OtherCaller);
        }
        let now = self.millis(now);
        if now >= end {
            return Err(SealError::Expired);
        }
        if digest != *question.digest().as_bytes() {
            return Err(SealError::OtherRequest {
                sealed: digest[..4].iter().map(|byte| format!("{byte:02x}")).collect(),
                given: question.digest().short(),
            });
        }
        self.use_up(nonce, end, now)?;
        Ok(question.answered(answer)?)
    }

    fn use_up(&self, nonce: [u8; NONCE], end: u64, now: u64) -> Result<(), SealError> {
        // Each change leaves the table whole, so a panic elsewhere does no harm to it.
        let mut redeemed = self.redeemed.lock().unwrap_or_else(PoisonError::into_inner);
        if redeemed.contains_key(&nonce) {
            return Err(SealError::Replayed);
        }
        if redeemed.len() >= self.most {
            // What has ended is refused for that, and need not be remembered.
            redeemed.retain(|_, end| *end > now);
        }
        if redeemed.len() >= self.most {
            return Err(SealError::Busy);
        }
        redeemed.insert(nonce, end);
        Ok(())
    }

    fn sign(&self, body: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, &signed(body))
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.start))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn signed(body: &[u8]) -> Vec<u8> {
    [DOMAIN, body].concat()
}

fn of_caller(caller: &Caller) -> Digest {
    Digest::of("caller", caller)
}

fn random_bytes<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    // Of the system: the library's own source takes 30 ms to begin, at each start.
    getrandom::fill(&mut bytes).map_err(|_| SealError::Random)?;
    Ok(bytes)
}

/// Takes a body apart whose length was checked.
struct Parts<'a>(&'a [u8]);

impl Parts<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (part, rest) = self.0.split_at(N.min(self.0.len()));
        self.0 = rest;
        part.try_into().unwrap_or([0; N])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asked::{Asked, example};
    use crate::effect::Effect;
    use crate::permit::Where;
    use crate::policy::Rule;

    const LIFE: Duration = Duration::from_secs(300);

    fn question_about(asked: &Asked) -> Question {
        Question::new(asked, Effect::Collect, Rule::example(), Where::InChat, false)
    }

    fn question() -> Question {
        question_about(&example::collection())
    }

    fn yes(sealer: &Sealer, state: &str, question: Question) -> Result<(), SealError> {
        let asked = question.asked().clone();
        let permit = sealer.redeem(state, question, ChatAnswer::Yes)?;
        permit.spend(&asked).unwrap();
        Ok(())
    }

    #[test]
    fn a_state_is_redeemed_once() {
        let sealer = Sealer::new().unwrap();
        let state = sealer.seal(&question(), LIFE).unwrap();
        assert_eq!(yes(&sealer, &state, question()), Ok(()));
        assert_eq!(yes(&sealer, &state, question()), Err(SealError::Replayed));
    }

    #[test]
    fn a_no_uses_it_up() {
        let sealer = Sealer::new().unwrap();
        let state = sealer.seal(&question(), LIFE).unwrap();
        let said = sealer.redeem(&state, question(), ChatAnswer::No).unwrap_err();
        assert_eq!(said, SealError::NotInChat(NotInChat::Declined));
        assert_eq!(yes(&sealer, &state, question()), Err(SealError::Replayed));
    }

    #[test]
    fn what_this_process_did_not_make_is_forged() {
        let sealer = Sealer::new().unwrap();
        let elsewhere = Sealer::new().unwrap().seal(&question(), LIFE).unwrap();
        let own = sealer.seal(&question(), LIFE).unwrap();
        for state in ["", "x", "!!", &own[1..], &format!("{own}AAAA"), &elsewhere] {
            assert_eq!(yes(&sealer, state, question()), Err(SealError::Forged), "{state}");
        }
    }

    #[test]
    fn one_changed_bit_anywhere_is_seen() {
        let sealer = Sealer::new().unwrap();
        let state = sealer.seal(&question(), LIFE).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&state).unwrap();
        for at in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let said = yes(&sealer, &URL_SAFE_NO_PAD.encode(&changed), question());
            let wanted = if at / 8 <= KEY_ID { SealError::Forged } else { SealError::Altered };
            assert_eq!(said, Err(wanted), "bit {at}");
        }
        assert_eq!(yes(&sealer, &state, question()), Ok(()), "a failed try used it up");
    }

    #[test]
    fn a_state_ends_with_its_life() {
        let sealer = Sealer::new().unwrap();
        let start = Instant::now();
        let state = sealer.seal_at(&question(), LIFE, start).unwrap();
        let redeem = |after: Duration| {
            sealer.redeem_at(&state, question(), ChatAnswer::Yes, start + after).map(drop)
        };
        assert_eq!(redeem(LIFE), Err(SealError::Expired));
        assert_eq!(redeem(LIFE - Duration::from_secs(1)), Ok(()));
        for life in [Duration::ZERO, LONGEST + LIFE] {
            assert_eq!(sealer.seal(&question(), life), Err(SealError::Life(life)));
        }
    }

    #[test]
    fn it_is_for_one_caller_and_one_request() {
        let sealer = Sealer::new().unwrap();
        let state = sealer.seal(&question(), LIFE).unwrap();
        let mut asked = example::collection();
        asked.caller.subject = "mallory".into();
        assert_eq!(yes(&sealer, &state, question_about(&asked)), Err(SealError::OtherCaller));
        let mut asked = example::collection();
        asked.bounds.bytes = Some(1 << 40);
        let said = yes(&sealer, &state, question_about(&asked)).unwrap_err();
        assert!(matches!(said, SealError::OtherRequest { .. }), "{said}");
        assert_eq!(yes(&sealer, &state, question()), Ok(()));
    }

    #[test]
    fn what_is_asked_outside_gets_no_state() {
        let sealer = Sealer::new().unwrap();
        let asked = example::quarantine();
        let outside =
            Question::new(&asked, Effect::Respond, Rule::example(), Where::Outside, false);
        let said = sealer.seal(&outside, LIFE).unwrap_err();
        assert!(matches!(said, SealError::NotInChat(NotInChat::Outside { .. })), "{said}");
    }

    #[test]
    fn the_list_of_redeemed_states_is_bounded_and_a_full_one_refuses() {
        let sealer = Sealer { most: 3, ..Sealer::new().unwrap() };
        let start = Instant::now();
        let redeem = |state: &str, at: Instant| {
            sealer.redeem_at(state, question(), ChatAnswer::Yes, at).map(drop)
        };
        let states: Vec<_> =
            (0..4).map(|_| sealer.seal_at(&question(), LIFE, start).unwrap()).collect();
        for state in &states[..3] {
            assert_eq!(redeem(state, start), Ok(()));
        }
        assert_eq!(redeem(&states[3], start), Err(SealError::Busy));
        assert_eq!(redeem(&states[0], start), Err(SealError::Replayed));
        // Those that have ended make room.
        let late = sealer.seal_at(&question(), LIFE, start + LIFE).unwrap();
        assert_eq!(redeem(&late, start + LIFE), Ok(()));
        assert_eq!(redeem(&states[0], start + LIFE), Err(SealError::Expired));
    }
}
