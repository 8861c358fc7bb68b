//! The list of the guarantees, for the tests of each backend.

/// Tests every guarantee on the stores that `$open` creates.
macro_rules! guarantees {
    ($open:path) => {
        guarantees! { $open:
            sms_sessions {
                cancelled_sms_session_is_not_found,
                recorded_attempt_returns_the_purpose_and_mac_of_its_session,
                expired_sms_session_is_not_found_before_it_is_deleted,
                concurrent_guesses_are_limited_to_five,
                attempts_count_on_their_session_only,
                sms_session_is_verified_until_it_expires,
                concurrent_verifications_mark_the_session_once,
                sms_session_of_a_known_device_has_no_address,
                unknown_sms_session_is_not_verified,
                sign_up_attempts_require_a_session_verified_for_the_phone_and_for_sign_up,
                concurrent_sign_up_attempts_are_limited_to_five,
            }
            limits {
                bucket_allows_its_burst_and_then_one_event_each_interval,
                concurrent_events_never_exceed_a_bucket,
                event_counts_in_all_buckets_of_its_subject_or_in_none,
                bucket_can_be_added_to_a_subject,
                refund_allows_one_more_event,
                events_in_a_row_are_limited_however_slow_they_are,
                concurrent_events_in_a_row_never_exceed_the_limit,
                events_in_a_row_that_are_not_kept_expire_after_30_days,
                reset_clears_the_events_in_a_row,
                login_by_code_clears_the_events_in_a_row,
                concurrent_sms_never_exceed_the_total_of_a_day,
                refunded_sms_of_a_day_is_allowed_again,
                paused_sms_are_not_counted_until_they_are_resumed,
                a_total_of_no_sms_allows_none,
                counts_last_as_long_as_the_longest_bucket_of_their_subject,
            }
            users {
                email_and_phone_are_taken_after_sign_up,
                sign_up_creates_the_user_and_consumes_the_sms_session,
                sign_up_requires_an_sms_session_verified_for_its_phone_and_purpose,
                sign_up_with_a_taken_email_or_phone_changes_nothing,
                concurrent_sign_ups_with_one_sms_session_create_one_user,
                concurrent_sign_ups_with_one_email_create_one_user,
                reset_replaces_the_password_and_consumes_the_sms_session,
                reset_requires_a_user_and_an_sms_session_verified_for_its_phone_and_purpose,
                concurrent_resets_with_one_sms_session_succeed_once,
                disabled_user_is_rejected_until_enabled,
            }
            accounts {
                profile_requires_a_current_session_and_token_version,
                update_of_the_profile_replaces_the_fields_that_are_given,
                change_of_the_password_replaces_the_password_and_the_session,
                change_of_the_phone_moves_the_number_and_consumes_the_sms_session,
                change_of_the_phone_requires_an_sms_session_verified_for_its_phone_and_purpose,
                reset_of_a_number_that_moved_is_rejected,
                change_of_the_phone_to_a_taken_number_changes_nothing,
                change_of_the_email_moves_the_email,
                change_of_the_email_to_a_taken_one_changes_nothing,
                deletion_frees_email_and_phone_and_deletes_the_counts,
                rejected_caller_changes_nothing,
            }
            accounts_races {
                concurrent_updates_of_name_and_nickname_keep_both,
                changes_race_with_a_logout,
                change_of_the_phone_races_with_resets_of_the_old_number,
                concurrent_changes_of_one_session_succeed_once,
                concurrent_changes_to_one_phone_succeed_once,
                change_of_the_phone_races_with_sign_ups_for_one_owner,
                crossing_changes_of_the_email_leave_one_owner_of_each,
                deletion_races_with_refreshes,
                deletion_races_with_logins,
                deletion_races_with_resets,
                change_of_the_password_races_with_a_reset,
            }
            administration {
                claims_are_replaced_for_every_reader,
                refresh_with_the_claims_of_before_returns_those_of_now,
                concurrent_refreshes_and_changes_of_the_claims_keep_the_session,
                ended_sessions_are_revoked_and_later_ones_are_not,
                deleted_user_frees_email_and_phone_and_the_counts,
                deletion_of_a_user_races_with_changes_of_the_phone,
                pause_keeps_the_count_of_the_day,
                counts_of_a_subject_are_those_of_its_limit,
            }
            administration_imports {
                user_is_found_by_id_email_and_phone,
                users_are_listed_once_over_all_pages,
                imported_user_is_exported_as_it_was,
                imported_user_logs_in_and_refreshes_with_its_claims,
                repeated_import_changes_nothing,
                import_of_a_taken_id_email_or_phone_changes_nothing,
                concurrent_imports_of_one_phone_create_one_user,
                concurrent_imports_and_sign_ups_with_one_phone_create_one_user,
                concurrent_imports_of_one_user_create_it_once,
            }
            sessions {
                refresh_advances_by_one_generation,
                retry_within_reuse_interval_returns_the_same_generation,
                reusing_a_refresh_token_revokes_its_session,
                concurrent_refreshes_with_one_token_return_one_generation,
                concurrent_refreshes_with_a_used_token_are_rejected,
                expired_session_is_revoked_before_it_is_deleted,
                revoking_a_session_revokes_no_other,
                revoking_all_sessions_increments_the_token_version_once,
                reset_revokes_all_sessions_and_increments_the_token_version,
                login_by_code_starts_a_session_and_consumes_the_sms_session,
                login_by_code_requires_an_sms_session_for_its_phone_and_for_login,
                concurrent_logins_with_one_code_start_one_session,
                login_by_code_after_a_reset_starts_a_revoked_session,
                session_of_an_unknown_user_is_revoked,
                concurrent_refreshes_do_not_survive_a_reset,
                listed_sessions_are_neither_revoked_nor_expired,
                listed_session_is_revoked_once_and_by_its_user_only,
                deleted_sessions_of_a_user_are_those_of_no_other,
            }
        }
    };
    ($open:path: $($resource:ident { $($guarantee:ident,)* })*) => {
        $(
            mod $resource {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                    async fn $guarantee() {
                        crate::guarantees::$resource::$guarantee($open().await).await;
                    }
                )*
            }
        )*
    };
}
pub(crate) use guarantees;
