//! Every page of a theme, tried with made-up values before anybody is shown it: that it renders, that its form has what
//! the server needs back, that a person is told what they are asked, and that nothing stands in it unescaped.

use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::theme::ThemeRefused;
use super::{
    Choice, ConsentPage, FormPostPage, LoginPage, LogoutPage, Message, MessagePage, Pages, Permission, PostedField,
    Span, WayBackPage,
};

/// What would become part of a page that does not escape what it shows.
const TAG: &str = "<sample-tag>";

/// A page to try: its template, its values, and what must stand in it.
struct Sample {
    template: &'static str,
    values: Value,
    needs: Vec<&'static str>,
}

impl Sample {
    fn new(template: &'static str, page: &impl Serialize, needs: &[&'static str]) -> Self {
        Self { template, values: Value::from(Serde(page)), needs: needs.to_vec() }
    }
}

/// Tries every page in every language.
pub(super) fn try_theme(pages: &Pages) -> Result<(), ThemeRefused> {
    for sample in samples() {
        for tag in pages.languages.tags() {
            let preferences = [super::Preferences::of_ui_locales(tag.as_str())];
            let scene = pages.scene(&preferences, None);
            let Some(html) = pages.templates.try_theme(sample.template, scene.values(&sample.values, true)) else {
                return Ok(());
            };
            let html = html?;
            let refuse = |what: String| ThemeRefused::at(&pages.templates.path(sample.template), None, what);
            if html.contains(TAG) {
                return Err(refuse("shows something unescaped: remove `safe` and `autoescape`".to_owned()));
            }
            if let Some(missing) = sample.needs.iter().find(|needed| !html.contains(**needed)) {
                return Err(refuse(format!("lacks {missing} when it is shown with samples; see docs/pages.md")));
            }
        }
    }
    Ok(())
}

fn samples() -> Vec<Sample> {
    let name = "sample-client<sample-tag>";
    let login = |problem| LoginPage {
        action: "sample-action",
        client_name: name,
        redirect_host: "sample-host",
        request: "sample-request",
        csrf: "sample-csrf",
        username: "sample-user<sample-tag>",
        problem,
    };
    let consent = |is_asked: bool, problem| ConsentPage {
        action: "sample-action",
        client_name: name,
        redirect_host: "sample-host",
        user: is_asked.then_some("sample-user<sample-tag>"),
        permissions: if is_asked {
            vec![Permission { text: "sample-permission<sample-tag>", lang: Some("en") }]
        } else {
            Vec::new()
        },
        choices: if is_asked {
            vec![Choice {
                field: "scope:sample".to_owned(),
                text: "sample-choice<sample-tag>",
                lang: None,
                is_on: true,
            }]
        } else {
            Vec::new()
        },
        resources: if is_asked { vec!["sample-resource"] } else { Vec::new() },
        lasts: Span { message: Message::LastsDays, count: 2 },
        client_uri: is_asked.then_some("sample-uri"),
        policy_uri: is_asked.then_some("sample-policy"),
        tos_uri: is_asked.then_some("sample-tos"),
        problem,
        request: "sample-request",
        csrf: "sample-csrf",
    };
    let form = ["method=\"post\"", "action=\"sample-action\""];
    let sealed =
        [&form[..], &["name=\"request\" value=\"sample-request\"", "name=\"csrf\" value=\"sample-csrf\""]].concat();
    let of_login = [&sealed[..], &["name=\"username\"", "name=\"password\"", "sample-client", "sample-host"]].concat();
    let of_decision =
        [&sealed[..], &["name=\"decision\"", "value=\"allow\"", "value=\"deny\"", "sample-client", "sample-host"]]
            .concat();
    let of_consent =
        [&of_decision[..], &["sample-permission", "sample-choice", "name=\"scope:sample\"", "sample-resource"]]
            .concat();
    let of_post = [&form[..], &["name=\"sample-name\" value=\"sample-value"]].concat();
    let of_logout = [&form[..], &["name=\"csrf\" value=\"sample-csrf\""]].concat();
    let message = |error_id| MessagePage { title: Message::ErrorTitle, text: Message::ErrorOther, error_id };
    let post = FormPostPage {
        action: "sample-action",
        redirect_host: "sample-host",
        fields: vec![PostedField { name: "sample-name", value: "sample-value<sample-tag>" }],
    };
    let late =
        |fields| WayBackPage { client_name: name, redirect_host: "sample-host", action: "sample-action", fields };
    let logout = LogoutPage { action: "sample-action", user: Some("sample-user<sample-tag>"), csrf: "sample-csrf" };
    vec![
        Sample::new(LoginPage::TEMPLATE, &login(None), &of_login),
        Sample::new(LoginPage::TEMPLATE, &login(Some(Message::LoginWrong)), &of_login),
        Sample::new(ConsentPage::TEMPLATE, &consent(true, None), &of_consent),
        Sample::new(ConsentPage::TEMPLATE, &consent(false, Some(Message::ConsentNoneLeft)), &of_decision),
        Sample::new(FormPostPage::TEMPLATE, &post, &of_post),
        Sample::new(
            WayBackPage::TEMPLATE,
            &late(vec![PostedField { name: "sample-name", value: "sample-value<sample-tag>" }]),
            &of_post,
        ),
        Sample::new(
            WayBackPage::TEMPLATE,
            &late(Vec::new()),
            &["href=\"sample-action\"", "sample-client", "sample-host"],
        ),
        Sample::new(LogoutPage::TEMPLATE, &logout, &of_logout),
        Sample::new(MessagePage::TEMPLATE, &message(Some("sample-id")), &["sample-id"]),
        Sample::new(MessagePage::TEMPLATE, &message(None), &[]),
    ]
}
