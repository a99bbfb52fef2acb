//! A page as a browser reads it: its elements, its text, and the form in it.

use std::collections::BTreeMap;

use html5ever::tendril::TendrilSink as _;
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use super::Answer;

/// A page that was read.
#[derive(Debug)]
pub(crate) struct Page {
    elements: Vec<Element>,
    /// What stands on it, without the markup.
    pub(crate) text: String,
}

#[derive(Debug)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
}

/// The form of a page, filled in as it came.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    /// Where it goes.
    pub(crate) action: String,
    fields: Vec<(String, String)>,
    buttons: Vec<(String, String)>,
}

impl Answer {
    /// The page that was answered; panics where the answer is none.
    pub(crate) fn page(&self) -> Page {
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8", "{}", self.body);
        Page::read(&self.body)
    }

    /// The only form of the page that was answered.
    pub(crate) fn form(&self) -> Form {
        let page = self.page();
        page.form().unwrap_or_else(|| panic!("no form: {}", page.text))
    }
}

impl Page {
    fn read(html: &str) -> Self {
        let dom = html5ever::parse_document(RcDom::default(), html5ever::ParseOpts::default()).one(html);
        let mut page = Self { elements: Vec::new(), text: String::new() };
        page.walk(&dom.document);
        page
    }

    fn walk(&mut self, node: &Handle) {
        match &node.data {
            NodeData::Element { name, attrs, .. } => {
                let pair =
                    |attribute: &html5ever::Attribute| (attribute.name.local.to_string(), attribute.value.to_string());
                let attributes = attrs.borrow().iter().map(pair).collect();
                self.elements.push(Element { name: name.local.to_string(), attributes });
            }
            NodeData::Text { contents } => self.text.push_str(&contents.borrow()),
            _ => {}
        }
        for child in node.children.borrow().iter() {
            self.walk(child);
        }
    }

    /// How many elements have this name.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.named(name).count()
    }

    /// Asserts that `words` stand on it.
    pub(crate) fn assert_says(&self, words: &str) {
        assert!(self.text.contains(words), "no {words:?}: {}", self.text);
    }

    /// Every value of an attribute, of whatever elements have it.
    pub(crate) fn attributes(&self, name: &str) -> Vec<&str> {
        self.elements.iter().filter_map(|element| element.attributes.get(name)).map(String::as_str).collect()
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    fn form(&self) -> Option<Form> {
        let mut forms = self.named("form");
        let form = forms.next()?;
        assert!(forms.next().is_none(), "two forms");
        assert_eq!(form.attribute("method"), "post");
        let pairs = |name| {
            let is_sent = |element: &&Element| {
                // A box without its mark is not sent (HTML Standard, "constructing the entry list").
                let is_box = element.attribute("type") == "checkbox";
                element.attributes.contains_key("name") && (!is_box || element.attributes.contains_key("checked"))
            };
            let with_name = self.named(name).filter(is_sent);
            let pair =
                |element: &Element| (element.attribute("name").to_owned(), element.attribute("value").to_owned());
            with_name.map(pair).collect()
        };
        Some(Form { action: form.attribute("action").to_owned(), fields: pairs("input"), buttons: pairs("button") })
    }
}

impl Element {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

impl Form {
    /// What stands in a field.
    pub(crate) fn value(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(own, _)| own == name);
        &field.unwrap_or_else(|| panic!("no field {name}: {:?}", self.fields)).1
    }

    /// The same form with something else in a field that it has.
    pub(crate) fn fill(mut self, name: &str, value: &str) -> Self {
        let field = self.fields.iter_mut().find(|(own, _)| own == name);
        let field = field.unwrap_or_else(|| panic!("no field {name}"));
        value.clone_into(&mut field.1);
        self
    }

    /// The same form with one more field, such as a box that is marked.
    pub(crate) fn add(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same form without a field, as only somebody sends it who writes forms by hand.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(own, _)| own != name);
        self
    }

    /// The same form, sent with the button of this value.
    pub(crate) fn press(mut self, value: &str) -> Self {
        let button = self.buttons.iter().find(|(_, own)| own == value);
        let button = button.unwrap_or_else(|| panic!("no button {value}: {:?}", self.buttons)).clone();
        self.fields.push(button);
        self
    }

    /// As it is sent.
    pub(crate) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }
}
