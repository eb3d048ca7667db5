//! How a text or a file looks that was written in another way than a field's Base64.

/// Returns whether every second byte is NUL and the others are ASCII, after the byte order mark or what a gateway made of
/// it.
pub(super) fn is_utf16(text: &[u8]) -> bool {
    let text = [&b"\xFF\xFE"[..], b"\xFE\xFF", b"\xEF\xBF\xBD\xEF\xBF\xBD"]
        .iter()
        .find_map(|mark| text.strip_prefix(*mark))
        .unwrap_or(text);
    let units = || text.chunks_exact(2).take(8);
    let is_text = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let is_little_endian = units().all(|unit| is_text(unit[0]) && unit[1] == 0);
    let is_big_endian = units().all(|unit| unit[0] == 0 && is_text(unit[1]));
    text.len() >= 4 && (is_little_endian || is_big_endian)
}

/// Returns whether a JPEG or PNG went through a text: its first bytes were replaced, dropped or encoded as characters.
pub(super) fn is_mangled(bytes: &[u8]) -> bool {
    const STARTS: [&[u8]; 12] = [
        // U+FFFD, and the question marks of ASCII.
        b"\xEF\xBF\xBD",
        b"????",
        b"???\0",
        b"?PNG",
        // Latin-1 or Windows-1252 as UTF-8.
        b"\xC3\xBF\xC3\x98",
        b"\xC2\x89PNG",
        b"\xE2\x80\xB0PNG",
        // As UTF-16.
        b"\xFF\0\xD8\0",
        b"\x89\0P\0",
        // With other line ends, or without the eighth bit.
        b"\x89PNG\n",
        b"\x89PNG\r\r",
        b"\x09PNG",
    ];
    STARTS.iter().any(|start| bytes.starts_with(start))
}

/// Returns whether a text is what a language writes for a value that isn't there, or that isn't a text.
pub(super) fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 9] = [
        "undefined",
        "null",
        "none",
        "nil",
        "nan",
        "true",
        "false",
        "array",
        "(null)",
    ];
    const STARTS: [&str; 11] = [
        "[object ",
        "[B@",
        "System.",
        "java.",
        "Optional(",
        "<Buffer ",
        "<_io.",
        "#<",
        "<bytes",
        "Resource id #",
        "<function",
    ];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || STARTS.iter().any(|start| text.starts_with(start))
}

/// Returns whether a text is a program's array of bytes: `[255, 216, 255]`, or signed as Java's.
pub(super) fn is_list_of_numbers(text: &str) -> bool {
    let is_of_list = |char: char| char.is_ascii_digit() || "-, []\r\n".contains(char);
    text.contains(',') && text.chars().all(is_of_list)
        || text.starts_with(r#"{"type":"Buffer""#)
        || text.starts_with(r#"{"0":"#)
}

/// Returns whether a text begins with the hexadecimal digits of a JPEG or PNG, as one word or byte by byte.
pub(super) fn is_hex(text: &str) -> bool {
    let digits = text.to_ascii_lowercase().replace("0x", "");
    let is_separator = |char: char| r" \x:-,{[<'".contains(char);
    let digits: String = digits.chars().filter(|&char| !is_separator(char)).collect();
    digits.starts_with("ffd8ff") || digits.starts_with("89504e47")
}

/// Returns whether a text is a path, an address, or curl's `@file`.
pub(super) fn is_reference(text: &str) -> bool {
    const STARTS: [&str; 9] = [
        "@", "./", "../", "~/", "\\\\", "file:", "blob:", "content:", "urn:",
    ];
    const ENDS: [&str; 11] = [
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".b64", ".base64", ".txt", ".heic", ".webp",
        ".pdf",
    ];
    let text = text.to_ascii_lowercase();
    let is_on_drive = matches!(text.as_bytes(), [b'a'..=b'z', b':', b'\\' | b'/', ..]);
    is_on_drive
        || text.contains("://")
        || STARTS.iter().any(|start| text.starts_with(start))
        || ENDS.iter().any(|end| text.ends_with(end))
}
