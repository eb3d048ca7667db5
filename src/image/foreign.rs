//! Formats that callers send by mistake, to tell them by their names.

/// How far a text is looked into for what makes it an SVG, in bytes: XML declarations and comments come before.
const MAX_PROLOG: usize = 1024;

/// At which byte a format's files have which bytes, and the format's name with its article.
const FORMATS: [(usize, &[u8], &str); 16] = [
    (0, b"GIF8", "a GIF"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"BM", "a BMP"),
    (0, b"%PDF-", "a PDF"),
    (0, b"\0\0\0\x0CjP  ", "a JPEG 2000"),
    // ISO/IEC 14496-12, section 4.3: a box of type `ftyp`, then the major brand.
    (4, b"ftypheic", "a HEIC"),
    (4, b"ftypheix", "a HEIC"),
    (4, b"ftypheim", "a HEIC"),
    (4, b"ftypheis", "a HEIC"),
    (4, b"ftyphevc", "a HEIC"),
    (4, b"ftyphevx", "a HEIC"),
    (4, b"ftypmif1", "a HEIC"),
    (4, b"ftypmsf1", "a HEIC"),
    (4, b"ftypavif", "an AVIF"),
    (4, b"ftypavis", "an AVIF"),
];

/// Returns a format's name with its article; `None` if the content shows none that is known here.
pub(super) fn name(file: &[u8]) -> Option<&'static str> {
    let has = |at: usize, what: &[u8]| file.get(at..).is_some_and(|rest| rest.starts_with(what));
    if has(0, b"RIFF") && has(8, b"WEBP") {
        return Some("a WebP");
    }
    let known = FORMATS.iter().find(|&&(at, what, _)| has(at, what));
    if let Some(&(_, _, name)) = known {
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
