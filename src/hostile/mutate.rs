//! Ways to spoil a message: bits, cuts, splices, repeats, lengths, numbers and words that hurt.

use crate::hostile::dice::Dice;

/// Longest input that is made, in bytes.
pub const LONGEST: usize = 256 * 1024;
/// What most inputs are cut to: the search wants many inputs more than long ones.
const USUAL: usize = 16 * 1024;

/// Lengths and counts at the borders of their fields.
const BORDERS: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// Numbers as text, at and beyond the borders of their types.
const NUMBERS: [&str; 18] = [
    "",
    "0",
    "-0",
    "-1",
    "00000000000000000001",
    "127",
    "256",
    "65536",
    "2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e309",
    "0x10",
    "NaN",
];

/// Pieces that mean something to one of the formats.
const WORDS: [&str; 44] = [
    "<",
    ">",
    "&",
    "\"",
    "'",
    "\0",
    "\r\n",
    "\u{feff}",
    "\u{ffff}",
    "<a>",
    "</a>",
    "<a/>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "<?xml version=\"1.0\" encoding=\"utf-16\"?>",
    "&#0;",
    "&#x10ffff;",
    "&#xd800;",
    "&amp;",
    " xmlns=\"\"",
    " xmlns:p=\"urn:p\"",
    " xmlns:xml=\"urn:x\"",
    " p:a=\"1\" q:a=\"2\"",
    " xsi:nil=\"true\"",
    " RefId=\"0\"",
    "<Ref RefId=\"0\"/>",
    "_x0000_",
    "_xD83D_",
    "--Encrypted Boundary\r\n",
    "--Encrypted Boundary--\r\n",
    "Length=",
    "{\"",
    "\":",
    "[[[[",
    "&a ",
    "*a",
    "<<: *a",
    "{{ ",
    "\n  - ",
    ": |\n",
    "NTLMSSP\0",
];

/// One input: a seed with one to six faults, or a splice; rarely nothing but chance.
pub fn mutate(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.one(seeds).cloned().unwrap_or_default();
    if dice.below(128) == 0 {
        bytes = (0..dice.below(400)).map(|_| dice.byte()).collect();
    }
    for _ in 0..=dice.below(6) {
        spoil(&mut bytes, seeds, dice);
    }
    let longest = if dice.below(64) == 0 { LONGEST } else { USUAL };
    bytes.truncate(longest);
    bytes
}

fn spoil(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    match dice.below(12) {
        0 => flip(bytes, dice),
        1 => overwrite(bytes, dice),
        2 => bytes.truncate(dice.below(bytes.len() + 1)),
        3 => drop(cut(bytes, dice)),
        4 => repeat(bytes, dice),
        5 => length(bytes, dice),
        6 | 7 => number(bytes, dice),
        8 => word(bytes, dice),
        9 => element(bytes, dice),
        10 => splice(bytes, seeds, dice),
        _ => graft(bytes, seeds, dice),
    }
}

fn flip(bytes: &mut [u8], dice: &mut Dice) {
    for _ in 0..=dice.below(8) {
        let (at, bit) = (dice.below(bytes.len()), dice.below(8));
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }
}

fn overwrite(bytes: &mut [u8], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    let value = dice.byte();
    if let Some(byte) = bytes.get_mut(at) {
        *byte = value;
    }
}

/// A block, its place and at most `longest` bytes of it.
fn block(bytes: &[u8], longest: usize, dice: &mut Dice) -> (usize, usize) {
    let from = dice.below(bytes.len());
    let length = dice.below(longest.min(bytes.len() - from.min(bytes.len())) + 1);
    (from, from + length)
}

fn cut(bytes: &mut Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    let (from, to) = block(bytes, 200, dice);
    bytes.drain(from..to).collect()
}

/// Once in a while so often that whatever grows with it is seen to grow.
fn repeat(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let (from, to) = block(bytes, 120, dice);
    let piece = bytes.get(from..to).unwrap_or_default();
    let times = if dice.below(16) == 0 { dice.below(4000) } else { dice.below(8) };
    let more = piece.repeat(times.min(LONGEST / piece.len().max(1)));
    insert(bytes, to, &more);
}

/// A border value over 2, 4 or 8 bytes, in either order.
fn length(bytes: &mut [u8], dice: &mut Dice) {
    let border = dice.one(&BORDERS).copied().unwrap_or_default();
    let nudged = match dice.below(4) {
        0 => border.wrapping_sub(1),
        1 => u64::try_from(bytes.len()).unwrap_or(0).wrapping_add(border & 1),
        _ => border,
    };
    let size = 2_usize << dice.below(3);
    let mut field: Vec<u8> = nudged.to_le_bytes().into_iter().take(size).collect();
    if dice.below(2) == 0 {
        field.reverse();
    }
    let at = dice.below(bytes.len());
    for (place, byte) in bytes.iter_mut().skip(at).zip(field) {
        *place = byte;
    }
}

/// Replaces a run of digits.
fn number(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len());
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(start) = rest.iter().position(u8::is_ascii_digit) else { return };
    let digits = rest.iter().skip(start).take_while(|byte| byte.is_ascii_digit()).count();
    let text = dice.one(&NUMBERS).copied().unwrap_or_default();
    bytes.splice(at + start..at + start + digits, text.bytes());
}

fn word(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let word = dice.one(&WORDS).copied().unwrap_or_default();
    let at = dice.below(bytes.len() + 1);
    insert(bytes, at, word.as_bytes());
}

/// Copies what stands between two of `<`, `{` or a line's beginning to another such place.
fn element(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let begins = |byte: &u8| matches!(byte, b'<' | b'{' | b'\n');
    let mut find = |bytes: &[u8]| {
        let at = dice.below(bytes.len());
        let rest = bytes.get(at..).unwrap_or_default();
        rest.iter().position(begins).map_or(bytes.len(), |offset| at + offset)
    };
    let (one, two, target) = (find(bytes), find(bytes), find(bytes));
    let piece = bytes.get(one.min(two)..one.max(two)).unwrap_or_default().to_vec();
    insert(bytes, target, piece.get(..piece.len().min(2000)).unwrap_or_default());
}

/// The beginning of this and the end of another.
fn splice(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let Some(other) = dice.one(seeds) else { return };
    bytes.truncate(dice.below(bytes.len() + 1));
    bytes.extend(other.iter().skip(dice.below(other.len())));
}

/// A piece of another in the midst of this.
fn graft(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let Some(other) = dice.one(seeds) else { return };
    let (from, to) = block(other, 300, dice);
    let at = dice.below(bytes.len() + 1);
    insert(bytes, at, other.get(from..to).unwrap_or_default());
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let at = at.min(bytes.len());
    bytes.splice(at..at, piece.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_dice_make_the_same_inputs_and_others_make_others() {
        let seeds = [b"<a b='1'>23</a>".to_vec(), b"other".to_vec(), Vec::new()];
        let inputs = |seed| -> Vec<Vec<u8>> {
            (0..500).map(|at| mutate(&seeds, &mut Dice::of(seed, "x", at))).collect()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        assert!(inputs(3).iter().all(|input| input.len() <= LONGEST));
        assert!(mutate(&[], &mut Dice::new(4)).len() <= LONGEST);
    }
}
