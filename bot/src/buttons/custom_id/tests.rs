use super::*;

#[test]
fn every_id_is_read_back_and_fits() {
    let job = JobId::new();
    let of_pictures = PictureAction::all().map(|action| ButtonAction::Picture { action, job, index: 3 });
    let after = After::ALL.map(|after| ButtonAction::After { job, index: 2, after });
    for action in of_pictures.chain(after).chain([
        ButtonAction::Favourites { page: 100 },
        ButtonAction::Upscale { job, index: 3 },
        ButtonAction::Variation { job, index: 0 },
        ButtonAction::Cells { job, index: 1 },
        ButtonAction::Reroll { job },
        ButtonAction::Cancel { job },
        ButtonAction::Stop { job },
        ButtonAction::Cull { job, index: 3 },
        ButtonAction::Continue { job },
        ButtonAction::AskDelete { job },
        ButtonAction::Delete { job },
        ButtonAction::Keep { job },
        ButtonAction::Remix { job },
        ButtonAction::Reopen { draft: DraftId::new() },
        ButtonAction::DrawDraft { draft: DraftId::new() },
        ButtonAction::DrawAll { draft: DraftId::new() },
        ButtonAction::LeaveAll { draft: DraftId::new() },
        ButtonAction::Files { job },
        ButtonAction::History { offset: u32::MAX, scope: HistoryScope::Everyone, beside: None },
        ButtonAction::History { offset: 5, scope: HistoryScope::Mine, beside: None },
        ButtonAction::History { offset: u32::MAX, scope: HistoryScope::Everyone, beside: Some(Beside::Older(job)) },
        ButtonAction::History { offset: 0, scope: HistoryScope::Mine, beside: Some(Beside::Newer(job)) },
        ButtonAction::Panel { whose: Whose::Guild, setting: Setting::Variation },
        ButtonAction::Pick { picker: Picker::Model, page: u32::MAX },
        ButtonAction::Picker { picker: Picker::Lora, page: 0 },
        ButtonAction::UseAsDefault { picker: Picker::Lora, name: NameHash(u64::MAX) },
        ButtonAction::UseInChannel { picker: Picker::Model, name: NameHash::of("dreamy") },
        ButtonAction::Example { index: 3 },
        ButtonAction::Tour { page: 7, is_opened: false },
        ButtonAction::Tour { page: 0, is_opened: true },
    ]) {
        let id = action.to_string();
        assert!(id.len() <= 100, "{id}");
        assert_eq!(id.parse(), Ok(action), "{id}");
    }
}

#[test]
fn every_setting_of_every_panel_is_read_back() {
    for whose in Whose::ALL {
        for (setting, _) in Setting::ALL {
            let action = ButtonAction::Panel { whose, setting };
            assert_eq!(action.to_string().parse(), Ok(action));
        }
        for (act, _) in QueueAct::ALL {
            let action = ButtonAction::Queue { whose, act };
            assert_eq!(action.to_string().parse(), Ok(action));
        }
    }
    for id in [
        "1:panel-mine:model:1",
        "1:panel-theirs:model:0",
        "1:panel-mine:bogus:0",
        "1:panel:model:0",
        "1:queue-mine:bogus:0",
        "1:queue-mine:show:1",
    ] {
        assert_eq!(id.parse::<ButtonAction>(), Err(UnknownButton), "{id}");
    }
}

#[test]
fn buttons_of_older_versions_turn_pages_by_their_count() {
    let history = |scope, offset| Ok(ButtonAction::History { offset, scope, beside: None });
    assert_eq!("1:history:mine:5".parse(), history(HistoryScope::Mine, 5));
    assert_eq!("1:history:everyone:0".parse(), history(HistoryScope::Everyone, 0));
}

#[test]
fn a_forms_id_is_read_back_and_is_no_buttons() {
    let form = FormId { draft: DraftId::new() };
    let id = form.to_string();
    assert!(id.len() <= 100, "{id}");
    assert_eq!((id.parse(), id.parse::<ButtonAction>()), (Ok(form), Err(UnknownButton)));
    let button = ButtonAction::Reopen { draft: form.draft }.to_string();
    for id in [button, format!("1:form:{}:1", form.draft), "1:form:x:0".into(), "form".into()] {
        assert_eq!(id.parse::<FormId>(), Err(UnknownButton), "{id}");
    }
}

#[test]
fn forged_and_stale_ids_are_refused() {
    let job = JobId::new();
    for id in [
        String::new(),
        "hello".into(),
        format!("0:upscale:{job}:1"),
        format!("1:explode:{job}:1"),
        format!("1:upscale:{job}:-1"),
        format!("1:upscale:{job}:99999999999"),
        format!("1:reroll:{job}:1"),
        "1:upscale:nobody:1".into(),
        "1:history:theirs:0".into(),
        format!("1:older-theirs:{job}:0"),
        "1:older-mine:nobody:0".into(),
        format!("1:beside-mine:{job}:0"),
        format!("1:upscale:{job}:1:2"),
    ] {
        assert_eq!(id.parse::<ButtonAction>(), Err(UnknownButton), "{id}");
    }
}
