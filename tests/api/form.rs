//! Which bodies are forms: what clients send is read, and what two parsers could read in two ways is refused.

use futures_util::FutureExt as _;
use put_image::form::{Form as Parsed, MAX_BOUNDARY, MAX_PARTS};
use rstest::rstest;

const TYPE: &str = "multipart/form-data; boundary=b";

const ABSENT: &str = "the boundary isn't in the body: let the client set Content-Type";
const AMBIGUOUS: &str =
    "a boundary isn't on a line of its own, or the form continues after its end";
const NO_BOUNDARY: &str = "Content-Type needs one boundary, of 1 to 70 printable characters";
const NOT_MULTIPART: &str = "Content-Type isn't multipart/form-data";
const MALFORMED: &str = "the form is malformed";
const LINE_ENDS: &str = "lines must end with CRLF";
const PART_HEADERS: &str = "a part's headers are malformed, repeated, or longer than 8192 bytes";
const UNCLOSED: &str = "the form has no closing boundary";
const TWO_TYPES: &str = "send one Content-Type, without a comma";
const UNNAMED: &str = "a part needs a Content-Disposition with exactly one name, and no name*";
const BACKSLASH: &str = "a part's Content-Disposition has a backslash before a quotation mark: \
                         use a filename without them";
const GRAMMAR: &str = "a part's Content-Disposition is malformed";
const FOLDED: &str = "a part's header is folded: write it on one line";
const NOT_FORM_DATA: &str = "a part's Content-Disposition must start with form-data;";
const SPACED_SIGN: &str = "a part's Content-Disposition has whitespace around an equals sign";
const UNQUOTED: &str =
    "a part's Content-Disposition has a value with whitespace that isn't in quotation marks";

fn part(name: &str, content: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
}

fn read(content_type: &str, body: &str) -> Result<(Option<String>, Option<String>), String> {
    let form = Parsed::read(content_type, body.to_owned().into());
    // A body in memory is read without waiting.
    let form = form
        .now_or_never()
        .unwrap()
        .map_err(|error| error.to_string())?;
    let submission_id = form.submission_id.map(|id| id.as_str().to_owned());
    Ok((
        submission_id,
        form.admin.map(|admin| admin.as_str().to_owned()),
    ))
}

#[track_caller]
fn assert_read(content_type: &str, body: &str, submission_id: Option<&str>, admin: Option<&str>) {
    let expected = (submission_id.map(str::to_owned), admin.map(str::to_owned));
    assert_eq!(read(content_type, body), Ok(expected), "{body}");
}

#[track_caller]
fn assert_refused(content_type: &str, body: &str, why: &str) {
    assert_eq!(read(content_type, body), Err(why.to_owned()), "{body}");
}

/// A form of one part, `admin`.
fn admin(content: &str) -> String {
    part("admin", content) + "--b--"
}

#[rstest]
#[case::plain(TYPE, &admin("1"), "1")]
#[case::quoted_boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"b\"", &admin("1"), "1")]
#[case::preamble_and_epilogue(TYPE, &format!("preamble\r\n{}\r\nepilogue", admin("1")), "1")]
#[case::empty_lines_around(TYPE, &format!("\r\n{}\r\n", admin("1")), "1")]
#[case::whitespaces_after_boundaries(TYPE, &(part("admin", "1").replace("--b\r\n", "--b \t\r\n") + "--b-- \r\n"), "1")]
#[case::boundary_inside_a_line(TYPE, &(admin("x--b--a--b--") + " x--b"), "x--b--a--b--")]
#[case::more_headers(
    TYPE,
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\ncontent-disposition:form-data;name=admin\r\n\r\n1\r\n--b--",
    "1"
)]
#[case::a_file(
    TYPE,
    "--b\r\nContent-Disposition: form-data; name=\"admin\"; filename=\"a.b64\"\r\n\
     Content-Type: application/octet-stream; charset=utf-8\r\n\r\n1\r\n--b--",
    "1"
)]
#[case::windows_path(TYPE, &admin("1").replace("; name", "; filename=\"C:\\tmp\\x\"; name"), "1")]
#[case::extended_file_name(TYPE, &admin("1").replace("\r\n\r\n1", "; filename*=utf-8''x ;\r\n\r\n1"), "1")]
#[case::odd_boundary("multipart/form-data; boundary=----=_x/y:z?", &admin("1").replace("--b", "------=_x/y:z?"), "1")]
#[case::boundary_with_a_space("multipart/form-data; boundary=\"x y\"", &admin("1").replace("--b", "--x y"), "1")]
fn what_clients_send_is_read(#[case] content_type: &str, #[case] body: &str, #[case] text: &str) {
    assert_read(content_type, body, None, Some(text));
}

