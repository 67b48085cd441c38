//! The templates of `format!` as the compiler lays them down since Rust 1.93: a byte that is a length and so many of
//! text, bytes from 0xc0 that stand for an argument, and 0 at the end.

use super::{GAP, LONGEST};

/// The text with which a template begins at this byte, if one does.
pub(super) fn literal(data: &[u8], at: usize) -> Option<&[u8]> {
    literal_of(data.get(at..)?).map(|(text, _)| text)
}

/// A template from its beginning: the text with gaps in the place of its arguments, and how many bytes were looked at.
pub(super) fn template(data: &[u8]) -> (Option<String>, usize) {
    let gap = GAP.to_string().into_bytes();
    let mut bytes = Vec::new();
    let mut rest = data;
    let ended = loop {
        match rest {
            [] => break false,
            [0, ..] => break true,
            [flags @ 0xc0..=0xff, behind @ ..] => {
                if !bytes.ends_with(&gap) {
                    bytes.extend(&gap);
                }
                // options, width, precision and the argument's place follow where a flag says so
                let bit = |place: u8| usize::from(flags >> place & 1);
                let more = 4 * bit(0) + 2 * (bit(1) + bit(2) + bit(3));
                rest = behind.get(more..).unwrap_or_default();
            }
            _ => match literal_of(rest) {
                Some((text, behind)) => {
                    bytes.extend(text);
                    rest = behind;
                }
                None => break false,
            },
        }
        if bytes.len() > LONGEST {
            break false;
        }
    };
    let looked_at = data.len() - rest.len();
    let text = String::from_utf8(bytes).ok().filter(|_| ended);
    (text, looked_at)
}

/// A text with its length before it, and what follows.
fn literal_of(data: &[u8]) -> Option<(&[u8], &[u8])> {
    match data {
        [0x80, low, high, text @ ..] => {
            text.split_at_checked(u16::from_le_bytes([*low, *high]).into())
        }
        [length @ 1..0x80, text @ ..] => text.split_at_checked((*length).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_read_to_its_end() {
        let text = |parts: &[&[u8]]| template(&parts.concat()).0;
        assert_eq!(
            text(&[
                b"\x0bSELECT log.",
                b"\xc0",
                b"\x06 FROM ",
                b"\xc0",
                b"\0rest"
            ]),
            Some("SELECT log.… FROM …".to_owned())
        );
        let long = "a, ".repeat(100);
        let length = (long.len() as u16).to_le_bytes();
        assert_eq!(
            text(&[
                b"\x80",
                &length,
                long.as_bytes(),
                b"\xc3\x01\x02\x03\x04\x05\x06",
                b"\0"
            ]),
            Some(format!("{long}…"))
        );
        for broken in [
            &b"\x0bSELECT log."[..],
            b"\x20SELECT \0",
            b"\x01a\x90\0",
            b"\x01\xff\0",
            b"\x80\x01",
        ] {
            assert_eq!(text(&[broken]), None, "{broken:?}");
        }
        assert_eq!(literal(b"x\x03abc", 1), Some(&b"abc"[..]));
        assert_eq!(literal(b"x", 7), None);
    }

    #[test]
    fn a_template_that_goes_on_and_on_is_given_up() {
        let endless = b"\x07SELECT \xc0".repeat(LONGEST);
        let (text, looked_at) = template(&endless);
        assert!(text.is_none() && looked_at <= LONGEST + 10, "{looked_at}");
        let gaps = [&[0xc0; 9][..], b"\0"].concat();
        assert_eq!(template(&gaps), (Some("…".to_owned()), 9));
    }
}
