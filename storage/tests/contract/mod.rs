//! The meaning of `JobStore` and the borders that it consists of: one suite, run against every implementation. A case that no implementation runs is dead code and does not pass.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod books;
mod checkpoints;
mod choices;
mod clocks;
mod drafts;
mod enqueue;
mod fairness;
mod favourites;
mod keeping;
mod limits;
mod lineage;
mod model;
mod moderation;
mod pauses;
mod played;
mod policy;
mod quotas;
mod received;
mod records;
mod states;
mod steps;
pub mod support;
mod walk;
mod worker;

/// One test a case; each on a database of its own.
macro_rules! contract {
    ($name:ident, $backend:ty: $($file:ident { $($case:ident)* })*) => {
        mod $name {
            $(mod $file {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let backend = <$backend as crate::contract::support::Backend>::new();
                    crate::contract::$file::$case(&backend).await;
                })*
            })*
        }
    };
}

contract! { sqlite, crate::contract::support::Sqlite:
    checkpoints {
        the_newest_state_of_each_picture_is_there_for_the_next_worker
        a_recorded_picture_has_no_state_and_gets_none
        states_go_with_their_job_however_it_ends
        a_state_of_more_steps_than_ever_begins_the_count_of_attempts_anew
        one_state_and_all_together_are_bounded
        a_job_that_is_to_stop_keeps_nothing
    }
    choices {
        what_was_chosen_is_there_also_after_a_restart_and_is_one_of_its_name
        so_many_of_a_topic_and_no_more
    }
    pauses {
        a_paused_guild_waits_and_others_go_on
        unfinished_jobs_are_those_that_run_and_those_that_wait
        a_private_job_stays_so_and_is_in_no_history_of_others
    }
    clocks {
        a_clock_that_jumps_holds_no_lease
        a_clock_that_jumps_hides_nothing_that_was_heard
        a_clock_that_jumps_moves_no_debt_to_another_day
        a_clock_that_jumps_forgets_nothing_too_soon
        a_clock_that_jumps_holds_no_try_and_keeps_the_newest_draft
    }
    drafts {
        a_draft_is_read_as_it_was_kept_also_after_a_restart
        drafts_are_forgotten_by_their_age
        one_person_keeps_the_newest_drafts
    }
    enqueue {
        the_same_key_a_hundred_times_is_one_job_and_one_debit
        the_same_press_a_hundred_times_is_one_job
        a_press_is_held_while_the_job_lives_and_kept_when_done_if_asked
        a_press_is_released_when_its_job_fails_or_is_cancelled
        a_press_is_known_as_long_as_it_is_held
        limits_refuse_in_their_order_and_change_nothing
        limits_count_what_they_say
        a_full_queue_says_when_there_may_be_a_place
        what_is_enqueued_is_what_is_read
    }
    worker {
        a_stale_lease_writes_nothing
        done_has_pictures_and_failed_has_a_reason
        a_finished_picture_stays_over_interruptions_and_is_shown_when_its_job_is_done
        pictures_of_a_job_that_is_never_done_are_shown_to_nobody_and_go_with_it
        notes_stay_with_their_job
        a_cancel_is_told_to_the_worker
        a_queued_job_is_cancelled_at_once
        a_race_of_cancel_and_complete_is_decided_once
        three_interruptions_fail_the_job_and_refund_it
        a_poison_job_takes_none_of_those_beside_it_along
        jobs_that_were_interrupted_together_begin_one_after_another
        a_suspect_runs_alone_and_waits_for_that_in_its_place
        work_that_gets_further_is_no_attempt
        a_release_keeps_the_place_and_is_not_an_attempt
        reap_takes_only_expired_leases_unless_told_all
        reap_ends_a_job_whose_cancel_was_requested
        a_store_reopened_in_mid_lease_goes_on
    }
    fairness {
        a_hog_does_not_delay_a_small_guild
        two_backlogged_guilds_alternate
        two_users_of_a_guild_alternate
        many_users_do_not_make_a_guild_bigger
        cost_is_shared_not_the_number_of_jobs
        an_underestimated_job_is_paid_for_later
        idle_time_is_not_saved_up
        cancelled_jobs_cost_their_guild_no_turn
        claims_follow_the_queue_as_it_was_shown
        relaxed_jobs_have_a_sixteenth_of_the_turns
        relaxed_jobs_run_in_a_quarter_of_the_slots_while_others_wait
        a_fast_job_that_may_not_run_keeps_no_slot_from_relaxed_ones
        a_model_in_memory_goes_first_and_passes_the_head_four_times
    }
    limits {
        nobody_waits_for_the_long_jobs_of_others
        a_waiting_job_is_taken_as_soon_as_its_person_may_run_one
        claims_keep_to_the_limits_and_leave_nothing_that_may_run
        a_person_has_one_day_over_all_places
        the_least_of_all_quotas_refuses
        sums_never_exceed_their_limits_and_refunds_restore_them
    }
    quotas {
        rules_are_kept_one_for_each_subject_and_period
        a_person_is_bound_by_the_nearest_rule_and_the_most_generous_role
        a_month_holds_all_of_its_days
        what_is_left_goes_over_once_and_no_further_than_was_said
        what_is_forgiven_counts_no_more_in_its_period
        a_free_job_is_bound_by_nothing_but_a_limit_of_nothing
        a_hundred_at_once_do_not_exceed_a_quota
        days_begin_where_the_host_is
    }
    books {
        sums_are_those_of_the_books
    }
    received {
        what_was_heard_is_kept_until_it_is_answered_also_after_a_restart
        what_was_heard_twice_is_noted_once
        a_job_takes_the_place_of_its_note_and_a_refusal_does_not
    }
    records {
        a_job_is_charged_for_what_it_made
        a_correction_goes_to_the_day_of_the_debit
        a_delivery_is_tried_until_it_arrives
        a_clock_that_jumps_holds_no_delivery
        where_a_message_was_tried_is_remembered
        what_cannot_be_delivered_is_not_tried_again
        a_job_whose_pictures_are_lost_fails_and_is_paid_back_once
        pictures_that_were_lost_are_forgotten_and_paid_back_once
        deliveries_come_oldest_first
        a_backlog_is_as_old_as_the_oldest_that_waits
        a_message_is_remembered
        a_history_of_some_channels_has_full_pages
        history_pages_are_newest_first
        pages_beside_a_job_are_the_pages_by_count
        delete_forgets_pictures_and_names_blobs_that_nobody_needs
        every_input_of_a_job_keeps_its_blob
        a_thumbnail_goes_with_its_job
        settings_and_notes_are_replaced
    }
    favourites {
        a_mark_is_its_persons_own_until_it_is_taken_away
        one_person_marks_so_many_pictures
    }
    lineage {
        what_comes_from_a_job_is_found_while_it_can_be_shown
    }
    keeping {
        a_blob_is_named_by_what_may_still_be_shown_or_drawn_from
        a_deleted_picture_goes_when_what_was_made_from_it_has_ended
        nothing_is_old_at_once_because_a_clock_leaps
        what_is_too_old_is_forgotten_but_not_that_it_was
        every_picture_that_is_shown_is_listed_once
    }
    states {
        a_state_is_kept_under_its_lease_and_goes_with_its_job
        states_go_by_age_and_bytes_but_never_under_a_job_that_goes_on_from_them
        less_is_wanted_of_a_job_until_it_ends
    }
    moderation {
        words_are_kept_and_change_what_jobs_were_judged_by
        an_approved_line_goes_through_once
        a_guild_that_was_left_keeps_nothing
        of_a_person_who_had_everything_deleted_sums_stay_that_are_nobodys
    }
    policy {
        rules_are_kept_one_for_each_subject_and_read_for_a_person
        a_job_that_was_judged_by_older_rules_is_not_taken
        of_a_hundred_at_once_one_comes_in_where_a_pause_is_asked_for
        the_book_keeps_the_newest_lines_of_each_kind
    }
    walk {
        the_store_does_what_the_model_does
    }
}