#[test]
fn empty_fields_and_empty_forms_are_read() {
    let form = part("submissionId", "1") + &part("admin", "") + "--b--";
    assert_read(TYPE, &form, Some("1"), None);
    assert_read(TYPE, "--b--\r\n", None, None);
}

#[rstest]
#[case::another_type("text/plain; boundary=b", NOT_MULTIPART)]
#[case::another_multipart("multipart/mixed; boundary=b", NOT_MULTIPART)]
#[case::none("", NOT_MULTIPART)]
#[case::no_boundary("multipart/form-data", NO_BOUNDARY)]
#[case::empty("multipart/form-data; boundary=", NO_BOUNDARY)]
#[case::two("multipart/form-data; boundary=b; boundary=c", NO_BOUNDARY)]
#[case::extended("multipart/form-data; boundary=b; boundary*=utf-8''c", NO_BOUNDARY)]
#[case::continued("multipart/form-data; boundary=b; boundary*0=c", NO_BOUNDARY)]
#[case::whitespace_at_the_end("multipart/form-data; boundary=\"b \"", NO_BOUNDARY)]
#[case::open_quote("multipart/form-data; boundary=\"b", NO_BOUNDARY)]
#[case::whitespace_inside("multipart/form-data; boundary=b c", NO_BOUNDARY)]
#[case::joined_by_a_comma(
    "multipart/form-data; boundary=b,multipart/form-data; boundary=b",
    TWO_TYPES
)]
#[case::joined_by_a_comma_and_a_space("multipart/form-data; boundary=b, text/plain", TWO_TYPES)]
#[case::quoted_and_joined("multipart/form-data; boundary=\"b\",multipart/form-data", TWO_TYPES)]
#[case::comma_in_quotes("multipart/form-data; boundary=\"a,b\"", TWO_TYPES)]
fn content_types_without_one_boundary_are_refused(#[case] content_type: &str, #[case] why: &str) {
    assert_refused(content_type, "--b--", why);
}

#[test]
fn boundaries_have_at_most_70_characters() {
    assert_eq!(MAX_BOUNDARY, 70);
    let form = |boundary: &str| admin("1").replace("--b", &format!("--{boundary}"));
    let longest = "b".repeat(70);
    let content_type = format!("multipart/form-data; boundary={longest}");
    assert_read(&content_type, &form(&longest), None, Some("1"));
    let longer = "b".repeat(71);
    let content_type = format!("multipart/form-data; boundary={longer}");
    assert_refused(&content_type, &form(&longer), NO_BOUNDARY);
}

#[test]
fn every_truncation_of_a_form_is_refused() {
    let whole = admin("1");
    for end in 1..whole.len() {
        assert!(read(TYPE, &whole[..end]).is_err(), "{end}");
    }
}

