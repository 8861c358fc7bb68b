//! The permissions of each role, spelled out.

/// The functions, each with its permissions.
pub(crate) const ROLES: [(&str, &[&str]); 22] = [
    (
        "account-delete",
        &[
            "dynamodb:BatchGetItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:BatchGetItem on UsersTable [USER#*] (pk email phone token_version is_disabled)",
            "dynamodb:DeleteItem on LimitsTable [PASSWORD#USER#* SMS#USER#*] (pk)",
            "dynamodb:DeleteItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:DeleteItem on UsersTable [USER#* EMAIL#* PHONE#*] (pk user_id token_version is_disabled)",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
            "dynamodb:Query on SessionsTable [USER#*] (pk sk)",
        ],
    ),
    (
        "email-change",
        &[
            "dynamodb:BatchGetItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:BatchGetItem on UsersTable [USER#*] (pk email token_version is_disabled claims)",
            "dynamodb:DeleteItem on SessionsTable [USER#*]",
            "dynamodb:DeleteItem on UsersTable [EMAIL#*] (pk user_id)",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:PutItem on SessionsTable [USER#*]",
            "dynamodb:PutItem on UsersTable [EMAIL#*] (pk user_id)",
            "dynamodb:UpdateItem on LimitsTable [CHECK#*]",
            "dynamodb:UpdateItem on UsersTable [USER#*] (pk email updated_at token_version is_disabled)",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
    (
        "email-duplicate-check",
        &[
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [EMAIL#*]",
            "dynamodb:UpdateItem on LimitsTable [CHECK#*]",
        ],
    ),
    ("jwks", &["dynamodb:GetItem on PublicKeysTable [KEYS]"]),
    (
        "login",
        &[
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [EMAIL#* PHONE#*]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk password_hash token_version is_disabled password_reset_at claims)",
            "dynamodb:PutItem on SessionsTable [USER#*]",
            "dynamodb:UpdateItem on LimitsTable [PASSWORD#*]",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
    (
        "login-code",
        &[
            "dynamodb:DeleteItem on LimitsTable [PASSWORD#*]",
            "dynamodb:DeleteItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [PHONE#*]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk phone token_version email name is_disabled password_reset_at claims)",
            "dynamodb:PutItem on SessionsTable [USER#*]",
            "dynamodb:UpdateItem on LimitsTable [SMS#IP#*]",
            "dynamodb:UpdateItem on SmsSessionsTable [SESSION#*]",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
    (
        "logout",
        &[
            "dynamodb:DeleteItem on SessionsTable [USER#*]",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk token_version)",
            "dynamodb:UpdateItem on UsersTable [USER#*] (pk token_version)",
        ],
    ),
    ("openid-configuration", &[]),
    (
        "password",
        &[
            "dynamodb:DeleteItem on LimitsTable [PASSWORD#*]",
            "dynamodb:DeleteItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on UsersTable [PHONE#*]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk phone token_version email name is_disabled password_reset_at claims)",
            "dynamodb:UpdateItem on LimitsTable [SMS#DAY*]",
            "dynamodb:UpdateItem on UsersTable [USER#*] \
             (pk phone password_hash updated_at password_reset_at token_version is_disabled)",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
            "sns:GetSMSAttributes on *",
            "sns:Publish on a phone number",
        ],
    ),
    (
        "password-change",
        &[
            "dynamodb:BatchGetItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:BatchGetItem on UsersTable [USER#*] \
             (pk password_hash email phone name token_version is_disabled claims)",
            "dynamodb:DeleteItem on SessionsTable [USER#*]",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:PutItem on SessionsTable [USER#*]",
            "dynamodb:UpdateItem on LimitsTable [PASSWORD#SESSION#*]",
            "dynamodb:UpdateItem on UsersTable [USER#*] (pk password_hash updated_at token_version is_disabled)",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
    (
        "pause-sms",
        &["dynamodb:GetItem on PublicKeysTable [WARM]", "dynamodb:UpdateItem on LimitsTable [SMS#DAY*] (pk is_paused)"],
    ),
    (
        "phone-change",
        &[
            "dynamodb:BatchGetItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:BatchGetItem on UsersTable [USER#*] (pk phone token_version is_disabled claims)",
            "dynamodb:DeleteItem on SessionsTable [USER#*]",
            "dynamodb:DeleteItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:DeleteItem on UsersTable [PHONE#*] (pk user_id)",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:PutItem on SessionsTable [USER#*]",
            "dynamodb:PutItem on UsersTable [PHONE#*] (pk user_id)",
            "dynamodb:UpdateItem on LimitsTable [SMS#DAY*]",
            "dynamodb:UpdateItem on UsersTable [USER#*] (pk phone updated_at token_version is_disabled)",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
            "sns:GetSMSAttributes on *",
            "sns:Publish on a phone number",
        ],
    ),
    (
        "phone-duplicate-check",
        &[
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [PHONE#*]",
            "dynamodb:UpdateItem on LimitsTable [CHECK#*]",
        ],
    ),
    (
        "profile",
        &[
            "dynamodb:BatchGetItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:BatchGetItem on UsersTable [USER#*] (pk name email phone nickname token_version is_disabled)",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
        ],
    ),
    (
        "profile-update",
        &[
            "dynamodb:BatchGetItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:BatchGetItem on UsersTable [USER#*] (pk name email phone nickname token_version is_disabled)",
            "dynamodb:ConditionCheckItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
            "dynamodb:UpdateItem on UsersTable [USER#*] (pk name nickname updated_at token_version is_disabled)",
        ],
    ),
    (
        "rotate-keys",
        &[
            "dynamodb:GetItem on PublicKeysTable",
            "dynamodb:PutItem on PublicKeysTable",
            "secretsmanager:DescribeSecret on PrivateKeysSecret",
            "secretsmanager:GetSecretValue on PrivateKeysSecret",
            "secretsmanager:PutSecretValue on PrivateKeysSecret",
            "secretsmanager:UpdateSecretVersionStage on PrivateKeysSecret",
        ],
    ),
    (
        "session-revoke",
        &[
            "dynamodb:BatchGetItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:BatchGetItem on UsersTable [USER#*] (pk token_version is_disabled)",
            "dynamodb:ConditionCheckItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:ConditionCheckItem on UsersTable [USER#*] (pk token_version is_disabled)",
            "dynamodb:DeleteItem on SessionsTable [USER#*] (pk sk token_version expires_at)",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
        ],
    ),
    (
        "sessions",
        &[
            "dynamodb:BatchGetItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:BatchGetItem on UsersTable [USER#*] (pk token_version is_disabled)",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
            "dynamodb:Query on SessionsTable [USER#*] \
             (pk sk created_at rotated_at user_agent token_version expires_at)",
        ],
    ),
    (
        "signup",
        &[
            "dynamodb:DeleteItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [EMAIL#* PHONE#*]",
            "dynamodb:PutItem on SessionsTable [USER#*]",
            "dynamodb:PutItem on UsersTable [EMAIL#* PHONE#* USER#*]",
            "dynamodb:UpdateItem on SmsSessionsTable [SESSION#*]",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
    (
        "sms-auth-send",
        &[
            "dynamodb:DeleteItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
            "dynamodb:GetItem on UsersTable [PHONE#*]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk phone token_version email name is_disabled password_reset_at claims)",
            "dynamodb:PutItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:UpdateItem on LimitsTable [SMS#*]",
            "sns:GetSMSAttributes on *",
            "sns:Publish on a phone number",
        ],
    ),
    (
        "sms-auth-verify",
        &[
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:UpdateItem on LimitsTable [SMS#IP#*]",
            "dynamodb:UpdateItem on SmsSessionsTable [SESSION#*]",
        ],
    ),
    (
        "token-refresh",
        &[
            "dynamodb:ConditionCheckItem on UsersTable [USER#*] (pk token_version is_disabled claims)",
            "dynamodb:DeleteItem on SessionsTable [USER#*]",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk token_version is_disabled claims)",
            "dynamodb:UpdateItem on SessionsTable [USER#*]",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
];
