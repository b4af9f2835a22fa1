//! The messages of the kernel's process connector: bytes to values, and back for the one that subscribes. Pure: no bytes
//! make it panic. The formats are those of the kernel's include/uapi/linux: `nlmsghdr` of netlink.h, `cn_msg` of connector.h,
//! `proc_event` of cn_proc.h, one after the other.

use super::share::Share;
use crate::sys::Instruction;

/// The connector that tells of processes, `CN_IDX_PROC`. It is also its multicast group.
pub const CONNECTOR: u32 = 1;

/// `PROC_EVENT_NONE`: the answer to a subscription.
const NONE: u32 = 0;
const EXEC: u32 = 2;
const EXIT: u32 = 0x8000_0000;

/// Where the parts of a message begin.
const IDENTIFIER: usize = 16;
const ACKNOWLEDGEMENT: usize = 28;
const EVENT: usize = 36;
const CPU: usize = EVENT + 4;
const TIME: usize = EVENT + 8;
const DATA: usize = EVENT + 16;

/// What one message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The answer to the subscription with this number: an error number, or 0.
    Answer {
        /// The subscription's number, plus one.
        number: u32,
        /// The error number.
        error: u32,
    },
    /// Something happened to a process.
    Event(Event),
}

/// What happened to a process, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub what: What,
    /// The process.
    pub pid: u32,
    /// When, in nanoseconds of `CLOCK_MONOTONIC`.
    pub at: u64,
}

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It executes another program.
    Exec,
    /// Its first thread ended, with this wait status.
    Exit(u32),
    /// It was running when procline started: no message says so.
    Running,
}

/// Decodes a message. None if it is of another kind.
pub fn message(text: &[u8]) -> Option<Message> {
    let number = |place| u32_at(text, place);
    if number(IDENTIFIER)? != CONNECTOR {
        return None;
    }
    let what = match number(EVENT)? {
        NONE => return Some(Message::Answer { number: number(ACKNOWLEDGEMENT)?, error: number(DATA)? }),
        EXEC => What::Exec,
        EXIT => What::Exit(number(DATA + 8)?),
        _ => return None,
    };
    let time = text.get(TIME..TIME + 8)?.first_chunk()?;
    Some(Message::Event(Event { what, pid: number(DATA + 4)?, at: u64::from_ne_bytes(*time) }))
}

