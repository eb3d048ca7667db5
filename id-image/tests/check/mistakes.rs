//! What callers send by mistake in place of an image: refused, with a reason that says what to change.

use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use base64::prelude::Engine as _;
use id_image::Image;
use id_image::png::Budget;
use rstest::rstest;

use crate::images;

/// Returns why a field's text is refused.
fn refusal(text: &[u8]) -> String {
    let decoded = Image::decode(text.trim_ascii(), &mut Budget::default());
    decoded.unwrap_err().to_string()
}

fn jpeg() -> String {
    STANDARD.encode(images::jpeg(700, 3))
}

fn png() -> String {
    let text = STANDARD.encode(images::png(700, 3));
    assert!(text.contains('+') && text.contains('/'));
    text
}

fn utf16(text: &str, mark: &[u8]) -> Vec<u8> {
    let units = text.encode_utf16().map(u16::to_le_bytes);
    [mark, units.collect::<Vec<_>>().concat().as_slice()].concat()
}

fn utf16_big_endian(text: &str, mark: &[u8]) -> Vec<u8> {
    let units = text.encode_utf16().map(u16::to_be_bytes);
    [mark, units.collect::<Vec<_>>().concat().as_slice()].concat()
}

fn long_jpeg() -> String {
    STANDARD.encode(images::jpeg(30_000, 3))
}

/// Writes a file as text on Windows does.
fn windows_line_ends(file: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = file.split(|&byte| byte == b'\n').collect();
    lines.join(&b"\r\n"[..])
}

/// The bytes as characters of Latin-1, which a program then writes as UTF-8.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// A text in lines of this length, with this between them.
fn lines(text: &str, length: usize, between: &str) -> String {
    let lines = text.as_bytes().chunks(length).map(String::from_utf8_lossy);
    lines.collect::<Vec<_>>().join(between)
}

/// An image's bytes in decimal, with this between them.
fn numbers(between: &str) -> String {
    let bytes = images::jpeg(200, 3).into_iter();
    let numbers: Vec<String> = bytes.map(|byte| byte.to_string()).collect();
    numbers.join(between)
}

const CUT_OFF: &str = "the Base64 is cut off";
const DATA_WITHOUT_BASE64: &str = "the data: URL has no ;base64, before its content";
const EMPTY_URL: &str = "the data: URL is empty";
const ENTITY: &str = "an HTML entity such as &#43;: decode it first";
const FILE_NAME: &str = "the name of a file, not its content";
const HEX: &str = "hexadecimal: encode the bytes as Base64";
const INVISIBLE: &str = "has an invisible character";
const ITSELF: &str = "not Base64: send the image's Base64 text, not the image itself";
const INDENTED: &str =
    "whitespace at a line's start or end: indentation, or a + decoded as a space";
const LINE_BREAK: &str = "an escaped line break (\\n): decode the text first";
const MANGLED: &str = "the image was read as text before it was encoded: read the file as bytes";
const NO_BEGINNING: &str = "the beginning of the Base64 is missing";
const NUMBERS: &str = "a list of numbers: encode the bytes as Base64";
const OTHER: &str = "not standard Base64";
const PADDING: &str = "misplaced padding (=): quoted-printable, or several texts in a row";
const PEM: &str = "PEM lines: send the Base64 between them";
const PERCENT: &str = "percent-encoded (%2B): send the Base64 as it is";
const PREFIX: &str = "an incomplete data: prefix: send a whole one, or none";
const PYTHON: &str = "a Python bytes literal (b'...'): decode it to a str";
const QUOTED: &str = "in quotation marks";
const SHORT: &str = "too short for an image: a path, null, [object Object], {{name}} or the like";
const SLASH: &str = "an escaped slash (\\/): decode the JSON first";
const SPACE: &str = "whitespace inside the Base64, perhaps a + decoded as a space";
const TAB: &str = "a tab inside the Base64: remove it";
const TWICE: &str = "encoded as Base64 twice";
const TWO_PREFIXES: &str = "two data: prefixes: send one, or none";
const UNICODE: &str = "an escape such as \\u003d: decode the JSON first";
const UNKNOWN: &str = "neither a JPEG nor a PNG";
const URL_SAFE_ALPHABET: &str = "the URL-safe alphabet (- and _): use the standard one (+ and /)";
const WRAPPED: &str = "text around the Base64, such as JSON, HTML or CSS: remove it";
const UTF_16: &str = "UTF-16 text: save the Base64 as ASCII or UTF-8";

