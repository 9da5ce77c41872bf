//! IP addresses as text and as the payload of the domain [`Address`](super::Domain::Address).
//!
//! The payload is PostgreSQL's `inet_send` (src/backend/utils/adt/network.c): version (2 or 3), prefix length,
//! 0, number of bytes, the bytes. One payload for each address and prefix length.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const V4: u8 = 2;
const V6: u8 = 3;

/// The payload of `10.0.0.1`, `10.0.0.1/8`, `2001:db8::1` and the like, in whatever spelling; `None` for any other
/// text.
pub fn payload(text: &str) -> Option<Vec<u8>> {
    let (address, prefix) = match text.split_once('/') {
        // PostgreSQL takes no zeros before it.
        Some((address, prefix)) if is_plain_number(prefix) => (address, Some(prefix.parse::<u8>().ok()?)),
        Some(_) => return None,
        None => (text, None),
    };
    let (version, bytes) = match address.parse().ok()? {
        IpAddr::V4(address) => (V4, address.octets().to_vec()),
        IpAddr::V6(address) => (V6, address.octets().to_vec()),
    };
    let longest = bytes.len() as u8 * 8;
    let prefix = prefix.unwrap_or(longest);
    let head = [version, prefix, 0, bytes.len() as u8];
    (prefix <= longest).then(|| [&head[..], &bytes].concat())
}

/// Whether the bytes are a payload.
pub fn is_payload(bytes: &[u8]) -> bool {
    match bytes {
        [V4, prefix, 0, 4, address @ ..] => address.len() == 4 && *prefix <= 32,
        [V6, prefix, 0, 16, address @ ..] => address.len() == 16 && *prefix <= 128,
        _ => false,
    }
}

fn is_plain_number(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'))
}

/// The text of a payload as PostgreSQL prints it: the prefix length only where it is not the whole address.
pub fn text(payload: &[u8]) -> String {
    let (prefix, bytes) = (payload[1], &payload[4..]);
    let address = match <[u8; 4]>::try_from(bytes) {
        Ok(bytes) => Ipv4Addr::from(bytes).to_string(),
        Err(_) => v6(bytes.try_into().expect("an address has four or sixteen bytes")),
    };
    if usize::from(prefix) == bytes.len() * 8 { address } else { format!("{address}/{prefix}") }
}

/// As RFC 5952 has it, but `::a.b.c.d` where PostgreSQL takes the last four bytes for an address of version 4.
fn v6(bytes: [u8; 16]) -> String {
    let address = Ipv6Addr::from(bytes);
    let segments = address.segments();
    if segments[..6] == [0; 6] && segments[6] != 0 {
        return format!("::{}.{}.{}.{}", bytes[12], bytes[13], bytes[14], bytes[15]);
    }
    address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_postgresql_prints_them() {
        for (written, printed) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("10.0.0.1/8", "10.0.0.1/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("2001:db8::1/64", "2001:db8::1/64"),
            ("::", "::"),
            ("::1", "::1"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("::1.2.3.4", "::1.2.3.4"),
            ("1:0:2:0:3:0:4:0", "1:0:2:0:3:0:4:0"),
            ("fe80::/10", "fe80::/10"),
        ] {
            let read = payload(written).unwrap_or_else(|| panic!("{written} is an address"));
            assert_eq!(text(&read), printed);
            assert_eq!(payload(printed).as_ref(), Some(&read), "{printed}");
        }
        assert_ne!(payload("1.2.3.4"), payload("::ffff:1.2.3.4"));
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in
            ["", "10", "10.0.0", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/+8", "::1/129", "01.2.3.4", "a"]
        {
            assert_eq!(payload(text), None, "{text}");
        }
    }
}