#[rstest]
#[case::empty("", "the request has no body")]
#[case::no_closing_boundary(&part("admin", "1"), UNCLOSED)]
#[case::last_boundary_without_dashes(&(part("admin", "1") + "--b"), UNCLOSED)]
#[case::last_boundary_without_dashes_in_a_line(&(part("admin", "1") + "--b\r\n"), UNCLOSED)]
#[case::last_boundary_without_dashes_and_empty_lines(&(part("admin", "1") + "--b\r\n\r\n\r\n"), UNCLOSED)]
#[case::one_dash(&(part("admin", "1") + "--b-\r\n"), UNCLOSED)]
#[case::cut_in_headers(&(part("admin", "1") + "--b\r\nContent-Dispo"), UNCLOSED)]
#[case::text("text", ABSENT)]
#[case::another_boundary(&admin("1").replace("--b", "--c"), ABSENT)]
#[case::more_dashes_than_named(&admin("1").replace("--b", "----b"), ABSENT)]
#[case::fewer_dashes_than_named(&admin("1").replace("--b", "-b"), ABSENT)]
#[case::url_encoded("admin=1&submissionId=2", ABSENT)]
fn forms_that_do_not_end_are_refused(#[case] body: &str, #[case] why: &str) {
    assert_refused(TYPE, body, why);
}

#[rstest]
#[case::first_in_a_line(&format!("x{}", admin("1")), AMBIGUOUS)]
#[case::text_after_the_end(&format!("{}c", admin("1")), AMBIGUOUS)]
#[case::two_forms(&format!("{0}\r\n{0}", admin("1")), AMBIGUOUS)]
#[case::longer_boundary(&admin("1").replace("--b\r\n", "--bx\r\n"), MALFORMED)]
#[case::one_longer_boundary(&(part("admin", "1") + "--bx\r\nX: y\r\n\r\n1\r\n--b--"), MALFORMED)]
fn boundaries_that_could_be_missed_are_refused(#[case] body: &str, #[case] why: &str) {
    assert_refused(TYPE, body, why);
}

/// Other parsers end a line after each of these, and read a boundary in the next.
#[rstest]
#[case::all_lines(|form: &str, half: &str| form.replace("\r\n", half))]
#[case::before_the_first_boundary(|form: &str, half: &str| format!("x{half}{form}"))]
#[case::in_a_text(|form: &str, half: &str| form.replace("\r\n1\r\n", &format!("\r\n1{half}--b{half}\r\n")))]
#[case::after_the_end(|form: &str, half: &str| format!("{form}\r\nx{half}--b{half}"))]
#[case::before_the_last_boundary(|form: &str, half: &str| form.replace("\r\n--b--", &format!("{half}--b--")))]
#[case::after_a_boundary(|form: &str, half: &str| form.replacen("--b\r\n", &format!("--b{half}"), 1))]
#[case::after_a_header(|form: &str, half: &str| form.replacen("admin\"\r\n", &format!("admin\"{half}"), 1))]
#[case::between_headers(|form: &str, half: &str| form.replacen("\r\nContent-D", &format!("\r\nX: y{half}Content-D"), 1))]
#[case::in_an_unknown_part(|form: &str, half: &str| part("note", &format!("x{half}--b")) + form)]
#[case::a_decoy_in_a_text(|form: &str, half: &str| {
    part("note", &form.replace("\r\n", half).replace('1', "2")) + form
})]
#[case::a_decoy_in_the_preamble(|form: &str, half: &str| {
    format!("x{half}{}{half}\r\n{form}", form.replace("\r\n", half))
})]
fn half_a_line_break_is_refused(
    #[case] change: fn(&str, &str) -> String,
    #[values("\n", "\r")] half: &str,
) {
    assert_refused(TYPE, &change(&admin("1"), half), LINE_ENDS);
}

#[test]
fn half_a_line_break_away_from_boundaries_is_data() {
    let body = part("note", "a\nb\rc\n-- b\n-b") + &admin("1");
    assert_read(TYPE, &body, None, Some("1"));
    let body = format!(
        "preamble\n\r{}\nepilogue\r",
        admin("1").replacen("--b", "\r\n--b", 1)
    );
    assert_read(TYPE, &body, None, Some("1"));
}