#[rstest]
#[case::utf16_with_a_mark(utf16(&jpeg(), b"\xFF\xFE"), UTF_16)]
#[case::utf16_without_a_mark(utf16(&png(), b""), UTF_16)]
#[case::utf16_with_a_line_end(utf16(&(jpeg() + "\r\n"), b"\xFF\xFE"), UTF_16)]
#[case::utf16_big_endian(utf16_big_endian(&jpeg(), b"\xFE\xFF"), UTF_16)]
#[case::utf16_big_endian_without_a_mark(utf16_big_endian(&png(), b""), UTF_16)]
#[case::utf16_through_a_gateway(utf16(&jpeg(), "\u{FFFD}\u{FFFD}".as_bytes()), UTF_16)]
#[case::utf16_with_a_prefix(utf16(&format!("data:image/png;base64,{}", png()), b""), UTF_16)]
#[case::the_jpeg_itself(images::jpeg(700, 3), ITSELF)]
#[case::the_png_itself(images::png(700, 3), ITSELF)]
#[case::the_jpeg_through_a_gateway(String::from_utf8_lossy(&images::jpeg(700, 3)).into_owned(), ITSELF)]
#[case::the_png_through_a_gateway(String::from_utf8_lossy(&images::png(700, 3)).into_owned(), ITSELF)]
#[case::the_jpeg_as_characters(latin1(&images::jpeg(700, 3)), ITSELF)]
#[case::a_gif_itself(b"GIF89a\x01\0\x01\0".to_vec(), ITSELF)]
#[case::byte_order_mark(format!("\u{FEFF}{}", jpeg()), INVISIBLE)]
#[case::byte_order_mark_before_a_prefix(format!("\u{FEFF}data:image/png;base64,{}", png()), INVISIBLE)]
#[case::byte_order_mark_encoded_twice(format!("\u{EF}\u{BB}\u{BF}{}", jpeg()), INVISIBLE)]
#[case::zero_width_space(format!("{}\u{200B}", jpeg()), INVISIBLE)]
#[case::no_break_space(png().replace('+', "\u{A0}"), INVISIBLE)]
#[case::soft_hyphen(jpeg().replacen("AAAA", "AA\u{AD}AA", 1), INVISIBLE)]
#[case::line_separator(jpeg().replacen("AAAA", "AA\u{2028}AA", 1), INVISIBLE)]
#[case::nul(format!("{}\0", jpeg()), INVISIBLE)]
#[case::certutil(format!("-----BEGIN CERTIFICATE-----\r\n{}\r\n-----END CERTIFICATE-----", jpeg()), PEM)]
#[case::pem_of_a_key(format!("-----BEGIN PUBLIC KEY-----\n{}", png()), PEM)]
#[case::object_object("[object Object]", SHORT)]
#[case::object_file("[object File]", SHORT)]
#[case::undefined("undefined", SHORT)]
#[case::null("null", SHORT)]
#[case::none("None", SHORT)]
#[case::nan("NaN", SHORT)]
#[case::byte_array_of_dotnet("System.Byte[]", SHORT)]
#[case::byte_array_of_java("[B@1b6d3586", SHORT)]
#[case::optional_of_swift(format!("Optional(\"{}\")", jpeg()), WRAPPED)]
#[case::buffer_of_node("<Buffer ff d8 ff e0 00 10 4a 46 49 46 ... 650 more bytes>", HEX)]
#[case::undefined_after_a_prefix("data:image/jpeg;base64,undefined", SHORT)]
#[case::null_after_a_prefix("data:image/png;base64,null", SHORT)]
#[case::promise("[object Promise]", SHORT)]
#[case::file_of_python("<_io.BufferedReader name='front.jpg'>", SHORT)]
#[case::resource_of_php("Resource id #5", SHORT)]
#[case::base64_of_undefined(STANDARD.encode("undefined"), SHORT)]
#[case::base64_of_object_object(STANDARD.encode("[object Object]"), SHORT)]
#[case::template_of_braces("{{ idImage }}", SHORT)]
#[case::template_of_a_shell("${PHOTO}", SHORT)]
#[case::template_of_erb("<%= photo %>", SHORT)]
#[case::memory_of_python("<memory at 0x7f1c2a3b4c40>", SHORT)]
#[case::filtered_by_rails("[FILTERED]", SHORT)]
#[case::pointer_of_go("&{0xc00011e000 0 0xc0000a6018}", SHORT)]
#[case::class_of_dotnet("System.Drawing.Bitmap", SHORT)]
#[case::class_of_java("java.nio.HeapByteBuffer[pos=0 lim=51234 cap=51234]", SHORT)]
#[case::uuid("3f2504e0-4f89-41d3-9a0c-0305e82c3301", SHORT)]
#[case::one_letter("A", SHORT)]
#[case::one_digit("0", SHORT)]
#[case::number("12345", SHORT)]
#[case::short_word("photo", SHORT)]
#[case::word_of_four_letters("test", SHORT)]
#[case::numbers_of_javascript(numbers(","), NUMBERS)]
#[case::numbers_of_go(format!("[{}]", numbers(" ")), NUMBERS)]
#[case::numbers_of_java(format!("[{}]", numbers(", ").replace("255", "-1").replace("216", "-40")), NUMBERS)]
#[case::numbers_with_their_places(format!("{{\"0\":255,{}}}", numbers(",\"1\":")), NUMBERS)]
#[case::json_of_a_buffer(format!("{{\"type\":\"Buffer\",\"data\":[{}]}}", numbers(",")), NUMBERS)]
#[case::base64_of_numbers(STANDARD.encode(numbers(",")), NUMBERS)]
#[case::escaped_slashes(jpeg().replace('/', "\\/"), SLASH)]
#[case::escaped_slashes_in_a_prefix(format!("data:image\\/png;base64,{}", png().replace('/', "\\/")), SLASH)]
#[case::escaped_line_breaks(jpeg().replacen("AAAA", "AAAA\\n", 1), LINE_BREAK)]
#[case::escaped_windows_line_breaks(jpeg().replacen("AAAA", "AAAA\\r\\n", 1), LINE_BREAK)]
#[case::escaped_line_break_at_the_end(jpeg() + "==\\n", LINE_BREAK)]
#[case::escaped_padding(jpeg() + "\\u003d", UNICODE)]
#[case::escaped_plus(png().replace('+', "\\u002B"), UNICODE)]
#[case::another_backslash(png().replace('+', "\\+"), "a backslash: decode the text first")]
#[case::double_quotes(format!("\"{}\"", jpeg()), QUOTED)]
#[case::single_quotes(format!("'{}'", jpeg()), QUOTED)]
#[case::typographic_quotes(format!("\u{201C}{}\u{201D}", jpeg()), QUOTED)]
#[case::a_quote_at_the_end(format!("{}\"", png()), QUOTED)]
#[case::quotes_around_a_prefix(format!("\"data:image/png;base64,{}\"", png()), QUOTED)]
#[case::quotes_after_a_prefix(format!("data:image/png;base64,\"{}\"", png()), QUOTED)]
#[case::python_bytes(format!("b'{}'", jpeg()), PYTHON)]
#[case::python_bytes_in_double_quotes(format!("b\"{}\"", jpeg()), PYTHON)]
#[case::hex(hex::encode(images::jpeg(700, 3)), HEX)]
#[case::upper_case_hex_of_a_png(hex::encode_upper(images::png(700, 3)), HEX)]
#[case::hex_of_a_database(format!("0x{}", hex::encode(images::jpeg(700, 3))), HEX)]
#[case::hex_of_postgres(format!("\\x{}", hex::encode(images::jpeg(700, 3))), HEX)]
#[case::hex_bytes("ff:d8:ff:e0:00:10:4a:46", HEX)]
#[case::hex_escapes("\\xff\\xd8\\xff\\xe0\\x00", HEX)]
#[case::hex_after_a_prefix(format!("data:image/jpeg;base64,{}", hex::encode(images::jpeg(700, 3))), HEX)]
#[case::base64_of_hex(STANDARD.encode(hex::encode(images::jpeg(700, 3))), HEX)]
#[case::base64_of_base64(STANDARD.encode(jpeg()), TWICE)]
#[case::base64_of_base64_of_base64(STANDARD.encode(STANDARD.encode(png())), TWICE)]
#[case::base64_of_wrapped_base64(STANDARD.encode(jpeg().replacen("AAAA", "AAAA\n", 1)), TWICE)]
#[case::base64_of_a_data_url(STANDARD.encode(format!("data:image/png;base64,{}", png())), TWICE)]
#[case::base64_of_quoted_base64(STANDARD.encode(format!("\"{}\"", jpeg())), TWICE)]
#[case::base64_of_utf16(STANDARD.encode(utf16(&jpeg(), b"\xFF\xFE")), TWICE)]
#[case::jpeg_with_replacement_characters("77+977+977+977+9ABBKRklG", MANGLED)]
#[case::png_with_replacement_characters("77+9UE5HDQoaCgAAAA==", MANGLED)]
#[case::jpeg_as_latin1("w7/DmMO/w6AAEEpGSUY=", MANGLED)]
#[case::png_as_latin1("wolQTkcNChoKAAAA", MANGLED)]
#[case::png_as_windows_1252("4oCwUE5HDQoaCgAAAA==", MANGLED)]
#[case::jpeg_as_utf16(STANDARD.encode(utf16(&latin1(&images::jpeg(700, 3)), b"")), MANGLED)]
#[case::jpeg_as_ascii("Pz8/PwAQSkZJRgAB", MANGLED)]
#[case::png_with_other_line_ends(STANDARD.encode(b"\x89PNG\n\x1A\n\0\0\0\x0DIHDR"), MANGLED)]
#[case::mangled_and_cut_off("w7/DmMO/w6AAEEpGSUY=A", MANGLED)]
#[case::jpeg_with_windows_line_ends(STANDARD.encode(windows_line_ends(&images::jpeg(20_000, 3))), MANGLED)]
#[case::base64_with_a_dot_at_the_end_of_its_head(format!("{}.{}", &long_jpeg()[..1021], &long_jpeg()[1022..]), OTHER)]
#[case::base64_of_a_byte_order_mark(STANDARD.encode([b"\xEF\xBB\xBF", &images::jpeg(700, 3)[..]].concat()), UNKNOWN)]
#[case::a_long_path(format!("/storage/emulated/0/{}/photo", "folder/".repeat(20)), FILE_NAME)]
#[case::empty_canvas("data:,", EMPTY_URL)]
#[case::empty_data_url("data:image/png;base64,", EMPTY_URL)]
#[case::data_url_without_base64(format!("data:image/jpeg,{}", jpeg()), DATA_WITHOUT_BASE64)]
#[case::data_url_with_a_semicolon_for_a_comma(format!("data:image/jpeg;base64;{}", jpeg()), DATA_WITHOUT_BASE64)]
#[case::data_url_of_its_type_alone("data:image/jpeg", DATA_WITHOUT_BASE64)]
#[case::two_prefixes(format!("data:image/png;base64,data:image/png;base64,{}", png()), TWO_PREFIXES)]
#[case::two_prefixes_of_other_case(format!("data:;base64,DATA:image/png;base64,{}", png()), TWO_PREFIXES)]
#[case::prefix_without_its_scheme(format!("image/jpeg;base64,{}", jpeg()), PREFIX)]
#[case::prefix_of_one_word(format!("base64,{}", jpeg()), PREFIX)]
#[case::url_safe(URL_SAFE.encode(images::png(700, 3)), URL_SAFE_ALPHABET)]
#[case::url_safe_jpeg(URL_SAFE.encode(images::jpeg(700, 3)), URL_SAFE_ALPHABET)]
#[case::percent_encoded(png().replace('+', "%2B"), PERCENT)]
#[case::percent_encoded_prefix(format!("data%3Aimage%2Fpng%3Bbase64%2C{}", png()), PERCENT)]
#[case::percent_encoded_line_breaks(jpeg().replacen("AAAA", "AAAA%0A", 1), PERCENT)]
#[case::html_entity(png().replace('+', "&#43;"), ENTITY)]
#[case::hexadecimal_html_entity(png().replace('/', "&#x2F;"), ENTITY)]
#[case::file_name("front.jpg", FILE_NAME)]
#[case::curl_s_file_name("@front.b64", FILE_NAME)]
#[case::redirected_file_name("<front.b64", FILE_NAME)]
#[case::path("/home/me/pictures/front.jpeg", FILE_NAME)]
#[case::windows_path("C:\\Users\\me\\front.JPG", FILE_NAME)]
#[case::browser_s_fake_path("C:\\fakepath\\front.png", FILE_NAME)]
#[case::url("https://example.com/front?size=large", FILE_NAME)]
#[case::blob_url("blob:https://example.com/1b2e", FILE_NAME)]
#[case::content_url("content://media/external/images/17", FILE_NAME)]
#[case::json(format!("{{\"image\":\"{}\"}}", jpeg()), WRAPPED)]
#[case::json_array(format!("[\"{}\"]", jpeg()), WRAPPED)]
#[case::xml(format!("<image>{}</image>", jpeg()), WRAPPED)]
#[case::html(format!("<img src=\"data:image/png;base64,{}\">", png()), WRAPPED)]
#[case::css(format!("url(data:image/jpeg;base64,{})", jpeg()), WRAPPED)]
#[case::markdown(format!("![front](data:image/png;base64,{})", png()), WRAPPED)]
#[case::its_name_before_it(format!("idImage={}", jpeg()), WRAPPED)]
#[case::a_header_before_it(format!("Content-Type: image/png\r\n\r\n{}", png()), WRAPPED)]
#[case::error_page(format!("<html><a href=\"https://example.com/\">{}</a></html>", "not found ".repeat(9)), WRAPPED)]
#[case::icon(format!("AAABAAEAEBAAAAEAIABoBAAA{}", "A".repeat(100)), UNKNOWN)]
#[case::zeros("A".repeat(100), UNKNOWN)]
#[case::space_for_plus(png().replace('+', " "), SPACE)]
#[case::spaces_in_groups_of_four(lines(&png(), 4, " "), SPACE)]
#[case::tab_inside(png().replacen("AAAA", "AA\tAA", 1), TAB)]
#[case::columns(lines(&png(), 8, "\t"), TAB)]
#[case::indented_lines(lines(&png(), 76, "\n    "), INDENTED)]
#[case::lines_indented_with_tabs(lines(&jpeg(), 76, "\r\n\t"), INDENTED)]
#[case::spaces_at_the_ends_of_lines(lines(&png(), 76, " \n"), INDENTED)]
#[case::indented_after_the_prefix(format!("data:image/png;base64,\n  {}", png()), INDENTED)]
#[case::quoted_printable_lines(lines(&png(), 75, "=\r\n"), PADDING)]
#[case::space_after_the_prefix(format!("data:image/png;base64, {}", png()), INDENTED)]
#[case::two_texts_in_a_row(format!("{0}{0}", STANDARD.encode(images::png(701, 3))), PADDING)]
#[case::quoted_printable(STANDARD.encode(images::png(701, 3)).replace('=', "=3D"), PADDING)]
#[case::too_much_padding(STANDARD.encode(images::png(701, 3)) + "==", PADDING)]
#[case::padding_where_none_is_needed(STANDARD.encode(images::png(702, 3)) + "=", PADDING)]
#[case::shortened_for_a_log(format!("{}...", &jpeg()[..100]), CUT_OFF)]
#[case::jpeg_without_its_slash(&jpeg()[1..], NO_BEGINNING)]
#[case::png_without_its_first_letter(&png()[1..], NO_BEGINNING)]
#[case::another_text_cut_inside_a_byte("A".repeat(101), CUT_OFF)]
#[case::shortened_with_an_ellipsis(format!("{}\u{2026}", &jpeg()[..100]), CUT_OFF)]
#[case::a_comma_at_the_end(format!("{},", jpeg()), OTHER)]
#[case::a_period_at_the_end(format!("{}.", jpeg()), OTHER)]
#[case::another_field_of_a_url_encoded_form(format!("{}&selfieImage=", jpeg()), OTHER)]
#[case::prefix_with_a_space(format!("data:image/png; base64,{}", png()), DATA_WITHOUT_BASE64)]
#[case::path_without_an_extension("/tmp/phpA1b2C3", FILE_NAME)]
#[case::sentences("the quick brown fox jumps over the lazy dog ".repeat(3), OTHER)]
#[case::laravel_s_prefix(format!("base64:{}", jpeg()), WRAPPED)]
#[case::hex_dump("00000000: ffd8 ffe0 0010 4a46 4946 0001 0101 0048  ......JFIF.....H\n".repeat(3), HEX)]
#[case::sql_literal(format!("X'{}'", hex::encode(images::jpeg(200, 3))), HEX)]
#[case::something_else("hello, world ".repeat(9), OTHER)]
#[case::a_greeting("hello, world", SHORT)]
#[case::an_address("s3cret@example.com", SHORT)]
#[case::a_word("hello", SHORT)]
#[case::base64_of_a_word("aGVsbG8=", UNKNOWN)]
#[case::one_byte("YQ==", UNKNOWN)]
fn is_named(#[case] text: impl Into<Vec<u8>>, #[case] reason: &str) {
    assert_eq!(refusal(&text.into()), reason);
}

/// A text that a database column or a form limit cut, wherever it did.
#[rstest]
#[case::jpeg(images::jpeg(2000, 5))]
#[case::png(images::png(2000, 5))]
fn every_cut_is_named(
    #[case] image: Vec<u8>,
    #[values("", "data:image/jpeg;base64,")] prefix: &str,
) {
    let text = STANDARD_NO_PAD.encode(&image);
    let named = [
        "the Base64 is cut off",
        "the JPEG is cut off",
        "the PNG is cut off",
    ];
    for end in 1..text.len() - 1 {
        let reason = refusal(format!("{prefix}{}", &text[..end]).as_bytes());
        assert!(named.contains(&&*reason), "{end}: {reason}");
    }
}
