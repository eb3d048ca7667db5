//! What a reader of a text overlooks: callers paste or prepend it without noticing.

/// Quotation marks, as programs and word processors write them.
pub const QUOTES: [char; 12] = ['"', '\'', '`', '´', '“', '”', '„', '‘', '’', '‚', '«', '»'];

/// Returns whether a character is invisible: a control character, whitespace other than ASCII's space, a byte order
/// mark, a zero-width or direction mark, a noncharacter, or another that Unicode tells readers to ignore
/// (`Default_Ignorable_Code_Point`).
pub fn is_invisible(char: char) -> bool {
    let is_ignorable = matches!(
        char,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{FFFE}'..='\u{FFFF}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    );
    is_ignorable || char.is_control() || (char.is_whitespace() && char != ' ')
}