#[rstest]
#[case::no_headers_at_all("--b\r\n", MALFORMED)]
#[case::no_headers("--b\r\n\r\n", UNNAMED)]
#[case::no_headers_but_content("--b\r\n\r\nx\r\n", UNNAMED)]
#[case::no_blank_line(
    "--b\r\nContent-Disposition: form-data; name=submissionId\r\n",
    PART_HEADERS
)]
#[case::no_content(
    "--b\r\nContent-Disposition: form-data; name=submissionId\r\n\r\n",
    PART_HEADERS
)]
fn a_part_does_not_swallow_the_next(#[case] before: &str, #[case] why: &str) {
    assert_refused(TYPE, &(before.to_owned() + &admin("1")), why);
}

#[rstest]
#[case::no_name("Content-Disposition: form-data", UNNAMED)]
#[case::empty_name("Content-Disposition: form-data; name=\"\"", UNNAMED)]
#[case::attachment("Content-Disposition: attachment; name=a", NOT_FORM_DATA)]
#[case::inline("Content-Disposition: inline; name=a", NOT_FORM_DATA)]
#[case::no_type("Content-Disposition: name=a", NOT_FORM_DATA)]
#[case::no_semicolon("Content-Disposition: form-data name=\"a\"", NOT_FORM_DATA)]
#[case::space_around_the_sign("Content-Disposition: form-data; name = \"a\"", SPACED_SIGN)]
#[case::space_after_the_sign("Content-Disposition: form-data; name= a", SPACED_SIGN)]
#[case::unquoted_filename(
    "Content-Disposition: form-data; name=a; filename=my photo.jpg",
    UNQUOTED
)]
#[case::two_names("Content-Disposition: form-data; name=a; name=c", UNNAMED)]
#[case::extended_name("Content-Disposition: form-data; name=a; name*=utf-8''c", UNNAMED)]
#[case::extended_name_alone("Content-Disposition: form-data; name*=utf-8''admin", UNNAMED)]
#[case::continued_name(
    "Content-Disposition: form-data; name=a; name*0=ad; name*1=min",
    UNNAMED
)]
#[case::escaped_quote(
    r#"Content-Disposition: form-data; name=a; filename="x\"y""#,
    BACKSLASH
)]
#[case::windows_folder(
    r#"Content-Disposition: form-data; name=a; filename="C:\x\""#,
    BACKSLASH
)]
#[case::escaped_backslash(
    r#"Content-Disposition: form-data; filename="\\"; name=evil; x="; name="a""#,
    BACKSLASH
)]
#[case::open_quote("Content-Disposition: form-data; name=\"a", GRAMMAR)]
#[case::text_after_the_quote("Content-Disposition: form-data; name=\"a\"b", GRAMMAR)]
#[case::parameter_without_a_value("Content-Disposition: form-data; name", GRAMMAR)]
#[case::parameter_without_a_name("Content-Disposition: form-data; =x; name=a", GRAMMAR)]
#[case::quote_inside("Content-Disposition: form-data; name=a\"b\"", UNQUOTED)]
#[case::no_disposition("Content-Type: text/plain", UNNAMED)]
#[case::two_types(
    "Content-Type: text/plain\r\nContent-Disposition: form-data; name=a\r\ncontent-type: message/rfc822",
    PART_HEADERS
)]
#[case::two_dispositions(
    "Content-Disposition: form-data; name=a\r\ncontent-disposition: form-data; name=c",
    PART_HEADERS
)]
#[case::folded("Content-Disposition: form-data; name=a\r\n ; name=c", FOLDED)]
#[case::folded_with_a_tab("Content-Disposition: form-data;\r\n\tname=a", FOLDED)]
#[case::folded_type(
    "Content-Disposition: form-data; name=a\r\nContent-Type: text/plain;\r\n charset=utf-8",
    FOLDED
)]
#[case::whitespace_before_the_colon("Content-Disposition : form-data; name=a", MALFORMED)]
#[case::nul("Content-Disposition: form-data; name=\"a\0\"", PART_HEADERS)]
#[case::line_without_a_colon("Content-Disposition: form-data; name=a\r\nno colon", MALFORMED)]
#[case::too_many(&("X-Header: value\r\n".repeat(10_000) + "Content-Disposition: form-data; name=a"), PART_HEADERS)]
fn part_headers_that_parsers_read_differently_are_refused(
    #[case] headers: &str,
    #[case] why: &str,
) {
    let body = format!("--b\r\n{headers}\r\n\r\n1\r\n--b--");
    assert_refused(TYPE, &body, why);
}

