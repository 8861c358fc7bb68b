//! Finds the paths in Rust code.

/// A word, `::` or another sign.
pub(crate) struct Token {
    line: usize,
    text: String,
}

/// A path, with the inline modules around it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) line: usize,
    pub(crate) inline: Vec<String>,
    pub(crate) segments: Vec<String>,
}

/// Returns the tokens outside `#[cfg(test)]`, and the names of the modules declared inside it.
pub(crate) fn product_code(text: &str) -> (Vec<Token>, Vec<String>) {
    let (mut product, mut test_modules) = (Vec::new(), Vec::new());
    let mut tokens = tokens(text).into_iter().peekable();
    while let Some(token) = tokens.next() {
        product.push(token);
        let end: Vec<_> = product.iter().rev().take(7).rev().map(|token| token.text.as_str()).collect();
        if end != ["#", "[", "cfg", "(", "test", ")", "]"] {
            continue;
        }
        product.truncate(product.len() - end.len());
        // The item ends with a semicolon, or with the brace that closes its body.
        let (mut depth, mut item) = (0_i32, Vec::new());
        for token in tokens.by_ref() {
            depth += match token.text.as_str() {
                "{" | "(" | "[" => 1,
                "}" | ")" | "]" => -1,
                _ => 0,
            };
            let is_last = depth == 0 && matches!(token.text.as_str(), "}" | ";");
            item.push(token.text);
            if is_last {
                break;
            }
        }
        if let [.., keyword, name, end] = item.as_slice()
            && keyword == "mod"
            && end == ";"
        {
            test_modules.push(name.clone());
        }
    }
    (product, test_modules)
}

/// Returns each path of at least two segments, with one path for each name in braces.
pub(crate) fn paths(tokens: &[Token]) -> Vec<Found> {
    let (mut found, mut at, mut depth) = (Vec::new(), 0, 0);
    let mut inline: Vec<(usize, String)> = Vec::new();
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => {
                depth += 1;
                at += 1;
            }
            "}" => {
                inline.retain(|(outer, _)| *outer + 1 < depth);
                depth -= 1;
                at += 1;
            }
            "mod" if text(tokens, at + 2) == "{" => {
                inline.push((depth, text(tokens, at + 1).to_owned()));
                at += 2;
            }
            _ if is_word(&token.text) => {
                let first = found.len();
                at = read_path(tokens, at, &[], &mut found);
                for path in &mut found[first..] {
                    path.inline = inline.iter().map(|(_, name)| name.clone()).collect();
                }
            }
            _ => at += 1,
        }
    }
    found.retain(|path| path.segments.len() > 1);
    found
}

/// Reads the path that begins at `at`, and returns the index of the token after it.
fn read_path(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Found>) -> usize {
    let mut segments = prefix.to_vec();
    while let Some(Token { line, text: word }) = tokens.get(at) {
        at += 1;
        if word == "{" && !segments.is_empty() {
            while !matches!(text(tokens, at), "}" | "") {
                at = read_path(tokens, at, &segments, found);
            }
            return at + 1;
        }
        if !is_word(word) && word != "*" {
            return at;
        }
        segments.push(word.clone());
        let next = text(tokens, at + 1);
        if text(tokens, at) == "::" && (is_word(next) || matches!(next, "{" | "*")) {
            at += 1;
            continue;
        }
        found.push(Found { line: *line, inline: Vec::new(), segments });
        let is_renamed = !prefix.is_empty() && text(tokens, at) == "as";
        return if is_renamed { at + 2 } else { at };
    }
    at
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| &token.text)
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn is_part_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Returns the words and signs of `text`, without comments, literals and lifetimes.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let word = rest.split(|character| !is_part_of_word(character)).next().unwrap_or_default();
        let length = literal_or_comment(rest, word).unwrap_or_else(|| {
            let token = if rest.starts_with("::") {
                "::"
            } else if word.is_empty() {
                &rest[..first.len_utf8()]
            } else {
                word
            };
            if !first.is_whitespace() {
                tokens.push(Token { line, text: token.to_owned() });
            }
            token.len()
        });
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// Returns the length of what `rest` begins with, unless that is a token.
fn literal_or_comment(rest: &str, word: &str) -> Option<usize> {
    let until = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let after_word = &rest[word.len()..];
    let hashes = after_word.len() - after_word.trim_start_matches('#').len();
    if rest.starts_with("//") {
        Some(rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        Some(block_comment(rest))
    } else if matches!(word, "r" | "br" | "cr") && after_word[hashes..].starts_with('"') {
        Some(until(word.len() + hashes + 1, &format!("\"{}", "#".repeat(hashes))))
    } else if word == "r" && hashes == 1 {
        Some("r#".len())
    } else if rest.starts_with('"') {
        Some(string(rest))
    } else if rest.starts_with("'\\") {
        Some(until(3, "'"))
    } else if let Some(after_quote) = rest.strip_prefix('\'') {
        let character = after_quote.chars().next().map_or(0, char::len_utf8);
        let is_character = after_quote[character..].starts_with('\'');
        let lifetime = after_quote.find(|character| !is_part_of_word(character)).unwrap_or(after_quote.len());
        Some(1 + if is_character { character + 1 } else { lifetime })
    } else {
        None
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let Some(next) = rest[at..].find("*/").map(|end| at + end) else { return rest.len() };
        match rest[at..next].find("/*") {
            Some(start) => (at, depth) = (at + start + 2, depth + 1),
            None => (at, depth) = (next + 2, depth - 1),
        }
    }
    at
}

fn string(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    rest.len()
}

#[test]
fn paths_outside_comments_literals_and_tests_are_found() {
    let code = r##"
        use a::{b::{self, C as D}, e::*}; // no::comment
        /* no::block /* no::nested */ no::more */
        pub(crate) fn f<'a>(text: &'a str) -> Vec<g::H<i::J>> { k::<L>(text, 'x', '\'', '\u{41}') }
        const A: &str = "no::string \" no::quote"; const B: &str = r#"no::raw " no"#; const C: &[u8] = b"no::bytes";
        #[cfg(test)]
        use no::test_import::{A, B};
        #[cfg(test)]
        #[allow(dead_code, reason = "x")]
        mod tests { fn f() { no::test_body() } }
        #[cfg(test)] pub(crate) mod fixture;
        mod inner { fn f() { super::m(); } mod deep { fn f() { super::n() } } fn g() { r#type::o() } }
        ::p::q(0..1, 'label: loop { r::s });
    "##;
    let (tokens, test_modules) = product_code(code);
    let found: Vec<_> = paths(&tokens)
        .into_iter()
        .map(|Found { line, inline, segments }| format!("{line} {}: {}", inline.join("."), segments.join("::")))
        .collect();
    let expected = [
        "2 : a::b::self",
        "2 : a::b::C",
        "2 : a::e::*",
        "4 : g::H",
        "4 : i::J",
        "12 inner: super::m",
        "12 inner.deep: super::n",
        "12 inner: type::o",
        "13 : p::q",
        "13 : r::s",
    ];
    assert_eq!(found, expected);
    assert_eq!(test_modules, ["fixture"]);
}
