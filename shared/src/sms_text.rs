//! The texts of the SMS.

use zeroize::Zeroizing;

use crate::values::{AuthCode, Phone, Purpose};

/// Returns the text of the SMS in the language of the phone's country: Korean, Japanese, or otherwise
/// English. The text fits one segment, of 70 UCS-2 characters (3GPP TS 23.038).
#[must_use]
pub fn text(
    phone: &Phone,
    purpose: Purpose,
    code: &AuthCode,
    service_name: &str,
    code_seconds: i64,
) -> Zeroizing<String> {
    let (service, code, minutes) = (service_name, code.expose_secret(), code_seconds / 60);
    Zeroizing::new(match phone.country_code() {
        82 => {
            let purpose = match purpose {
                Purpose::Signup => "회원가입 ",
                Purpose::PasswordReset => "비밀번호 재설정 ",
            };
            format!("[{service}] {purpose}인증번호 {code} ({minutes}분 이내 입력)")
        }
        81 => {
            let purpose = match purpose {
                Purpose::Signup => "会員登録の",
                Purpose::PasswordReset => "パスワード再設定の",
            };
            format!("[{service}] {purpose}認証コード: {code} ({minutes}分間有効)")
        }
        _ => {
            let purpose = match purpose {
                Purpose::Signup => "sign-up",
                Purpose::PasswordReset => "password reset",
            };
            format!("[{service}] {code} is your {purpose} code ({minutes} min)")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{Field as _, Region};

    #[test]
    fn every_text_fits_one_segment_and_names_its_purpose() {
        let longest_name = "가나다라마바사아자차카타파하가나다라마바";
        let code = AuthCode::parse("12345678").unwrap();
        for number in ["+821012345678", "+819012345678", "+12025550123"] {
            let phone = Phone::parse(number, Region::KR).unwrap();
            let texts = Purpose::ALL.map(|purpose| text(&phone, purpose, &code, longest_name, 600));
            for text in &texts {
                assert!(text.encode_utf16().count() <= 70, "{}", text.as_str());
                assert!(text.contains("12345678"));
            }
            assert_ne!(texts[0], texts[1]);
        }
        let phone = Phone::parse("01012345678", Region::KR).unwrap();
        assert_eq!(
            text(&phone, Purpose::Signup, &code, "Ably", 300).as_str(),
            "[Ably] 회원가입 인증번호 12345678 (5분 이내 입력)"
        );
    }
}
