//! Small damages to inputs, the same in every run.

/// What files lie about.
const LIES: [&[u8]; 10] =
    [b"18446744073709551615", b"4294967296", b"100000000", b"-1", b"0", b"1e999", b"null", b"[]", b"{}", b"\"\xff\n\""];

/// A generator of damaged inputs.
pub struct Mutator(u64);

impl Mutator {
    /// One that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// xorshift64 (Marsaglia 2003).
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    /// The input with one to four damages.
    pub fn damaged(&mut self, input: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            self.damage(&mut bytes);
        }
        bytes
    }

    /// The same for a safetensors file, whose first eight bytes are the length of the text that follows: damaged is mostly the text, and the
    /// length then fits it again, as otherwise nothing behind it would be reached.
    pub fn damaged_tensors(&mut self, input: &[u8]) -> Vec<u8> {
        let Some((length, rest)) = input.split_first_chunk::<8>() else { return self.damaged(input) };
        let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|length| *length <= rest.len());
        let Some(length) = length.filter(|_| self.below(8) > 0) else { return self.damaged(input) };
        let text = self.damaged(&rest[..length]);
        [&(text.len() as u64).to_le_bytes(), text.as_slice(), &rest[length..]].concat()
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let (at, n) = (self.below(bytes.len()), bytes.len());
        if n == 0 {
            return bytes.push(self.below(256) as u8);
        }
        let end = (at + 1 + self.below(16)).min(n);
        match self.below(8) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = [0, 0xff, 0x7f, 0x80, b'0', b'9', b'"', b'{'][self.below(8)],
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => {
                let piece = bytes[at..end].to_vec();
                let to = self.below(n);
                bytes.splice(to..to, piece);
            }
            5 => bytes[at] = self.below(256) as u8,
            // A number in place of the number here, or behind here.
            _ => {
                let Some(first) = (at..n).find(|place| bytes[*place].is_ascii_digit()) else { return };
                let last = (first..n).find(|place| !bytes[*place].is_ascii_digit()).unwrap_or(n);
                let lie = LIES[self.below(LIES.len())];
                bytes.splice(first..last, lie.iter().copied());
            }
        }
    }
}