/// multer would take the name for the part's (rwf2/multer#72).
#[test]
fn a_name_inside_a_file_name_is_no_name() {
    let body = admin("1").replace("name=", "filename=\"x; name=submissionId \"; name=");
    assert_read(TYPE, &body, None, Some("1"));
}

/// A form of one part with one more header.
fn with_header(name: &str, header: &str) -> String {
    let disposition = format!("Content-Disposition: form-data; name={name}");
    format!("--b\r\n{disposition}\r\n{header}\r\n\r\n1\r\n--b--")
}

fn encoded(name: &str, encoding: &str) -> String {
    with_header(name, &format!("Content-Transfer-Encoding: {encoding}"))
}

#[rstest]
#[case("7bit")]
#[case("8BIT")]
#[case("binary")]
fn encodings_that_change_nothing_are_read(#[case] encoding: &str) {
    assert_read(TYPE, &encoded("admin", encoding), None, Some("1"));
}

#[rstest]
#[case("base64", "base64")]
#[case("Quoted-Printable", "quoted-printable")]
#[case("x-s3cret", "not 7bit, 8bit or binary")]
#[case("", "not 7bit, 8bit or binary")]
fn contents_that_are_encoded_once_more_are_refused(#[case] encoding: &str, #[case] named: &str) {
    let why = format!(
        "admin: Content-Transfer-Encoding is {named}: send the content as it is, without this header"
    );
    assert_refused(TYPE, &encoded("admin", encoding), &why);
    assert_read(TYPE, &encoded("unknown", encoding), None, None);
}

#[rstest]
#[case::multipart("Content-Type: Multipart/mixed; boundary=n")]
#[case::message("Content-Type: message/rfc822")]
fn a_form_inside_a_part_is_refused(#[case] header: &str) {
    let why = "admin: has a Content-Type of multipart or message";
    assert_refused(TYPE, &with_header("admin", header), why);
    assert_read(TYPE, &with_header("unknown", header), None, None);
}

#[rstest]
#[case::upper_case("SubmissionID", "submissionId")]
#[case::underscores("submission_id", "submissionId")]
#[case::capital("Admin", "admin")]
#[case::hyphen("id-type", "idType")]
#[case::lower_case("idimage", "idImage")]
#[case::constant("ID_BACK_IMAGE", "idBackImage")]
#[case::list("selfieImage[]", "selfieImage")]
#[case::index("selfieImage[0]", "selfieImage")]
#[case::index_after_a_dot("selfieImage.0", "selfieImage")]
#[case::index_at_the_end("selfieImage1", "selfieImage")]
#[case::index_after_an_underscore("selfie_image_2", "selfieImage")]
#[case::whitespace_at_the_end("selfieImage ", "selfieImage")]
#[case::whitespace_at_the_start(" selfieImage", "selfieImage")]
#[case::whitespace_inside("selfie Image", "selfieImage")]
#[case::tab_inside("selfie\tImage", "selfieImage")]
#[case::dot_inside("selfie.image", "selfieImage")]
#[case::colon("selfieImage:", "selfieImage")]
#[case::wrapped("image[selfieImage]", "selfieImage")]
#[case::wrapped_twice("data[images][selfieImage][]", "selfieImage")]
#[case::wrapped_in_an_index("images[0][idImage]", "idImage")]
#[case::wrapping("selfieImage[file]", "selfieImage")]
#[case::wrapped_in_quotes("image['selfie_image']", "selfieImage")]
#[case::path("form.selfieImage", "selfieImage")]
#[case::longer_path("body.images.0.selfieImage", "selfieImage")]
#[case::slashes("/images/selfieImage", "selfieImage")]
#[case::file_name("selfieImage.jpg", "selfieImage")]
#[case::single_quotes("'selfieImage'", "selfieImage")]
#[case::backquotes("`selfieImage`", "selfieImage")]
#[case::typographic_quotes("“selfieImage”", "selfieImage")]
#[case::quotes_of_a_browser("%22selfieImage%22", "selfieImage")]
#[case::percent_encoded_list("selfieImage%5B%5D", "selfieImage")]
#[case::percent_encoded_and_wrapped("image%5BselfieImage%5D", "selfieImage")]
#[case::percent_encoded_mark("%EF%BB%BFidImage", "idImage")]
#[case::byte_order_mark("\u{FEFF}selfieImage", "selfieImage")]
#[case::byte_order_mark_replaced("\u{FFFD}selfieImage", "selfieImage")]
#[case::zero_width_space("\u{200B}selfieImage", "selfieImage")]
#[case::zero_width_space_inside_and_wrapped("image[selfie\u{200B}Image]", "selfieImage")]
#[case::no_break_space("selfieImage\u{A0}", "selfieImage")]
#[case::hangul_filler("id\u{3164}Image", "idImage")]
#[case::account_in_a_list("admin[]", "admin")]
#[case::account_with_an_index("admin.0", "admin")]
fn misspelled_fields_are_refused(#[case] name: &str, #[case] field: &str) {
    let why = format!("{field}: misspelled field name");
    let good =
        part("admin", "1").replace("admin", if field == "admin" { "idType" } else { "admin" });
    let body = good + &part(name, "AAAA") + "--b--";
    assert_refused(TYPE, &body, &why);
}

