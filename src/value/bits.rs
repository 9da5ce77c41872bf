//! Bits as text and as the payload of the domain [`Bits`](super::Domain::Bits).
//!
//! The payload is PostgreSQL's `bit_send` (src/backend/utils/adt/varbit.c): how many bits (32 bit, big-endian),
//! then the bits from the left, the last byte filled with zeros. One payload for each sequence of bits.

/// The payload of digits `0` and `1`; `None` for any other text.
pub fn payload(digits: &str) -> Option<Vec<u8>> {
    let length = u32::try_from(digits.len()).ok()?;
    let mut payload = length.to_be_bytes().to_vec();
    payload.resize(4 + digits.len().div_ceil(8), 0);
    for (at, digit) in digits.bytes().enumerate() {
        match digit {
            b'0' => {}
            b'1' => payload[4 + at / 8] |= 0x80 >> (at % 8),
            _ => return None,
        }
    }
    Some(payload)
}

/// Whether [`text`] can read these bytes: their number of bits, and as many bytes as those take.
pub fn is_payload(bytes: &[u8]) -> bool {
    bytes.split_first_chunk::<4>().is_some_and(|(length, rest)| {
        usize::try_from(u32::from_be_bytes(*length)).is_ok_and(|bits| rest.len() == bits.div_ceil(8))
    })
}

/// The digits of a payload.
pub fn text(payload: &[u8]) -> String {
    let (length, bytes) =
        payload.split_first_chunk::<4>().expect("a payload of bits begins with their number");
    let length = u32::from_be_bytes(*length) as usize;
    (0..length).map(|at| if bytes[at / 8] & (0x80 >> (at % 8)) == 0 { '0' } else { '1' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_back_with_their_number() {
        for digits in ["", "0", "1", "00", "10000000", "100000000", "0101010101010101", "11111111111"] {
            let bytes = payload(digits).expect("bits");
            assert_eq!(text(&bytes), digits);
        }
        assert_ne!(payload("0"), payload("00"));
        assert_eq!(payload("101"), Some(vec![0, 0, 0, 3, 0xa0]));
        assert_eq!(payload("012"), None);
        assert_eq!(payload(" 1"), None);
    }
}
