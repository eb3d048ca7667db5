//! Formats that callers send by mistake, recognized so that a refusal names them.

/// How far to look for an SVG's first tag, in bytes: XML declarations and comments may come before it.
const MAX_PROLOG: usize = 1024;

/// An offset, the bytes that a format's files have there, and the format's name with its article.
const FORMATS: [(usize, &[u8], &str); 20] = [
    (0, b"GIF8", "a GIF"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"BM", "a BMP"),
    (0, b"%PDF-", "a PDF"),
    (0, b"\0\0\0\x0CjP  ", "a JPEG 2000"),
    (0, b"\0\0\0\x0CJXL ", "a JPEG XL"),
    (0, b"\xFF\x0A", "a JPEG XL"),
    (0, b"\x1F\x8B", "a gzip"),
    (0, b"PK\x03\x04", "a ZIP"),
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

/// Returns a format's name with its article; `None` if the content matches none of them.
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
