//! Reading the requests of the client: URLs, headers, forms, multipart forms.

use wiremock::Request;

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct SentRequest {
    pub(crate) method: String,
    /// The path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A part of a multipart form.
#[derive(Debug, PartialEq)]
pub(crate) struct SentPart {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content: Vec<u8>,
}

/// Names and values, in an order that does not depend on the sender.
pub(crate) type Fields = Vec<(String, String)>;

/// Returns expected fields, to compare with [`SentRequest::form`] and [`SentRequest::fields`].
pub(crate) fn fields<const N: usize>(expected: [(&str, &str); N]) -> Fields {
    let mut fields: Fields = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    fields.sort();
    fields
}

impl SentRequest {
    /// Parses the bytes of a request.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = find(bytes, b"\r\n\r\n").expect("a request has a head");
        let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
        let mut lines = head.split("\r\n");
        let mut start = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (start.next().unwrap_or_default(), start.next().unwrap_or_default());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the parameters in the URL.
    pub(crate) fn query(&self) -> Fields {
        pairs(self.target.split_once('?').map_or("", |(_, query)| query).as_bytes())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the parameters in the body, which has to be an urlencoded form.
    pub(crate) fn form(&self) -> Fields {
        assert_eq!(self.header("content-type"), Some("application/x-www-form-urlencoded"));
        pairs(&self.body)
    }

    /// Returns one parameter in the body, which has to be an urlencoded form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.form().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Returns the parts of the body, which has to be a multipart form.
    pub(crate) fn parts(&self) -> Vec<SentPart> {
        let kind = self.header("content-type").unwrap_or_default();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect("the body is a multipart form");
        let boundary = format!("\r\n--{boundary}");
        // The first boundary is at the very start, as if a line had ended before it.
        let mut rest = [b"\r\n", self.body.as_slice()].concat();
        let mut parts = Vec::new();
        loop {
            let start = find(&rest, boundary.as_bytes()).expect("a part begins with its boundary") + boundary.len();
            if rest[start..].starts_with(b"--") {
                return parts;
            }
            let end = start + find(&rest[start..], boundary.as_bytes()).expect("a part ends at a boundary");
            parts.push(part(&rest[start + 2..end]));
            rest.drain(..end);
        }
    }

    /// Returns the parts that are not files.
    pub(crate) fn fields(&self) -> Fields {
        let parts = self.parts().into_iter().filter(|part| part.file_name.is_none());
        let mut fields: Fields = parts.map(|part| (part.name, text(part.content))).collect();
        fields.sort();
        fields
    }

    /// Returns the parts that are files.
    pub(crate) fn files(&self) -> Vec<SentPart> {
        self.parts().into_iter().filter(|part| part.file_name.is_some()).collect()
    }
}

impl From<Request> for SentRequest {
    fn from(request: Request) -> Self {
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let headers = request.headers.iter();
        Self {
            method: request.method.to_string(),
            target: format!("{}{query}", request.url.path()),
            headers: headers
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
            body: request.body,
        }
    }
}

fn part(bytes: &[u8]) -> SentPart {
    let end = find(bytes, b"\r\n\r\n").expect("a part has a head");
    let head = text(bytes[..end].to_vec());
    let disposition = head.lines().find_map(|line| line.strip_prefix("Content-Disposition: form-data; "));
    let disposition = disposition.expect("a part says what it is");
    SentPart {
        name: quoted(disposition, "name=\"").expect("a part has a name"),
        file_name: quoted(disposition, "filename=\""),
        content: bytes[end + 4..].to_vec(),
    }
}

/// Returns the quoted text after a key, without the escaping backslashes.
fn quoted(text: &str, key: &str) -> Option<String> {
    let start = text.find(&format!("; {key}")).map(|at| at + 2).or_else(|| text.starts_with(key).then_some(0))?;
    let mut value = String::new();
    let mut letters = text[start + key.len()..].chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Some(value),
            '\\' => value.extend(letters.next()),
            _ => value.push(letter),
        }
    }
    None
}

fn pairs(text: &[u8]) -> Fields {
    let mut pairs: Fields = serde_urlencoded::from_bytes(text).expect("parameters are urlencoded");
    pairs.sort();
    pairs
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a field is text")
}

pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
