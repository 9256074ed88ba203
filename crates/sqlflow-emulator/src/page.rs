//! The page at `/`: what this server is, its operations, and its jobs with links to their lineage.

use std::fmt::{self, Display, Write as _};

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::control::FILES;
use super::jobs::Job;
use super::{Service, clock, routes};

/// Nothing but this page's own style: no scripts, no requests, no frames.
const POLICY: &str = "default-src 'none'; style-src 'sha256-STYLE'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.2em .8em .2em 0;vertical-align:top;\
border-bottom:1px solid #ddd}code,pre{font-family:ui-monospace,monospace;font-size:.92em}\
pre{background:#f4f4f4;padding:.8em;overflow:auto}ul{columns:2}";

/// The maximum length of the message of a job: the messages of a large script can be many.
const MAX_MESSAGE_CHARACTERS: usize = 500;

/// Responds with the page.
pub(super) fn respond(service: &Service) -> Response {
    let mut html = String::new();
    // Writing to a string cannot fail.
    let _written = write_page(&mut html, &service.jobs.all());
    let policy = POLICY.replace("STYLE", &style_hash());
    let headers = [
        (header::CONTENT_TYPE, "text/html;charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, html).into_response()
}

/// Returns the hash by which the policy allows the one style of the page.
fn style_hash() -> String {
    use base64::Engine as _;
    use sha2::Digest as _;

    base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(STYLE))
}

fn write_page(html: &mut String, jobs: &[Job]) -> fmt::Result {
    write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>SQLFlow emulator</title>\
         <style>{STYLE}</style></head><body>\n<h1>SQLFlow emulator {version}</h1>\n\
         <p>A local server that speaks the SQLFlow REST API, for trying out and testing clients. It stands in for \
         SQLFlow and is not its engine. Its operations are below <code>/gspLive_backend</code> and \
         <code>/api/gspLive_backend</code>.</p>\n",
        version = env!("CARGO_PKG_VERSION")
    )?;
    write_jobs(html, jobs)?;
    write_operations(html)?;
    html.push_str(
        "<h2>Control</h2>\n<p>For test suites in any language. Faults do not affect these paths; <code>$url</code> is the address \
         of this page.</p>\n<pre>\
         curl -d 'lose-response,on=submitUserJob,times=1' $url/emulator/faults   # fail on demand\n\
         curl $url/emulator/faults                                               # see what is set\n\
         curl -X DELETE $url/emulator/faults                                     # work again\n\
         curl $url/emulator/requests                                             # see what arrived\n\
         curl -X DELETE $url/emulator/requests                                   # begin again\n\
         curl $url/emulator/jobs                                                 # see all jobs\n\
         curl -X DELETE $url/emulator/jobs                                       # remove all jobs\n\
         curl -X PATCH -d '{\"inProcess\": \"1m\"}' $url/emulator/times           # jobs to come take a minute\n\
         curl -X DELETE $url/emulator/tokens                                     # expire all tokens\n\
         </pre>\n</body></html>\n",
    );
    Ok(())
}

fn write_jobs(html: &mut String, jobs: &[Job]) -> fmt::Result {
    html.push_str("<h2>Jobs</h2>\n");
    if jobs.is_empty() {
        html.push_str("<p>There is no job yet. A program submits one with <code>submitUserJob</code>.</p>\n");
        return Ok(());
    }
    html.push_str("<table><tr><th>Name<th>ID<th>User<th>Created (UTC)<th>Status<th>Lineage</tr>\n");
    for job in jobs.iter().rev() {
        let described = job.snapshot();
        write!(
            html,
            "<tr><td>{}<td><code>{}</code><td>{}<td>{}<td>{}",
            Escaped(&described.name),
            Escaped(&described.id),
            Escaped(&described.user_id),
            clock::timestamp(described.created),
            Escaped(&described.status),
        )?;
        if let Some(message) = &described.error_message {
            let beginning: String = message.chars().take(MAX_MESSAGE_CHARACTERS).collect();
            let more = if beginning.len() < message.len() { "…" } else { "" };
            write!(html, "<br><small>{}{more}</small>", Escaped(&beginning))?;
        }
        html.push_str("<td>");
        if job.finished().is_ok() {
            for (file, _) in FILES {
                let (id, label) = (Escaped(&described.id), file.trim_start_matches("lineage."));
                write!(html, "<a href=\"/emulator/jobs/{id}/{file}\">{label}</a> ")?;
            }
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n");
    Ok(())
}

fn write_operations(html: &mut String) -> fmt::Result {
    for (heading, emulated) in [("Operations", true), ("Operations that are not emulated", false)] {
        writeln!(html, "<h2>{heading}</h2>")?;
        if !emulated {
            html.push_str("<p>Each responds with code 501 and its name.</p>\n");
        }
        html.push_str("<ul>\n");
        for (name, _) in routes::operations().filter(|(_, works)| *works == emulated) {
            writeln!(html, "<li><code>{}</code>", Escaped(name))?;
        }
        html.push_str("</ul>\n");
    }
    Ok(())
}

/// Text as it is written in HTML, in content and in attributes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            character => f.write_char(character),
        })
    }
}