fn u32_at(text: &[u8], place: usize) -> Option<u32> {
    text.get(place..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// A message that subscribes, or ends the subscription. `number` comes back with the answer.
pub fn subscription(begins: bool, number: u32) -> Vec<u8> {
    const LISTEN: u32 = 1;
    const IGNORE: u32 = 2;
    /// `NLMSG_DONE`, the type of every message of a connector.
    const DONE: u16 = 3;
    /// The length of the operation.
    const LENGTH: u16 = 4;
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
    let halves = |halves: [u16; 2]| halves.iter().flat_map(|half| half.to_ne_bytes()).collect::<Vec<u8>>();
    [
        words(&[40]),
        halves([DONE, 0]),
        words(&[0, 0]),
        words(&[CONNECTOR, 1, 0, number]),
        halves([LENGTH, 0]),
        words(&[if begins { LISTEN } else { IGNORE }]),
    ]
    .concat()
}

/// The program of the socket's filter. It accepts programs that start and, if `exits`, processes that end: their first threads. So
/// no other event wakes procline. Answers are accepted only if `answers`: those to others would be counted as lost events.
pub fn filter(exits: bool, answers: bool, share: &Share) -> Vec<Instruction> {
    // Codes of bpf(4): load a word, jump if equal, copy to X, return.
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const EQUAL_X: u16 = 0x1d;
    const COPY: u16 = 0x07;
    const RETURN: u16 = 0x06;
    let step = |code, jt, jf, k| Instruction { code, jt, jf, k };
    let load = |place: usize| step(LOAD, 0, 0, place as u32);
    let accept = step(RETURN, 0, 0, u32::MAX);
    let refuse = step(RETURN, 0, 0, 0);
    // A load takes the bytes as big-endian. What is not equal goes on after the next instruction.
    let equal = |number: u32| step(EQUAL, 0, 1, number.to_be());
    let unequal = |number: u32| step(EQUAL, 1, 0, number.to_be());
    let mut program = vec![load(EVENT)];
    if answers {
        program.extend([equal(NONE), accept]);
    }
    program.push(load(CPU));
    match share {
        Share::Cpu(cpu) => program.extend([unequal(*cpu), refuse]),
        Share::Others(cpus) => program.extend(cpus.iter().flat_map(|cpu| [equal(*cpu), refuse])),
    }
    program.extend([load(EVENT), equal(EXEC), accept]);
    if exits {
        program.extend([unequal(EXIT), refuse]);
        program.extend([load(DATA), step(COPY, 0, 0, 0), load(DATA + 4), step(EQUAL_X, 1, 0, 0), refuse, accept]);
    } else {
        program.push(refuse);
    }
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(what: u32, data: [u32; 5]) -> Vec<u8> {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
        let mut text = vec![0; 16];
        text.extend(words(&[CONNECTOR, 1, 0, 78, 40, what, 3]));
        text.extend(1_234_567_890_123_u64.to_ne_bytes());
        text.extend(words(&data));
        text
    }

    #[test]
    fn messages() {
        let at = 1_234_567_890_123;
        for (what, data, expected) in [
            (NONE, [1, 0, 0, 0, 0], Some(Message::Answer { number: 78, error: 1 })),
            (EXEC, [8, 7, 0, 0, 0], Some(Message::Event(Event { what: What::Exec, pid: 7, at }))),
            (EXIT, [7, 7, 0x8b, 17, 1], Some(Message::Event(Event { what: What::Exit(0x8b), pid: 7, at }))),
            // A fork.
            (1, [1, 1, 2, 2, 0], None),
        ] {
            let text = bytes(what, data);
            assert_eq!(message(&text), expected);
            for end in 0..text.len() {
                message(&text[..end]);
            }
        }
        assert_eq!(message(b""), None);
        assert_eq!(message(&[0xff; 200]), None);
    }

    #[test]
    fn the_filter_accepts_what_is_decoded() {
        let run = |program: &[Instruction], text: &[u8]| {
            let (mut a, mut x, mut next) = (0, 0, 0);
            loop {
                let Instruction { code, jt, jf, k } = program[next];
                let jump = |holds| usize::from(if holds { jt } else { jf });
                next += 1;
                match code {
                    0x20 => a = u32::from_be_bytes(*text[k as usize..].first_chunk().unwrap()),
                    0x07 => x = a,
                    0x15 => next += jump(a == k),
                    0x1d => next += jump(a == x),
                    _ => return k > 0,
                }
            }
        };
        let shares = [Share::Cpu(3), Share::Cpu(4), Share::Others(vec![]), Share::Others(vec![1, 3])];
        for (what, data, is_accepted) in [
            (NONE, [0; 5], [false, false, true, true]),
            (EXEC, [7, 7, 0, 0, 0], [true; 4]),
            (EXIT, [7, 7, 0, 0, 0], [false, true, false, true]),
            (EXIT, [8, 7, 0, 0, 0], [false; 4]),
            (1, [7, 7, 0, 0, 0], [false; 4]),
        ] {
            let text = bytes(what, data);
            let filters = [(false, false), (true, false), (false, true), (true, true)];
            for (share, has_cpu) in shares.iter().zip([true, false, true, false]) {
                let accepted = filters.map(|(exits, answers)| run(&filter(exits, answers, share), &text));
                // An answer comes from no CPU.
                let expected = is_accepted.map(|accepted| accepted && (has_cpu || what == NONE));
                assert_eq!(accepted, expected, "{what} {share:?}");
            }
        }
    }

    #[test]
    fn a_subscription_has_its_length() {
        let text = subscription(true, 5);
        assert_eq!((text.len(), u32_at(&text, 0), u32_at(&text, ACKNOWLEDGEMENT)), (40, Some(40), Some(5)));
    }
}
