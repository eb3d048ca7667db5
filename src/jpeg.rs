//! The JPEG container (ITU-T T.81, annex B), walked from its first marker to its last. No pixel is
//! decoded: the size of what is read is the size of the file.

use crate::image::Dimensions;

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;

/// The dimensions of a complete JPEG, or `None` if it is cut, broken or something else.
///
/// Complete means: a start of image, then segments by their lengths, one frame header whose width
/// and height are above zero, at least one scan with data in it, and an end of image. Whatever
/// follows that (cameras append previews and more) is allowed.
#[must_use]
pub fn dimensions(file: &[u8]) -> Option<Dimensions> {
    let mut rest = file.strip_prefix(&[0xFF, SOI])?;
    let mut frame: Option<Frame> = None;
    let mut scanned = false;
    loop {
        let (marker, after) = next_marker(rest)?;
        rest = after;
        if marker == EOI {
            return frame.filter(|_| scanned).map(|frame| frame.dimensions);
        }
        if !is_segment(marker) {
            return None;
        }
        let (length, _) = rest.split_first_chunk()?;
        let (segment, after) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let payload = segment.get(2..)?;
        rest = after;
        if is_frame(marker) {
            if frame.is_some() {
                return None;
            }
            frame = Some(Frame::parse(payload)?);
        } else if marker == SOS {
            let data = scan(payload, frame.as_ref()?, rest)?;
            rest = &rest[data..];
            scanned = true;
        }
    }
}

/// What the frame header says (T.81, B.2.2).
struct Frame {
    dimensions: Dimensions,
    components: u8,
}

impl Frame {
    fn parse(payload: &[u8]) -> Option<Self> {
        let [_precision, h1, h0, w1, w0, components, specifications @ ..] = payload else {
            return None;
        };
        let dimensions = Dimensions::new(
            u16::from_be_bytes([*w1, *w0]).into(),
            u16::from_be_bytes([*h1, *h0]).into(),
        )?;
        let whole = *components > 0 && specifications.len() == 3 * usize::from(*components);
        whole.then_some(Self {
            dimensions,
            components: *components,
        })
    }
}

/// The length of a scan's entropy-coded data, above zero, up to the marker that ends it (T.81, B.1.1.5):
/// in it, 0xFF is followed by a stuffed zero or is a restart marker.
fn scan(header: &[u8], frame: &Frame, data: &[u8]) -> Option<usize> {
    let components = *header.first()?;
    // B.2.3: 1 to 4 of the frame's components, two bytes each, then three bytes more.
    if components == 0
        || components > frame.components.min(4)
        || header.len() != 4 + 2 * usize::from(components)
    {
        return None;
    }
    let mut markers = 0;
    for at in memchr::memchr_iter(0xFF, data) {
        match data.get(at + 1)? {
            0x00 => {}
            0xD0..=0xD7 => markers += 2,
            // A fill byte before a marker, which the next round looks at.
            0xFF => markers += 1,
            _ => return (at > markers).then_some(at),
        }
    }
    None
}

/// The next marker, behind any fill bytes, and what follows it (T.81, B.1.1.2).
fn next_marker(text: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = text.strip_prefix(&[0xFF])?;
    loop {
        let (&byte, after) = rest.split_first()?;
        if byte != 0xFF {
            return Some((byte, after));
        }
        rest = after;
    }
}

/// Whether the marker has a segment and may stand in an image: all that T.81's table B.1 defines,
/// without the reserved ones, a second start of image, and restarts outside a scan.
const fn is_segment(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xC7 | 0xC9..=0xCF | SOS | 0xDB..=0xDF | 0xE0..=0xEF | 0xFE)
}

/// Whether the marker starts a frame header: SOF0 to SOF15 without DHT, JPG and DAC.
const fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF)
}

#[cfg(test)]
mod tests {
    use super::dimensions;
    use crate::image::Dimensions;

    const HEAD: &[u8] = b"\xFF\xD8\xFF\xE0\x00\x04JF";
    const FRAME: &[u8] = b"\xFF\xC0\x00\x0B\x08\x00\x02\x00\x03\x01\x01\x11\x00";
    const SCAN: &[u8] = b"\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00";
    const DATA: &[u8] = b"\x12\xFF\x00\x34\xFF\xD0\x56";
    const END: &[u8] = b"\xFF\xD9";

    #[track_caller]
    fn assert_jpeg(segments: &[&[u8]], complete: bool) {
        let expected = Dimensions::new(3, 2).filter(|_| complete);
        assert_eq!(dimensions(&segments.concat()), expected, "{segments:02X?}");
    }

    #[test]
    fn accepts_what_encoders_and_cameras_write() {
        assert_jpeg(&[HEAD, FRAME, SCAN, DATA, END], true);
        assert_jpeg(&[HEAD, FRAME, SCAN, DATA, SCAN, DATA, END], true);
        assert_jpeg(
            &[HEAD, FRAME, SCAN, DATA, b"\xFF\xFF", END, b"camera", HEAD],
            true,
        );
        assert_jpeg(
            &[
                HEAD,
                b"\xFF\xFF\xFF\xFE\x00\x06a\xFF\xD9b",
                FRAME,
                SCAN,
                DATA,
                END,
            ],
            true,
        );
        // A thumbnail inside a segment is none of the image's own markers.
        assert_jpeg(
            &[
                b"\xFF\xD8\xFF\xE1\x00\x06\xFF\xD8\xFF\xD9",
                FRAME,
                SCAN,
                DATA,
                END,
            ],
            true,
        );
    }

    #[test]
    fn refuses_every_cut() {
        let whole = [HEAD, FRAME, SCAN, DATA, SCAN, DATA, END].concat();
        for end in 0..whole.len() {
            assert_jpeg(&[&whole[..end]], false);
        }
    }

    #[test]
    fn refuses_broken_structure() {
        assert_jpeg(&[HEAD, SCAN, DATA, FRAME, END], false);
        assert_jpeg(&[HEAD, FRAME, END], false);
        assert_jpeg(&[HEAD, FRAME, SCAN, END], false);
        assert_jpeg(&[HEAD, FRAME, SCAN, b"\xFF\xD0\xFF\xFF", END], false);
        assert_jpeg(&[HEAD, FRAME, FRAME, SCAN, DATA, END], false);
        assert_jpeg(&[HEAD, HEAD, FRAME, SCAN, DATA, END], false);
        assert_jpeg(&[HEAD, b"\xFF\x02\x00\x02", FRAME, SCAN, DATA, END], false);
        assert_jpeg(&[HEAD, FRAME, SCAN, DATA, b"\xFF\x01", END], false);
        assert_jpeg(&[HEAD, b"\xFF\xD0", FRAME, SCAN, DATA, END], false);
        assert_jpeg(&[HEAD, b"\xFF\xE0\x00\x01", FRAME, SCAN, DATA, END], false);
        assert_jpeg(&[HEAD, b"garbage", FRAME, SCAN, DATA, END], false);
        assert_jpeg(
            &[
                HEAD,
                FRAME,
                b"\xFF\xDA\x00\x08\x02\x01\x00\x00\x3F\x00",
                DATA,
                END,
            ],
            false,
        );
        let no_height: &[u8] = b"\xFF\xC0\x00\x0B\x08\x00\x00\x00\x03\x01\x01\x11\x00";
        assert_jpeg(&[HEAD, no_height, SCAN, DATA, END], false);
    }
}