#[rstest]
#[case("note")]
#[case("selfieConsent")]
#[case("selfie_consent")]
#[case("idImageCount")]
#[case("id_image_count")]
#[case("id-image-count")]
#[case("idImage_file")]
#[case("adminNote")]
#[case("admin_note")]
#[case("admin's note")]
#[case("administrator")]
#[case("admin[note]")]
#[case("admin.email")]
#[case("user[admin]")]
#[case("idType.label")]
#[case("submissionId_hint")]
#[case("documentImageType")]
#[case("image_count")]
#[case("image")]
#[case("image[]")]
#[case("images[0].data")]
#[case("selfie")]
#[case("selfie[image]s")]
#[case("id")]
#[case("type")]
#[case("x-admin-")]
#[case("[]")]
#[case("%")]
#[case("100%")]
fn other_fields_are_ignored(#[case] name: &str) {
    let body = part(name, "x") + &admin("1");
    assert_read(TYPE, &body, None, Some("1"));
}

#[rstest]
#[case::too_long(&"a".repeat(257), "admin: longer than 256 bytes")]
#[case::not_utf8("\u{FFFD}", "admin: not UTF-8")]
#[case::nul("a\0b", "admin: contains a control character")]
#[case::tab("a\tb", "admin: contains a control character")]
#[case::line_break("a\r\nb", "admin: contains a control character")]
#[case::escape("a\u{1b}[31m", "admin: contains a control character")]
#[case::next_line("a\u{85}b", "admin: contains a control character")]
#[case::delete("\u{7f}", "admin: contains a control character")]
fn texts_that_are_not_short_and_clean_are_refused(#[case] text: &str, #[case] why: &str) {
    assert_refused(TYPE, &admin(text), why);
}

#[test]
fn texts_have_at_most_256_bytes() {
    let longest = "a".repeat(256);
    assert_read(TYPE, &admin(&longest), None, Some(&longest));
}

#[test]
fn a_field_is_sent_once() {
    let twice = part("admin", "") + &admin("1");
    assert_refused(TYPE, &twice, "admin: sent more than once");
}

#[test]
fn parts_are_counted() {
    let most = part("a", "1").repeat(MAX_PARTS);
    assert_read(TYPE, &(most.clone() + "--b--"), None, None);
    let more = most + &part("a", "1") + "--b--";
    assert_refused(TYPE, &more, "the form has more than 64 parts");
}
