//! The texts of the SMS.
//!
//! A text of one segment costs one SMS; a longer one costs one for each segment. The documentation states which texts
//! can have two.

use zeroize::Zeroizing;

use crate::values::{AppHash, AuthCode, Language, Purpose};

/// The last line of the SMS of a code, which lets a phone fill in the code.
#[derive(Clone, Copy, Debug)]
pub enum LastLine<'a> {
    /// None.
    None,
    /// The domain of the web page that requests the code, which browsers and iOS compare with the page's
    /// ([origin-bound one-time codes](https://wicg.github.io/sms-one-time-codes/)).
    Domain(&'a str),
    /// The hash of the Android app that requests the code.
    AppHash(&'a AppHash),
}

/// Returns the text of the SMS of a code. It names the purpose, and warns not to pass the code on, unless the warning
/// would cost one more segment.
#[must_use]
pub fn code(
    language: Language,
    purpose: Purpose,
    code: &AuthCode,
    service: &str,
    code_seconds: i64,
    last_line: LastLine<'_>,
) -> Zeroizing<String> {
    let (code, minutes) = (code.expose_secret(), code_seconds / 60);
    let last_line = match last_line {
        LastLine::None => String::new(),
        LastLine::Domain(domain) => format!("\n@{domain} #{code}"),
        LastLine::AppHash(hash) => format!("\n{}", hash.as_str()),
    };
    let (text, warning) = match language {
        Language::Korean => {
            let purpose = match purpose {
                Purpose::Signup => "회원가입",
                Purpose::PasswordReset => "비밀번호 재설정",
                Purpose::Login => "로그인",
                Purpose::PhoneChange => "전화번호 변경",
            };
            (format!("[{service}] {purpose} 인증번호 {code} ({minutes}분 이내 입력)"), " 타인 공유 금지")
        }
        Language::Japanese => {
            let purpose = match purpose {
                Purpose::Signup => "会員登録",
                Purpose::PasswordReset => "パスワード再設定",
                Purpose::Login => "ログイン",
                Purpose::PhoneChange => "電話番号変更",
            };
            let text = format!("[{service}] {purpose}の認証コード: {code} ({minutes}分間有効)");
            (text, " 他人に教えないでください")
        }
        Language::English => {
            let purpose = match purpose {
                Purpose::Signup => "sign-up",
                Purpose::PasswordReset => "password reset",
                Purpose::Login => "login",
                Purpose::PhoneChange => "phone change",
            };
            let text = format!("[{service}] {code} is your {purpose} code ({minutes} min)");
            (text, ". Do not share it with anyone.")
        }
    };
    let [without, with] = ["", warning].map(|warning| Zeroizing::new(format!("{text}{warning}{last_line}")));
    if segments(&with) > segments(&without) { without } else { with }
}

/// Returns the text of the SMS after a password reset, with what to do if it was somebody else. One segment.
#[must_use]
pub fn password_was_reset(language: Language, service: &str) -> String {
    match language {
        Language::Korean => {
            format!("[{service}] 비밀번호가 재설정되었습니다. 본인이 하지 않았다면 즉시 비밀번호를 다시 설정하세요.")
        }
        Language::Japanese => {
            format!("[{service}] パスワードが再設定されました。お心当たりがない場合は、すぐに再設定してください。")
        }
        Language::English => format!("[{service}] Your password was reset. Not you? Reset it now."),
    }
}

/// Returns the text of the SMS to the previous phone number after a change, with what to do if it was somebody else. One
/// segment.
#[must_use]
pub fn phone_was_changed(language: Language, service: &str) -> String {
    match language {
        Language::Korean => {
            format!("[{service}] 계정의 전화번호가 변경되었습니다. 본인이 하지 않았다면 즉시 고객센터에 문의하세요.")
        }
        Language::Japanese => {
            format!("[{service}] 電話番号が変更されました。お心当たりがない場合は、すぐにお問い合わせください。")
        }
        Language::English => format!("[{service}] Your phone number changed. Not you? Contact us."),
    }
}

/// Returns the number of segments in which a text is sent (3GPP TS 23.038 and 23.040): of 160 septets if all of it is
/// in the GSM 7-bit alphabet, otherwise of 70 UCS-2 characters. Several segments have a header each, and room for 153
/// or 67.
#[must_use]
pub fn segments(text: &str) -> usize {
    let (units, one, each) = match text.chars().map(septets).sum::<Option<usize>>() {
        Some(septets) => (septets, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    if units <= one { 1 } else { units.div_ceil(each) }
}

/// Returns the septets of a character of the GSM 7-bit default alphabet and its extension (3GPP TS 23.038, 6.2.1), or
/// `None` for any other one.
fn septets(c: char) -> Option<usize> {
    const OTHER_THAN_ASCII: &str = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
    match c {
        '[' | ']' | '{' | '}' | '^' | '~' | '\\' | '|' | '€' | '\u{c}' => Some(2),
        '`' => None,
        '\n' | '\r' | ' '..='~' => Some(1),
        _ => OTHER_THAN_ASCII.contains(c).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Field as _;

    /// The longest names: of two septets each, and of other characters than the GSM 7-bit alphabet.
    const NAMES: [&str; 2] = ["~~~~~~~~~~~~~~~~~~~~", "가나다라마바사아자차카타파하가나다라마바"];
    /// The longest time, in seconds.
    const SECONDS: i64 = 600;

    fn auth_code() -> AuthCode {
        AuthCode::parse("12345678").unwrap()
    }

    fn texts<'a>(name: &'a str, last_line: LastLine<'a>) -> impl Iterator<Item = (Language, Zeroizing<String>)> + 'a {
        Language::ALL.into_iter().flat_map(move |language| {
            Purpose::ALL
                .into_iter()
                .map(move |purpose| (language, code(language, purpose, &auth_code(), name, SECONDS, last_line)))
        })
    }

    #[test]
    fn a_text_names_the_service_the_purpose_the_code_and_the_minutes() {
        let text =
            |language, purpose| code(language, purpose, &auth_code(), "Ably", 300, LastLine::None).as_str().to_owned();
        let expected = [
            "[Ably] 회원가입 인증번호 12345678 (5분 이내 입력) 타인 공유 금지",
            "[Ably] 비밀번호 재설정 인증번호 12345678 (5분 이내 입력) 타인 공유 금지",
            "[Ably] 로그인 인증번호 12345678 (5분 이내 입력) 타인 공유 금지",
            "[Ably] 전화번호 변경 인증번호 12345678 (5분 이내 입력) 타인 공유 금지",
            "[Ably] 12345678 is your sign-up code (5 min). Do not share it with anyone.",
            "[Ably] 12345678 is your password reset code (5 min). Do not share it with anyone.",
            "[Ably] 12345678 is your login code (5 min). Do not share it with anyone.",
            "[Ably] 12345678 is your phone change code (5 min). Do not share it with anyone.",
            "[Ably] 会員登録の認証コード: 12345678 (5分間有効) 他人に教えないでください",
            "[Ably] パスワード再設定の認証コード: 12345678 (5分間有効) 他人に教えないでください",
            "[Ably] ログインの認証コード: 12345678 (5分間有効) 他人に教えないでください",
            "[Ably] 電話番号変更の認証コード: 12345678 (5分間有効) 他人に教えないでください",
        ];
        let texts: Vec<_> =
            Language::ALL.iter().flat_map(|language| Purpose::ALL.map(|purpose| text(*language, purpose))).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn every_text_fits_one_segment() {
        for name in NAMES {
            for (_, text) in texts(name, LastLine::None) {
                assert_eq!(segments(&text), 1, "{}", text.as_str());
            }
            for language in Language::ALL {
                for text in [password_was_reset(language, name), phone_was_changed(language, name)] {
                    assert_eq!(segments(&text), 1, "{text}");
                }
            }
        }
    }

    #[test]
    fn only_english_texts_with_a_name_in_another_script_lack_the_warning() {
        let warns = |text: &str| ["공유 금지", "教えないで", "Do not share"].iter().any(|part| text.contains(part));
        for name in NAMES {
            for (language, text) in texts(name, LastLine::None) {
                let is_short = language == Language::English && name == NAMES[1];
                assert_eq!(warns(&text), !is_short, "{}", text.as_str());
            }
        }
    }

    #[test]
    fn the_domain_is_in_the_last_line_and_costs_at_most_a_segment() {
        let text = code(Language::English, Purpose::Login, &auth_code(), "Ably", 300, LastLine::Domain("ably.example"));
        assert_eq!(
            text.as_str(),
            "[Ably] 12345678 is your login code (5 min). Do not share it with anyone.\n@ably.example #12345678"
        );
        let longest = "a".repeat(40);
        for name in NAMES {
            for (language, text) in texts(name, LastLine::Domain(&longest)) {
                let is_gsm = language == Language::English && name == NAMES[0];
                assert_eq!(segments(&text), if is_gsm { 1 } else { 2 }, "{}", text.as_str());
                assert!(text.ends_with(&format!("\n@{longest} #12345678")));
            }
        }
    }

    /// Returns the most characters that the names of the service, of `letter`s, and of the domain have together in one
    /// segment.
    fn room(language: Language, purpose: Purpose, seconds: i64, letter: &str) -> usize {
        let fits = |domain: &usize| {
            let (name, domain) = (letter, "a".repeat(*domain));
            segments(&code(language, purpose, &auth_code(), name, seconds, LastLine::Domain(&domain))) == 1
        };
        (1..100).take_while(fits).last().unwrap_or_default() + letter.chars().count()
    }

    #[test]
    fn the_documented_room_for_a_domain_is_that_of_the_longest_text() {
        let least = |languages: &[Language], letter| {
            let purposes = Purpose::ALL.into_iter();
            purposes
                .flat_map(|purpose| languages.iter().map(move |language| room(*language, purpose, SECONDS, letter)))
                .min()
        };
        assert_eq!(least(&[Language::Korean, Language::Japanese], "가"), Some(21));
        assert_eq!(least(&[Language::English], "가"), Some(10));
        assert!(least(&[Language::English], "a") >= Some(20 + 40), "the longest ones have room");
    }

    #[test]
    fn a_name_in_another_script_leaves_no_room_for_the_english_warning_from_three_characters_on() {
        let warns = |name: &str, purpose, code_text: &str| {
            let auth_code = AuthCode::parse(code_text).unwrap();
            code(Language::English, purpose, &auth_code, name, 300, LastLine::None).contains("share")
        };
        for (purpose, code_text) in
            [(Purpose::Signup, "123456"), (Purpose::Login, "12345678"), (Purpose::PasswordReset, "123456")]
        {
            assert!(!warns("가나다", purpose, code_text), "{purpose:?}");
        }
        assert!(warns("가나", Purpose::Login, "12345678"));
        // With a domain, the line takes the place of most warnings that are not in GSM's alphabet.
        let line = LastLine::Domain("app.example.com");
        let with_warning = |language| {
            let texts = Purpose::ALL.map(|purpose| code(language, purpose, &auth_code(), "Ably", 300, line));
            texts
                .iter()
                .filter(|text| text.contains("금지") || text.contains("教えないで") || text.contains("share"))
                .count()
        };
        assert_eq!(Language::ALL.map(with_warning), [0, 4, 0]);
    }

    #[test]
    fn the_hash_of_an_app_costs_a_segment_only_in_english_with_a_name_in_another_script() {
        let hash = AppHash::parse("FA+9qCX9VSu").unwrap();
        for name in NAMES {
            for (language, text) in texts(name, LastLine::AppHash(&hash)) {
                assert!(text.ends_with("\nFA+9qCX9VSu"));
                let is_long = language == Language::English && name == NAMES[1];
                assert_eq!(segments(&text), if is_long { 2 } else { 1 }, "{}", text.as_str());
            }
        }
    }

    #[test]
    fn segments_are_counted_in_septets_or_in_ucs2_characters() {
        for (text, expected) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("é\n@".repeat(53), 1),
            ("가".repeat(70), 1),
            ("가".repeat(71), 2),
            ("가".repeat(134), 2),
            ("가".repeat(135), 3),
            (format!("{}`", "a".repeat(69)), 1),
            (format!("{}`", "a".repeat(70)), 2),
            ("\u{1f600}".repeat(36), 2),
            (String::new(), 1),
        ] {
            assert_eq!(segments(&text), expected, "{text}");
        }
    }
}
