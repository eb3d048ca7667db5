//! Formats that callers send by mistake, to tell them by their names.

/// How far a text is looked into for what makes it an SVG, in bytes: XML declarations and comments come before.
const MAX_PROLOG: usize = 1024;

/// Returns a format's name with its article; `None` if the content shows none that is known here.
#[must_use]
pub(super) fn name(file: &[u8]) -> Option<&'static str> {
    // ISO/IEC 14496-12, section 4.3: a box of type `ftyp`, then the major brand.
    if let [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] = file {
        return match brand.first_chunk()? {
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
                Some("a HEIC")
            }
            b"avif" | b"avis" => Some("an AVIF"),
            _ => None,
        };
    }
    if let [
        b'R',
        b'I',
        b'F',
        b'F',
        _,
        _,
        _,
        _,
        b'W',
        b'E',
        b'B',
        b'P',
        ..,
    ] = file
    {
        return Some("a WebP");
    }
    let starts: [(&[u8], &str); 6] = [
        (b"GIF8", "a GIF"),
        (b"II*\0", "a TIFF"),
        (b"MM\0*", "a TIFF"),
        (b"BM", "a BMP"),
        (b"%PDF-", "a PDF"),
        (b"\0\0\0\x0CjP  ", "a JPEG 2000"),
    ];
    if let Some((_, name)) = starts
        .into_iter()
        .find(|(start, _)| file.starts_with(start))
    {
        return Some(name);
    }
    let head = &file[..file.len().min(MAX_PROLOG)];
    let is_svg = memchr::memmem::find(head, b"<svg").is_some();
    is_svg.then_some("an SVG")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn tells_formats_by_their_starts() {
        for (file, expected) in [
            (&b"GIF89a\x01\0\x01\0"[..], Some("a GIF")),
            (b"RIFF\x1A\0\0\0WEBPVP8L", Some("a WebP")),
            (b"\0\0\0\x18ftypheic\0\0\0\0", Some("a HEIC")),
            (b"\0\0\0\x20ftypavif\0\0\0\0", Some("an AVIF")),
            (b"II*\0\x08\0\0\0", Some("a TIFF")),
            (b"MM\0*\0\0\0\x08", Some("a TIFF")),
            (b"BM\x46\0\0\0", Some("a BMP")),
            (b"%PDF-1.7\n%%EOF", Some("a PDF")),
            (b"<?xml version=\"1.0\"?><svg xmlns=\"x\"/>", Some("an SVG")),
            (b"\0\0\0\x18ftypmp42", None),
            (b"hello", None),
            (b"", None),
        ] {
            assert_eq!(name(file), expected, "{file:?}");
        }
    }
}
